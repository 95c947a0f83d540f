//! Use by everybody, as the public may see it: ranked, compared with the time before, and folded where few would be recognized.
//!
//! - A name is shown where enough accounts and requests stand behind it ([`RankingRules`]); the rest is one row without names. Use by the
//!   owner's account alone is shown whatever its accounts: who runs the place decides that by switching rankings off.
//! - Keys that stay out are in no number at all, totals included: what is asked for has none of them.
//! - What it is compared with has to be as public as what is compared, else the change is not told.
//! - Who runs the place sees every name, and spend.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::{Money, OWNER_ACCOUNT};

use crate::format::{self, Shown};

/// What callers beyond the apps that are kept apart count under.
const OTHER_APPS: &str = "(other)";

/// Who looks at a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody that we know.
    #[default]
    Anyone,
    /// Somebody with an account here.
    SignedIn,
    /// Somebody who runs the place.
    Operator,
}

/// Who may see rankings and apps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    #[default]
    Public,
    /// Who is signed in.
    SignedIn,
    /// Only who runs the place.
    Off,
}

/// What of everybody's use is shown to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankingRules {
    /// Who may see it.
    pub audience: Audience,
    /// Spend is shown to all of them, else to who runs the place only.
    pub has_spend: bool,
    /// A name that fewer accounts stand behind is not shown.
    pub accounts_min: usize,
    /// A name with fewer requests is not shown.
    pub requests_min: u64,
}

impl Default for RankingRules {
    fn default() -> RankingRules {
        RankingRules { audience: Audience::Public, has_spend: false, accounts_min: 3, requests_min: 10 }
    }
}

/// What somebody gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Nothing is folded.
    pub(crate) is_whole: bool,
    pub(crate) has_spend: bool,
    pub(crate) rules: RankingRules,
}

impl View {
    /// What the rules let somebody see; an error: why they see nothing.
    pub(crate) fn of(rules: RankingRules, viewer: Viewer) -> Result<View, &'static str> {
        let is_whole = viewer == Viewer::Operator;
        match (rules.audience, viewer) {
            (_, Viewer::Operator) | (Audience::Public, _) | (Audience::SignedIn, Viewer::SignedIn) => {
                Ok(View { is_whole, has_spend: rules.has_spend || is_whole, rules })
            }
            (Audience::SignedIn, Viewer::Anyone) => {
                Err("They are shown to people with an account here: sign in first.")
            }
            (Audience::Off, _) => Err("Who runs this place keeps them to themselves."),
        }
    }

    fn shows(self, accounts: &BTreeSet<&str>, requests: u64) -> bool {
        let is_owners = accounts.len() == 1 && accounts.contains(OWNER_ACCOUNT);
        self.is_whole
            || (requests >= self.rules.requests_min
                && (accounts.len() >= self.rules.accounts_min || is_owners))
    }
}

/// What use is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UseBy {
    /// The concrete model.
    Model,
    /// The app.
    App,
    /// The kind of work that a virtual model guessed.
    Task,
}

/// What is asked of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UseAsk {
    /// What it is told apart by.
    pub by: UseBy,
    /// So many days, today the last of them.
    pub days: i64,
    /// Only use of this model.
    pub model: Option<String>,
    /// Only use by these apps, as they are stored; empty: by all.
    pub apps: Vec<String>,
}

impl UseAsk {
    /// Of everybody and everything.
    pub fn all(by: UseBy, days: i64) -> UseAsk {
        UseAsk { by, days, model: None, apps: Vec::new() }
    }
}

/// Use of one value by one account on one day. Keys that stay out are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseRow {
    /// Of what it is told apart by; empty where there is none.
    pub value: String,
    /// Whose: counted, never shown.
    pub account: String,
    /// Days since 1970, UTC.
    pub day: i64,
    /// What was used.
    pub sums: UseSums,
}

/// Sums of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UseSums {
    /// Requests.
    pub requests: u64,
    /// Tokens in.
    pub input: u64,
    /// Tokens out.
    pub output: u64,
    /// What was charged.
    pub charged: Money,
}

