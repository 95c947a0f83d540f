//! Orders: what a customer asked to pay, bound to processor, account, amount and currency before the processor hears of it.

use ledger::{BalanceKind, Payment, Split, TopUp};
use types::{AccountId, Money, Timestamp};

use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError};

/// Most orders of one list.
pub const ORDERS_LISTED_MAX: i64 = 200;

/// How an order came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// A customer at the processor's page.
    Checkout,
    /// By itself, with a payment method that was saved.
    Auto,
}

impl OrderKind {
    /// The name in the store: `auto`.
    pub const fn name(self) -> &'static str {
        match self {
            OrderKind::Checkout => "checkout",
            OrderKind::Auto => "auto",
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// The processor may not know of it yet.
    Created,
    /// The processor waits for the customer.
    Open,
    /// Paid, and credited.
    Paid,
    /// Not paid. A payment that comes all the same is credited.
    Failed,
}

impl OrderStatus {
    const ALL: [OrderStatus; 4] =
        [OrderStatus::Created, OrderStatus::Open, OrderStatus::Paid, OrderStatus::Failed];

    /// The name in the store: `open`.
    pub const fn name(self) -> &'static str {
        match self {
            OrderStatus::Created => "created",
            OrderStatus::Open => "open",
            OrderStatus::Paid => "paid",
            OrderStatus::Failed => "failed",
        }
    }
}

/// An order to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// `ord_...`, random.
    pub id: String,
    /// Who pays.
    pub account: AccountId,
    /// With whom: `stripe`.
    pub processor: &'static str,
    /// How it came about.
    pub kind: OrderKind,
    /// Into which balance.
    pub balance: BalanceKind,
    /// What is paid, kept and credited.
    pub top_up: TopUp,
    /// The rule for refunds of its fee.
    pub refund_fees: bool,
    /// Whether its payment method is to be kept for automatic top-ups.
    pub saves_method: bool,
    /// The key, or who else asked for it.
    pub created_by: String,
    /// When.
    pub created: Timestamp,
}

/// A stored order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Who pays.
    pub account: AccountId,
    /// With whom.
    pub processor: String,
    /// How it came about.
    pub kind: OrderKind,
    /// Into which balance.
    pub balance: BalanceKind,
    /// Always `usd`.
    pub currency: String,
    /// What is paid, kept and credited.
    pub top_up: TopUp,
    /// The rule for refunds of its fee.
    pub refund_fees: bool,
    /// Whether its payment method is to be kept.
    pub saves_method: bool,
    /// Where it stands.
    pub status: OrderStatus,
    /// The processor's id of the page.
    pub session: Option<String>,
    /// The processor's id of the payment.
    pub payment: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was paid.
    pub paid: Option<Timestamp>,
    /// What the processor paid back in all.
    pub refunded: Money,
    /// What banks have taken back.
    pub disputed: Money,
    /// How much of both is booked.
    pub booked_back: Money,
    /// Credit that waits for a refund.
    pub set_aside: Money,
    /// Entries beside the top-up's so far.
    pub steps: i64,
}

decode_row!(Order, |row| {
    let named = |text: String| sqlx::Error::Decode(format!("an order holds `{text}`").into());
    let money = |at: usize| -> sqlx::Result<Money> { Ok(Money::from_nanos(row.try_get(at)?)) };
    let kind: String = row.try_get(3)?;
    let balance: String = row.try_get(4)?;
    let status: String = row.try_get(11)?;
    let ppm = u32::try_from(row.try_get::<i64, _>(9)?).unwrap_or_default();
    Ok(Order {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        processor: row.try_get(2)?,
        kind: if kind == "auto" { OrderKind::Auto } else { OrderKind::Checkout },
        balance: BalanceKind::named(&balance).ok_or_else(|| named(balance))?,
        currency: row.try_get(5)?,
        top_up: TopUp {
            total: money(6)?,
            fee: money(7)?,
            credited: money(8)?,
            percent: ledger::Percent::from_ppm(ppm).unwrap_or_default(),
        },
        refund_fees: row.try_get(10)?,
        status: OrderStatus::ALL.into_iter().find(|s| s.name() == status).ok_or_else(|| named(status))?,
        session: row.try_get(12)?,
        payment: row.try_get(13)?,
        created: Timestamp(row.try_get(14)?),
        paid: row.try_get::<Option<i64>, _>(15)?.map(Timestamp),
        refunded: money(16)?,
        disputed: money(17)?,
        booked_back: money(18)?,
        set_aside: money(19)?,
        steps: row.try_get(20)?,
        saves_method: row.try_get(21)?,
    })
});

macro_rules! order_columns {
    () => {
        "id, account, processor, kind, balance, currency, total, fee, credited, percent, refund_fees, status, session,
            payment, created, paid, refunded, disputed, booked_back, set_aside, steps, saves_method"
    };
}

impl Order {
    /// As the books see it.
    pub fn as_payment(&self) -> Payment {
        Payment {
            processor: self.processor.clone(),
            account: self.account.clone(),
            balance: self.balance,
            credited: self.top_up.credited,
            fee: self.top_up.fee,
        }
    }

    /// How a sum that went back splits.
    pub fn split(&self, returned: Money) -> Split {
        Split::of(returned, self.top_up.credited, self.top_up.fee, self.refund_fees)
    }

