//! What a payment processor says, taken into the books: once, whatever comes how often and in which order.
//!
//! - An event's id is inserted first; who comes second finds it and changes nothing.
//! - Then the order's row is locked, a fixed target, and everything is decided from it and written before the commit.
//! - Credit follows only a payment that fits its order in processor, amount and currency. What does not fit is kept with its
//!   outcome, and changes nothing.
//! - What went back is kept as a sum. The books are brought up to the sum by the difference, so that repetition and order do
//!   not matter; before the payment itself is known nothing is booked.

use ledger::{Entry, EntryError, from_cents};
use types::{EntryId, Money, Timestamp};

use crate::db::Tx;
use crate::invoices::{self, Issue};
use crate::orders::{self, Order, OrderKind, OrderStatus};
use crate::{Store, StoreError, entries};

/// An event, in no processor's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose it is: `stripe`.
    pub processor: &'static str,
    /// The processor's id of the event.
    pub id: String,
    /// The processor's name of its kind.
    pub kind: String,
    /// What it says.
    pub says: Says,
}

/// What an event says. Amounts are cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// A payment arrived.
    Paid {
        /// The order that it names.
        order: String,
        /// Through the processor's page, or by a saved payment method.
        kind: OrderKind,
        /// The id of the page.
        session: Option<String>,
        /// The id of the payment.
        payment: Option<String>,
        /// The processor's id of the customer.
        customer: Option<String>,
        /// How much was paid.
        cents: i64,
        /// In which currency.
        currency: String,
    },
    /// A payment will not arrive.
    Failed {
        /// The order that it names.
        order: String,
    },
    /// This much of a payment was paid back in all.
    Returned {
        /// The order that it names.
        order: Option<String>,
        /// The id of the payment.
        payment: Option<String>,
        /// The sum of all refunds.
        cents: i64,
        /// In which currency.
        currency: String,
    },
    /// A bank takes, or gives back, a payment.
    Disputed {
        /// The order that it names.
        order: Option<String>,
        /// The id of the payment.
        payment: Option<String>,
        /// The processor's id of the dispute.
        dispute: String,
        /// How much of the payment.
        cents: i64,
        /// In which currency.
        currency: String,
        /// How it stands.
        state: Dispute,
    },
    /// Nothing that concerns the books.
    Nothing,
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispute {
    /// The bank has taken the money.
    Open,
    /// The bank keeps it.
    Lost,
    /// It came back, or was never taken.
    Won,
}

impl Dispute {
    const fn name(self) -> &'static str {
        match self {
            Dispute::Open => "open",
            Dispute::Lost => "lost",
            Dispute::Won => "won",
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// A stable name: `credited`, `duplicate`, `unknown_order`, `wrong_amount`.
    pub outcome: &'static str,
    /// The order that it is about, as it stands now.
    pub order: Option<Order>,
}

/// A refund that the processor is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPlan {
    /// The order.
    pub order: Order,
    /// Makes the request to the processor safe to repeat.
    pub key: String,
    /// Credit that was set aside.
    pub credit: Money,
    /// What is to be paid back.
    pub payment: Money,
    /// It was begun before: the processor may have done it.
    pub begun_before: bool,
}