impl UseSums {
    /// Tokens in and out.
    pub fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    fn add(&mut self, other: &UseSums) {
        self.requests = self.requests.saturating_add(other.requests);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.charged = self.charged.saturating_add(other.charged);
    }
}

/// Days over which it is counted what is read from caches.
pub const CACHE_DAYS: i64 = 30;

/// What of the input was read from caches, by model.
pub type CacheUses = HashMap<String, Vec<CacheUse>>;

/// What of the input of one model at one provider was read from its cache, for one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// The provider's slug.
    pub provider: String,
    /// Whose: counted, never shown.
    pub account: String,
    /// Requests.
    pub requests: u64,
    /// Tokens in, of every kind.
    pub input: u64,
    /// Those of them that were read from the cache.
    pub cache_read: u64,
}

/// The same of all accounts: provider, requests, tokens read, tokens in. Providers that too few use are left out.
pub(crate) fn cached(uses: &[CacheUse], view: View) -> Vec<(&str, u64, u64, u64)> {
    let mut all: BTreeMap<&str, (BTreeSet<&str>, u64, u64, u64)> = BTreeMap::new();
    for one in uses.iter().filter(|one| one.requests > 0) {
        let (accounts, requests, read, input) = all.entry(&one.provider).or_default();
        accounts.insert(&one.account);
        *requests = requests.saturating_add(one.requests);
        *read = read.saturating_add(one.cache_read);
        *input = input.saturating_add(one.input);
    }
    let shown = all.into_iter().filter(|(_, (accounts, requests, ..))| view.shows(accounts, *requests));
    shown.map(|(provider, (_, requests, read, input))| (provider, requests, read, input)).collect()
}

/// A span of whole days; the last may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) today: i64,
    pub(crate) days: i64,
    /// Days of the chart.
    pub(crate) charted: i64,
}

impl Window {
    pub(crate) fn first(self) -> i64 {
        self.today - self.days + 1
    }

    fn first_before(self) -> i64 {
        self.first() - self.days
    }

    pub(crate) fn first_charted(self) -> i64 {
        self.today - self.charted + 1
    }

    /// Days that have to be asked for.
    pub(crate) fn asked(self) -> i64 {
        self.charted.max(self.days * 2)
    }
}

/// A place in the ranking.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rank {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) now: UseSums,
    /// `None`: too few stand behind it.
    pub(crate) before: Option<UseSums>,
    pub(crate) accounts: usize,
    /// Tokens of each charted day, oldest first.
    pub(crate) days: Vec<u64>,
}

/// Everybody's use of some span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranking {
    /// Most tokens first.
    pub(crate) ranks: Vec<Rank>,
    /// What is folded; no name.
    pub(crate) other: Option<Rank>,
    /// How many names are in `other`.
    pub(crate) folded: usize,
    pub(crate) total: UseSums,
    /// Behind all of it.
    pub(crate) accounts: usize,
}

#[derive(Default)]
struct Gathered<'a> {
    now: UseSums,
    before: UseSums,
    accounts: BTreeSet<&'a str>,
    accounts_before: BTreeSet<&'a str>,
    days: Vec<u64>,
    /// Tokens by spelling.
    spellings: BTreeMap<&'a str, u64>,
}