    /// Credit of it that has not gone back.
    pub fn credit_left(&self) -> Money {
        let back = self.split(self.refunded.saturating_add(self.disputed)).credit;
        self.top_up.credited.saturating_sub(back)
    }
}

impl Store {
    /// Stores an order. [`StoreError::NotFound`]: no such account.
    pub async fn insert_order(&self, new: &NewOrder) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        insert(&mut tx, new).await?;
        tx.commit().await
    }

    /// The processor knows it now, under this id.
    pub async fn open_order(&self, id: &str, session: &str) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE payment_orders SET session = COALESCE(session, $2),
                status = CASE WHEN status = 'created' THEN 'open' ELSE status END WHERE id = $1";
        tx.execute(sql, &[id.into(), session.into()]).await?;
        tx.commit().await
    }

    /// The processor works on its payment, under this id: it must not be asked for another.
    pub async fn note_payment(&self, id: &str, payment: &str) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE payment_orders SET payment = COALESCE(payment, $2),
                status = CASE WHEN status = 'created' THEN 'open' ELSE status END WHERE id = $1";
        tx.execute(sql, &[id.into(), payment.into()]).await?;
        tx.commit().await
    }

    /// An order, of one account or of any. [`StoreError::NotFound`] also when it is another account's.
    pub async fn order(&self, id: &str, account: Option<&AccountId>) -> Result<Order, StoreError> {
        let sql = concat!("SELECT ", order_columns!(), " FROM payment_orders WHERE id = $1");
        let rows: Vec<Order> = self.db.fetch(sql, &[id.into()]).await?;
        let mine = rows.into_iter().find(|order| account.is_none_or(|account| *account == order.account));
        mine.ok_or_else(|| StoreError::NotFound("order".to_owned()))
    }

    /// The latest orders, of one account or of all, newest first.
    pub async fn orders(&self, account: Option<&AccountId>) -> Result<Vec<Order>, StoreError> {
        let sql = concat!(
            "SELECT ",
            order_columns!(),
            " FROM payment_orders WHERE $1 = '' OR account = $1 ORDER BY created DESC, id LIMIT $2"
        );
        let account = account.map_or("", AccountId::as_str);
        self.db.fetch(sql, &[account.into(), ORDERS_LISTED_MAX.into()]).await
    }
}

/// Writes a new order.
pub(crate) async fn insert(tx: &mut Tx, new: &NewOrder) -> Result<(), StoreError> {
    let sql = "INSERT INTO payment_orders (id, account, processor, kind, balance, currency, total, fee, credited, percent,
            refund_fees, saves_method, status, created, created_by, refunded, disputed, booked_back, set_aside, steps)
        VALUES ($1, $2, $3, $4, $5, 'usd', $6, $7, $8, $9, $10, $11, 'created', $12, $13, 0, 0, 0, 0, 0)";
    let TopUp { total, fee, credited, percent } = new.top_up;
    let values: [Value<'_>; 13] = [
        new.id.as_str().into(),
        new.account.as_str().into(),
        new.processor.into(),
        new.kind.name().into(),
        new.balance.name().into(),
        total.into(),
        fee.into(),
        credited.into(),
        i64::from(percent.ppm()).into(),
        Value::Bool(new.refund_fees),
        Value::Bool(new.saves_method),
        new.created.micros().into(),
        new.created_by.as_str().into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}

pub(crate) async fn fail(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let sql = "UPDATE payment_orders SET status = 'failed' WHERE id = $1 AND status <> 'paid'";
    tx.execute(sql, &[id.into()]).await?;
    let free = "UPDATE auto_top_ups SET in_flight = NULL WHERE in_flight = $1";
    tx.execute(free, &[id.into()]).await.map(drop)
}

/// Locks the order's row until the commit, and reads it: from here on nobody else changes it.
pub(crate) async fn lock(tx: &mut Tx, id: &str) -> Result<Option<Order>, StoreError> {
    let sql = concat!("UPDATE payment_orders SET steps = steps WHERE id = $1 RETURNING ", order_columns!());
    Ok(tx.fetch(sql, &[id.into()]).await?.into_iter().next())
}

/// The order of a processor's payment.
pub(crate) async fn of_payment(
    tx: &mut Tx,
    processor: &str,
    payment: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT id FROM payment_orders WHERE processor = $1 AND payment = $2";
    let rows: Vec<(String,)> = tx.fetch(sql, &[processor.into(), payment.into()]).await?;
    Ok(rows.into_iter().next().map(|row| row.0))
}

/// Writes what may change back.
pub(crate) async fn update(tx: &mut Tx, order: &Order) -> Result<(), StoreError> {
    let sql = "UPDATE payment_orders SET status = $2, payment = $3, paid = $4, refunded = $5, disputed = $6,
            booked_back = $7, set_aside = $8, steps = $9 WHERE id = $1";
    let values: [Value<'_>; 9] = [
        order.id.as_str().into(),
        order.status.name().into(),
        Value::OptText(order.payment.as_deref()),
        Value::OptInt(order.paid.map(Timestamp::micros)),
        order.refunded.into(),
        order.disputed.into(),
        order.booked_back.into(),
        order.set_aside.into(),
        order.steps.into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}