impl Store {
    /// Takes an event in. `seller` is what invoices say of who issues them.
    pub async fn take_notice(
        &self,
        notice: &Notice,
        seller: &str,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO payment_events (processor, id, kind, received, outcome) VALUES ($1, $2, $3, $4, 'begun')
            ON CONFLICT (processor, id) DO NOTHING";
        let (id, kind): (&str, &str) = (&notice.id, &notice.kind);
        let values = [notice.processor.into(), id.into(), kind.into(), now.micros().into()];
        if tx.execute(sql, &values).await? == 0 {
            return Ok(Taken { outcome: "duplicate", order: None });
        }
        let taken = Taking { tx: &mut tx, notice, seller, now }.take().await?;
        let order = taken.order.as_ref().map(|order| order.id.as_str());
        let sql = "UPDATE payment_events SET outcome = $3, order_id = $4 WHERE processor = $1 AND id = $2";
        let order = crate::db::Value::OptText(order);
        tx.execute(sql, &[notice.processor.into(), id.into(), taken.outcome.into(), order]).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Sets credit of an order aside for a refund, `None`: all that is left of the order and of the balance. A refund that
    /// was begun and not ended is given again.
    ///
    /// # Errors
    /// `Invalid`: more than is left of the order or the balance, or an order that was not paid.
    pub async fn begin_refund(
        &self,
        id: &str,
        credit: Option<Money>,
        now: Timestamp,
    ) -> Result<RefundPlan, StoreError> {
        let mut tx = self.db.write().await?;
        let order = orders::lock(&mut tx, id).await?;
        let mut order = order.ok_or_else(|| StoreError::NotFound(format!("order `{id}`")))?;
        if order.status != OrderStatus::Paid || order.payment.is_none() {
            let status = order.status.name();
            return Err(StoreError::Invalid(format!(
                "order `{id}` is {status}; only one that was paid can be refunded"
            )));
        }
        if order.set_aside > Money::ZERO {
            if credit.is_some_and(|credit| credit != order.set_aside) {
                let waiting = order.set_aside;
                let why = format!(
                    "a refund of {waiting} USD of this order is not ended; repeat it without an amount"
                );
                return Err(StoreError::Conflict(why));
            }
            return Ok(plan(order, true));
        }
        let book = order.balance.book(&order.account).to_string();
        let credit = match credit {
            Some(credit) => credit,
            None => order.credit_left().min(ledger::whole_cents(balance_of(&mut tx, &book).await?)),
        };
        if credit <= Money::ZERO || credit > order.credit_left() {
            let left = order.credit_left();
            return Err(StoreError::Invalid(format!(
                "{credit} USD can't be refunded: {left} USD are left of the order"
            )));
        }
        if ledger::cents(credit).is_none() && credit != order.credit_left() {
            return Err(StoreError::Invalid(format!("{credit} USD can't be refunded: whole cents only")));
        }
        order.steps += 1;
        order.set_aside = credit;
        let entry_id = EntryId::new(format!("aside:{}:{}", order.id, order.steps));
        let entry = order.as_payment().set_aside(credit, entry_id, now).map_err(invalid)?;
        entries::book(&mut tx, &entry, Some("set aside for a refund")).await?;
        let balance = balance_of(&mut tx, &book).await?;
        if balance.is_negative() {
            let left = balance.saturating_add(credit);
            return Err(StoreError::Invalid(format!(
                "{credit} USD can't be refunded: the balance is {left} USD"
            )));
        }
        orders::update(&mut tx, &order).await?;
        tx.commit().await?;
        Ok(plan(order, false))
    }

    /// The processor refused: what was set aside goes back to the balance.
    pub async fn cancel_refund(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let order = orders::lock(&mut tx, id).await?;
        let mut order = order.ok_or_else(|| StoreError::NotFound(format!("order `{id}`")))?;
        give_back(&mut tx, &mut order, now).await?;
        orders::update(&mut tx, &order).await?;
        tx.commit().await
    }

    /// The balance of a book account; zero where nothing was ever booked.
    pub async fn book_balance(&self, account: &ledger::BookAccount) -> Result<Money, StoreError> {
        let sql = "SELECT balance FROM book_balances WHERE account = $1";
        let rows: Vec<(i64,)> = self.db.fetch(sql, &[account.to_string().into()]).await?;
        Ok(rows.first().map_or(Money::ZERO, |row| Money::from_nanos(row.0)))
    }
}

/// What the processor is to be asked for, which the stored order determines: the same whenever it is asked again.
fn plan(order: Order, begun_before: bool) -> RefundPlan {
    let credit = order.set_aside;
    let back = order.refunded.saturating_add(order.disputed);
    let left = order.top_up.total.saturating_sub(back);
    let all = order.refund_fees && credit == order.credit_left();
    let part = ledger::Split::payment_for(credit, order.top_up.credited, order.top_up.fee, order.refund_fees);
    let payment = if all { left } else { part.min(left) };
    let key = format!("refund-{}-{}", order.id, order.steps);
    RefundPlan { key, credit, payment, order, begun_before }
}

async fn balance_of(tx: &mut Tx, book: &str) -> Result<Money, StoreError> {
    let sql = "SELECT balance FROM book_balances WHERE account = $1";
    let rows: Vec<(i64,)> = tx.fetch(sql, &[book.into()]).await?;
    Ok(rows.first().map_or(Money::ZERO, |row| Money::from_nanos(row.0)))
}

async fn give_back(tx: &mut Tx, order: &mut Order, now: Timestamp) -> Result<(), StoreError> {
    if order.set_aside == Money::ZERO {
        return Ok(());
    }
    order.steps += 1;
    let id = EntryId::new(format!("aside:{}:{}", order.id, order.steps));
    let entry = order.as_payment().set_aside(order.set_aside.negated(), id, now).map_err(invalid)?;
    order.set_aside = Money::ZERO;
    entries::book(tx, &entry, Some("not refunded")).await
}

fn invalid(error: EntryError) -> StoreError {
    StoreError::Invalid(error.to_string())
}

struct Taking<'a> {
    tx: &'a mut Tx,
    notice: &'a Notice,
    seller: &'a str,
    now: Timestamp,
}

