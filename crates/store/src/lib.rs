//! The store: accounts, keys, named rules, generations and the books, on SQLite or Postgres. The only crate that contains SQL.
//!
//! - One SQL text serves both databases; `dialect.rs` holds the few differences, `db.rs` runs statements on either.
//! - Every write is one transaction. Dropping a call in the midst of it changes nothing.
//! - Where two writers can meet, the statement itself decides (`ON CONFLICT`, `UPDATE ... WHERE`), never a read before it.
//! - Rows are locked in one order everywhere: segment, price versions, payment event, order or voucher, generations, head of the
//!   chain, entries, balances, days of credit, invoice counter, activity by day and hour, the lock on facets, facets, traffic, attempts, log, change counter. Within a table rows are touched in the order of their
//!   keys.

mod accounts;
mod activity;
mod alerts;
mod alike;
mod announcements;
mod audit;
mod auto_top_up;
mod budgets;
mod byok;
mod catalog_seen;
mod chain;
mod changes;
mod contents;
mod corrections;
mod db;
mod dialect;
mod earned;
mod entries;
mod erasure;
mod error;
mod facets;
mod fee_income;
mod feedback;
mod fold;
mod generations;
mod identities;
mod insight;
mod invoices;
mod keys;
mod log;
mod measures;
mod migrate;
mod orders;
mod organizations;
mod payments;
mod people;
mod provider_keys;
mod provider_use;
mod ratings;
mod responses;
mod rollups;
mod rules;
mod second_factor;
mod segments;
mod sketch;
mod spending;
mod state;
mod statement;
mod traffic;
mod used;
mod verify;
mod vouchers;

pub use accounts::{AccountTotals, Balance, Credits, TotalsChanged};
pub use activity::ActivityRow;
pub use alerts::{Alert, Delivery, Webhook};
pub use announcements::{ANNOUNCEMENTS_MAX, Announcement};
pub use audit::{AUDIT_PAGE_ROWS, Act, ActRow, AuditReport};
pub use auto_top_up::{AutoTopUp, AutoTopUpRules, Due};
pub use budgets::{BUDGETS_MAX, BudgetRow};
pub use byok::{BYOK_KEYS_MAX, ByokBalance, ByokChanges, ByokCredited, ByokRow, ByokTotals, ByokUsage};
pub use catalog_seen::{CatalogSeen, ModelUse, PriceChangeRow};
pub use contents::{Content, Privacy};
pub use corrections::{Corrected, PriceVersion, Rerate, RerateStep, Rerated};
pub use earned::{EarnedBy, EarnedRow};
pub use erasure::Exported;
pub use error::StoreError;
pub use facets::{DIMENSION, DIMENSIONS_MAX, OTHER, VALUES_PER_DAY_MAX, VALUES_PER_HOUR_MAX};
pub use fee_income::{Earned, FeeIncome};
pub use feedback::FEEDBACK_BYTES_MAX;
pub use fold::Folded;
pub use generations::PAGE_ROWS;
pub use identities::{Identity, SignIn};
pub use invoices::{INVOICES_LISTED_MAX, Invoice};
pub use keys::{KeyEdit, KeyRow, NewKey, Rotation};
pub use log::{
    LOG_PAGE_MAX, LOG_SCAN_ROWS, LOG_TOTALS_ROWS, Listed, LogCursor, LogFilter, LogNumber, LogPage, LogText,
    LogTotals, Said,
};
pub use measures::{Figures, Measure, Spread, Sums};
pub use orders::{NewOrder, ORDERS_LISTED_MAX, Order, OrderKind, OrderStatus};
pub use organizations::{Invited, Member, Organization, Project, ServiceAccount};
pub use payments::{Dispute, Notice, RefundPlan, Says, Taken};
pub use people::{MailedToken, Presence, Session, User};
pub use provider_keys::ProviderKey;
pub use provider_use::ProviderUse;
pub use ratings::{
    BY_REPORTS, Hidden, Moderation, NewRating, NewReport, Queue, QueueAt, Queued, Rating, RatingAt,
    RatingPage, Report,
};
pub use responses::{CHAIN_MAX, StoredResponse};
pub use rules::{
    RULE_BYTES_MAX, RULES_MAX, RuleKind, RuleName, RuleRow, SLUG_BYTES_MAX, Written, check_slug,
};
pub use second_factor::SecondFactor;
pub use sketch::Sketch;
pub use state::{Connections, StoreState};
pub use statement::{Movement, Statement};
pub use traffic::{
    APPS_PER_DAY_MAX, CacheUseRow, EndpointRow, PublicDefault, Tally, TrafficBy, TrafficQuestion, TrafficRow,
    TrafficSums,
};
pub use used::{By, Filter, Question, ROWS_MAX, UsedRow};
pub use verify::{Noted, Problem, Progress, VerifyReport};
pub use vouchers::{NewVoucher, Redeemed, Redemption, Voucher};

use db::Db;

/// Which database is behind a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file of this machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// An open store. Share it by reference or `Arc`.
pub struct Store {
    db: Db,
}

impl Store {
    /// Opens `sqlite:PATH` (file and folder are made when missing) or `postgres://...`, and brings the schema up to date.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let db = dialect::open(url).await?;
        migrate::run(&db).await?;
        let store = Store { db };
        store.catch_up().await?;
        store.db.shrink().await?;
        Ok(store)
    }

    /// Opens a store to read it only: nothing is made, changed or caught up, so a copy of a database stays as it is.
    pub async fn open_to_read(url: &str) -> Result<Store, StoreError> {
        let db = dialect::open_to_read(url).await?;
        migrate::require(&db).await?;
        Ok(Store { db })
    }

    /// Which database it is.
    pub fn backend(&self) -> Backend {
        match self.db {
            Db::Sqlite { .. } => Backend::Sqlite,
            Db::Postgres(_) => Backend::Postgres,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.fetch::<(i64,)>("SELECT CAST(1 AS BIGINT)", &[]).await.map(drop)
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

#[cfg(test)]
mod tests;
