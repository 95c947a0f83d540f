//! Budgets in memory: a purse for each, and for `user:*` one for each user. The sets of calls include them, so that all levels
//! are checked at once.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger::{OnRelease, Period, Purse, Spent};
use parking_lot::Mutex;
use store::BudgetRow;
use tokio::sync::Notify;
use types::Money;

use super::Opening;
use crate::alerts::{Event, Signals};

/// The subject of budgets for each user.
pub(crate) const EACH_USER: &str = "user:*";

/// A budget and what was spent of it.
#[derive(Debug)]
pub struct Budget {
    row: ArcSwap<BudgetRow>,
    purse: Arc<Purse>,
    /// Of a budget for each user: theirs.
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    purses: HashMap<String, Arc<Purse>>,
    /// What users had spent when the budget was first seen.
    openings: HashMap<String, Money>,
}

impl Budget {
    /// What it says.
    pub fn row(&self) -> Arc<BudgetRow> {
        self.row.load_full()
    }

    /// What was spent of it; of a budget for each user, by all.
    pub fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }
}

/// All budgets of an account.
#[derive(Debug, Default)]
pub struct Budgets {
    all: Vec<Arc<Budget>>,
}

/// What a request counts for beside its key's own subjects.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted<'a> {
    /// The caller's own user.
    pub(crate) user: Option<&'a str>,
    /// Day of the call, since 1970.
    pub(crate) day: i64,
}

impl Budgets {
    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.all.iter()
    }

    /// The purses of these subjects, shorter spans first.
    pub(crate) fn purses<'b>(&'b self, subject: &'b str) -> impl Iterator<Item = Arc<Purse>> + 'b {
        self.all
            .iter()
            .filter(move |budget| budget.row.load().subject == subject)
            .map(|b| Arc::clone(&b.purse))
    }

    /// Whether a request can count for more than its key says.
    pub(crate) fn go_by_request(&self) -> bool {
        self.all.iter().any(|budget| {
            let row = budget.row.load();
            row.subject.starts_with("user:") || row.subject.starts_with("tag:") && row.subject.contains('=')
        })
    }

    /// The purses that only the request itself decides on, and what it counts for because of them.
    pub(crate) fn of_request(
        &self,
        counted: Counted<'_>,
        dimensions: &mut dyn Iterator<Item = (&str, &str)>,
        released: &Arc<Notify>,
        signals: &Signals,
    ) -> (Vec<Arc<Purse>>, Vec<String>) {
        let mut subjects: Vec<String> = counted.user.map(|user| format!("user:{user}")).into_iter().collect();
        subjects.extend(dimensions.map(|(name, value)| format!("tag:{name}={value}")));
        let mut purses = Vec::new();
        let mut hit: Vec<String> = Vec::new();
        for budget in &self.all {
            let row = budget.row.load();
            let each = row.subject == EACH_USER && counted.user.is_some();
            let Some(subject) = subjects.iter().find(|subject| each || **subject == row.subject) else {
                continue;
            };
            purses.push(match each {
                true => budget.of_user(subject, counted.day, released, signals),
                false => Arc::clone(&budget.purse),
            });
            if !hit.contains(subject) {
                hit.push(subject.clone());
            }
        }
        (purses, hit)
    }

    /// The budgets after some changed. Purses live on where amount or thresholds change.
    pub(crate) fn with(
        &self,
        changes: &[BudgetRow],
        released: &Arc<Notify>,
        signals: &Signals,
        opening: &dyn Opening,
        today: i64,
    ) -> Budgets {
        let mut all = self.all.clone();
        for row in changes {
            let at = all.iter().position(|budget| budget.row.load().id == row.id);
            match at.and_then(|at| all.get(at).cloned()) {
                Some(_) if row.deleted => all.retain(|budget| budget.row.load().id != row.id),
                Some(budget) => budget.edit(row),
                None if row.deleted => (),
                None => all.push(Arc::new(Budget::new(row, released, signals, opening, today))),
            }
        }
        all.sort_by_key(|budget| (budget.row.load().period == Period::Total, budget.row.load().period));
        Budgets { all }
    }
}

impl Budget {
    fn new(
        row: &BudgetRow,
        released: &Arc<Notify>,
        signals: &Signals,
        opening: &dyn Opening,
        today: i64,
    ) -> Budget {
        let spent = opening.spent(&row.account, &row.subject, row.period);
        let each = row.subject == EACH_USER;
        // What all users spend together bounds nobody.
        let limit = row.hard.then_some(row.amount).filter(|_| !each);
        let purse = Purse::new(scope(row, &row.subject), limit, spent, Some(waking(released)));
        let purse = purse.over(row.period, today);
        let purse = if each { purse } else { purse.telling(watch(row, row.subject.clone(), signals)) };
        let openings = if each { opening.users(&row.account, row.period) } else { HashMap::new() };
        let users = Mutex::new(Users { openings, ..Users::default() });
        Budget { row: ArcSwap::from_pointee(row.clone()), purse: Arc::new(purse), users }
    }

    fn edit(&self, row: &BudgetRow) {
        self.row.store(Arc::new(row.clone()));
        let limit = row.hard.then_some(row.amount);
        if row.subject == EACH_USER {
            let users: Vec<Arc<Purse>> = self.users.lock().purses.values().map(Arc::clone).collect();
            users.iter().for_each(|purse| purse.set_limit(limit));
        } else {
            self.purse.set_limit(limit);
        }
    }

    fn of_user(&self, subject: &str, day: i64, released: &Arc<Notify>, signals: &Signals) -> Arc<Purse> {
        let row = self.row.load();
        let mut users = self.users.lock();
        if let Some(purse) = users.purses.get(subject) {
            return Arc::clone(purse);
        }
        // Whoever spent in a span that is over begins anew.
        users.purses.retain(|_, purse| {
            let now = purse.snapshot();
            now.holds > 0 || day < now.days.1
        });
        let spent = users.openings.remove(subject).unwrap_or(Money::ZERO);
        let limit = row.hard.then_some(row.amount);
        let purse = Purse::new(scope(&row, subject), limit, spent, Some(waking(released)));
        let purse = purse.over(row.period, day).telling(watch(&row, subject.to_owned(), signals));
        let purse = Arc::new(purse);
        users.purses.insert(subject.to_owned(), Arc::clone(&purse));
        purse
    }
}

fn scope(row: &BudgetRow, subject: &str) -> String {
    format!("budget:{} ({subject})", row.id)
}

pub(super) fn waking(released: &Arc<Notify>) -> OnRelease {
    let released = Arc::clone(released);
    Box::new(move || released.notify_waiters())
}

/// Tells of each threshold that a charge passes. Edits of the thresholds act once the budget is seen anew.
fn watch(row: &BudgetRow, subject: String, signals: &Signals) -> ledger::OnSpent {
    let (row, signals) = (row.clone(), signals.clone());
    Box::new(move |spent: &Spent| {
        for percent in passed(&row.thresholds, row.amount, spent) {
            signals.tell(Event::Budget {
                row: row.clone(),
                subject: subject.clone(),
                percent,
                spent: *spent,
            });
        }
    })
}

/// Percentages of an amount that a charge passed.
pub(super) fn passed(thresholds: &[u32], amount: Money, spent: &Spent) -> Vec<u32> {
    let at = |percent: u32| i128::from(amount.nanos()) * i128::from(percent) / 100;
    let within = |percent: &u32| {
        let bound = at(*percent);
        i128::from(spent.before.nanos()) < bound && bound <= i128::from(spent.after.nanos())
    };
    thresholds.iter().copied().filter(within).collect()
}