impl Taking<'_> {
    async fn take(&mut self) -> Result<Taken, StoreError> {
        let notice = self.notice;
        match &notice.says {
            Says::Nothing => Ok(Taken { outcome: "ignored", order: None }),
            Says::Failed { order } => match self.find(Some(order), None).await? {
                Ok(order) => self.failed(order).await,
                Err(outcome) => Ok(Taken { outcome, order: None }),
            },
            Says::Paid { order, .. } => match self.find(Some(order), None).await? {
                Ok(order) => self.paid(order).await,
                Err(outcome) => Ok(Taken { outcome, order: None }),
            },
            Says::Returned { order, payment, .. } | Says::Disputed { order, payment, .. } => {
                match self.find(order.as_deref(), payment.as_deref()).await? {
                    Ok(order) => self.back(order).await,
                    Err(outcome) => Ok(Taken { outcome, order: None }),
                }
            }
        }
    }

    /// The order, locked; by its id, else by its payment. The error is an outcome.
    async fn find(
        &mut self,
        order: Option<&str>,
        payment: Option<&str>,
    ) -> Result<Result<Order, &'static str>, StoreError> {
        let by_payment = match payment {
            Some(payment) => orders::of_payment(self.tx, self.notice.processor, payment).await?,
            None => None,
        };
        let Some(id) = by_payment.as_deref().or(order) else { return Ok(Err("unknown_order")) };
        let Some(order) = orders::lock(self.tx, id).await? else { return Ok(Err("unknown_order")) };
        if order.processor != self.notice.processor {
            return Ok(Err("other_processor"));
        }
        let other =
            |known: &Option<String>| matches!((known, payment), (Some(known), Some(said)) if known != said);
        if other(&order.payment) {
            return Ok(Err("other_payment"));
        }
        Ok(Ok(order))
    }

    async fn failed(&mut self, mut order: Order) -> Result<Taken, StoreError> {
        if order.status == OrderStatus::Paid {
            return Ok(Taken { outcome: "paid_before", order: Some(order) });
        }
        orders::fail(self.tx, &order.id).await?;
        order.status = OrderStatus::Failed;
        Ok(Taken { outcome: "failed", order: Some(order) })
    }

    async fn paid(&mut self, mut order: Order) -> Result<Taken, StoreError> {
        let Says::Paid { kind, session, payment, customer, cents, currency, .. } = &self.notice.says else {
            return Ok(Taken { outcome: "ignored", order: None });
        };
        if *kind != order.kind {
            return Ok(Taken { outcome: "other_kind", order: Some(order) });
        }
        if order.status == OrderStatus::Paid {
            return Ok(Taken { outcome: "paid_before", order: Some(order) });
        }
        let other = |known: &Option<String>, said: &Option<String>| known.is_some() && known != said;
        if other(&order.session, session) || other(&order.payment, payment) {
            return Ok(Taken { outcome: "other_payment", order: Some(order) });
        }
        if !currency.eq_ignore_ascii_case(&order.currency) {
            return Ok(Taken { outcome: "wrong_currency", order: Some(order) });
        }
        if from_cents(*cents) != Some(order.top_up.total) {
            return Ok(Taken { outcome: "wrong_amount", order: Some(order) });
        }
        if let Some(payment) = payment
            && orders::of_payment(self.tx, self.notice.processor, payment)
                .await?
                .is_some_and(|o| o != order.id)
        {
            return Ok(Taken { outcome: "other_payment", order: Some(order) });
        }
        order.status = OrderStatus::Paid;
        order.payment = order.payment.take().or_else(|| payment.clone());
        order.paid = Some(self.now);
        let id = EntryId::new(format!("topup:{}", order.id));
        let entry = order.as_payment().received(id, self.now).map_err(invalid)?;
        self.book(&entry).await?;
        let (credit, fee) = (order.top_up.credited, order.top_up.fee);
        let issue = Issue { order: &order, seller: self.seller, credit, fee, corrects: false, at: self.now };
        invoices::issue(self.tx, &issue).await?;
        self.catch_up(&mut order).await?;
        orders::update(self.tx, &order).await?;
        let free = "UPDATE auto_top_ups SET in_flight = NULL WHERE in_flight = $1";
        self.tx.execute(free, &[order.id.as_str().into()]).await?;
        if let Some(customer) = customer.as_deref().filter(|_| order.saves_method) {
            crate::auto_top_up::save_method(self.tx, &order, customer, self.now).await?;
        }
        Ok(Taken { outcome: "credited", order: Some(order) })
    }

    /// More of it went back, or less.
    async fn back(&mut self, mut order: Order) -> Result<Taken, StoreError> {
        let (cents, currency) = match &self.notice.says {
            Says::Returned { cents, currency, .. } | Says::Disputed { cents, currency, .. } => {
                (*cents, currency)
            }
            _ => return Ok(Taken { outcome: "ignored", order: None }),
        };
        if !currency.eq_ignore_ascii_case(&order.currency) {
            return Ok(Taken { outcome: "wrong_currency", order: Some(order) });
        }
        let Some(amount) = from_cents(cents).filter(|amount| !amount.is_negative()) else {
            return Ok(Taken { outcome: "wrong_amount", order: Some(order) });
        };
        let outcome = match &self.notice.says {
            Says::Disputed { dispute, state, .. } => {
                self.dispute(&order, dispute, amount, *state).await?;
                let sql = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM payment_disputes
                    WHERE order_id = $1 AND state <> 'won'";
                let rows: Vec<(i64,)> = self.tx.fetch(sql, &[order.id.as_str().into()]).await?;
                order.disputed = rows.first().map_or(Money::ZERO, |row| Money::from_nanos(row.0));
                "disputed"
            }
            _ if amount <= order.refunded => return Ok(Taken { outcome: "nothing_new", order: Some(order) }),
            _ => {
                order.refunded = amount;
                "refunded"
            }
        };
        self.catch_up(&mut order).await?;
        orders::update(self.tx, &order).await?;
        Ok(Taken { outcome, order: Some(order) })
    }

    /// A dispute goes from open to won or lost, and never back.
    async fn dispute(
        &mut self,
        order: &Order,
        id: &str,
        amount: Money,
        state: Dispute,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO payment_disputes (processor, id, order_id, amount, state) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (processor, id) DO UPDATE SET state = excluded.state
            WHERE payment_disputes.state = 'open' AND payment_disputes.order_id = excluded.order_id";
        let processor = self.notice.processor;
        let values =
            [processor.into(), id.into(), order.id.as_str().into(), amount.into(), state.name().into()];
        self.tx.execute(sql, &values).await.map(drop)
    }

    /// Brings the books up to what went back, once the payment itself is in them.
    async fn catch_up(&mut self, order: &mut Order) -> Result<(), StoreError> {
        let back = order.refunded.saturating_add(order.disputed);
        if order.status != OrderStatus::Paid || back == order.booked_back {
            return Ok(());
        }
        let (before, now) = (order.split(order.booked_back), order.split(back));
        let id = EntryId::new(format!("return:{}:{}", order.id, order.steps + 1));
        let entry =
            order.as_payment().returned((before, now), order.set_aside, id, self.now).map_err(invalid)?;
        let more = now.credit.saturating_sub(before.credit).max(Money::ZERO);
        order.set_aside = order.set_aside.saturating_sub(order.set_aside.min(more));
        order.booked_back = back;
        if let Some(entry) = entry {
            order.steps += 1;
            self.book(&entry).await?;
        }
        let is_refund = matches!(self.notice.says, Says::Returned { .. } | Says::Paid { .. });
        let fee = now.fee.saturating_sub(before.fee);
        if is_refund && (more > Money::ZERO || fee > Money::ZERO) {
            let issue = Issue { order, seller: self.seller, credit: more, fee, corrects: true, at: self.now };
            invoices::issue(self.tx, &issue).await?;
        }
        if is_refund {
            // Rounding may leave a cent of what was set aside.
            give_back(self.tx, order, self.now).await?;
        }
        Ok(())
    }

    async fn book(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let reason = format!("{} {}", self.notice.processor, self.notice.id);
        entries::book(self.tx, entry, Some(&reason)).await
    }
}