/// Ranks use. `key` says what a value counts for; `None`: it is left out.
pub(crate) fn rank(
    rows: &[UseRow],
    window: Window,
    view: View,
    key: impl Fn(&str) -> Option<String>,
) -> Ranking {
    let mut all: HashMap<String, Gathered<'_>> = HashMap::new();
    let mut keys: HashMap<&str, Option<String>> = HashMap::new();
    let slots = usize::try_from(window.charted).unwrap_or_default();
    for row in rows {
        let known = keys.entry(&row.value).or_insert_with(|| key(&row.value));
        let Some(key) = known else { continue };
        let gathered = all.entry(key.clone()).or_default();
        gathered.days.resize(slots, 0);
        if row.day >= window.first() && row.day <= window.today {
            gathered.now.add(&row.sums);
            gathered.accounts.insert(&row.account);
            *gathered.spellings.entry(&row.value).or_default() += row.sums.tokens() + 1;
        } else if row.day >= window.first_before() && row.day < window.first() {
            gathered.before.add(&row.sums);
            gathered.accounts_before.insert(&row.account);
        }
        let slot = usize::try_from(row.day - window.first_charted()).ok();
        if let Some(tokens) = slot.and_then(|slot| gathered.days.get_mut(slot)) {
            *tokens = tokens.saturating_add(row.sums.tokens());
        }
    }
    let mut everybody: BTreeSet<&str> = BTreeSet::new();
    let (mut ranking, mut rest) = (Ranking::default(), Gathered::default());
    for (key, gathered) in all {
        // What was used only before, or only on other days of the chart, has no place.
        if gathered.now.requests == 0 {
            continue;
        }
        everybody.extend(&gathered.accounts);
        ranking.total.add(&gathered.now);
        if view.shows(&gathered.accounts, gathered.now.requests) && key != OTHER_APPS {
            ranking.ranks.push(placed(key, &gathered, view));
        } else {
            ranking.folded += 1;
            rest.now.add(&gathered.now);
            rest.accounts.extend(&gathered.accounts);
            rest.days.resize(slots, 0);
            rest.days
                .iter_mut()
                .zip(&gathered.days)
                .for_each(|(sum, tokens)| *sum = sum.saturating_add(*tokens));
        }
    }
    ranking.accounts = everybody.len();
    let order = |one: &Rank, other: &Rank| {
        let by = |rank: &Rank| (rank.now.tokens(), rank.now.requests);
        by(other).cmp(&by(one)).then_with(|| one.key.cmp(&other.key))
    };
    ranking.ranks.sort_by(order);
    if ranking.folded > 0 {
        let accounts = rest.accounts.len();
        ranking.other = Some(Rank { now: rest.now, accounts, days: rest.days, ..Rank::default() });
    }
    ranking
}

fn placed(key: String, gathered: &Gathered<'_>, view: View) -> Rank {
    let spelling =
        gathered.spellings.iter().max_by_key(|(name, tokens)| (**tokens, std::cmp::Reverse(**name)));
    let was_nothing = gathered.before.requests == 0;
    let is_told = was_nothing || view.shows(&gathered.accounts_before, gathered.before.requests);
    Rank {
        name: spelling.map_or_else(|| key.clone(), |(name, _)| (*name).to_owned()),
        key,
        now: gathered.now,
        before: is_told.then_some(gathered.before),
        accounts: gathered.accounts.len(),
        days: gathered.days.clone(),
    }
}

/// How tokens changed: `+12%`, `new`.
pub(crate) fn change(rank: &Rank) -> Shown {
    let Some(before) = rank.before else { return Shown::unknown() };
    let (now, before) = (rank.now.tokens(), before.tokens());
    if before == 0 {
        return Shown::both("new", "nothing in the period before");
    }
    let exact = format!("{} tokens in the period before", format::count(before));
    let tenths = (i128::from(now) - i128::from(before)) * 1_000 / i128::from(before);
    let sign = if tenths < 0 { "−" } else { "+" };
    let short = match tenths.unsigned_abs() {
        0 => "0%".to_owned(),
        size @ 1..100 => format!("{sign}{}.{}%", size / 10, size % 10),
        size @ 100..10_000 => format!("{sign}{}%", size / 10),
        size => format!("{sign}{}×", format::count(u64::try_from(size / 1_000).unwrap_or(u64::MAX))),
    };
    Shown::both(short, exact)
}

/// The part of an app's address that names it: what differs only in case, spaces and marks is one app. `None`: it has no letter.
pub(crate) fn app_slug(name: &str) -> Option<String> {
    if name == OTHER_APPS {
        return Some(OTHER_APPS.to_owned());
    }
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests;
