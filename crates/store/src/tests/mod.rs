//! Every test runs on SQLite and on Postgres: `both!` makes two of it. The Postgres half runs where
//! `TOLLWAY_TEST_POSTGRES_URL` names a server; with `TOLLWAY_TEST_REQUIRE_POSTGRES=1` its absence is a failure.

mod budgets;
mod byok;
mod catalog_seen;
mod chain;
mod contents;
mod corrections;
mod fold;
mod grants;
mod identities;
mod insight;
mod keys;
mod open;
mod operator;
mod organizations;
mod payments;
mod people;
mod provider_keys;
mod ratings;
mod responses;
mod rules;
mod tamper;
mod tampered;
mod traffic;
mod verify;

use std::sync::Arc;

use ledger::{BillingMode, GenerationRecord, Logged};
use types::{
    AccountId, EntryId, GenerationId, KeyHash, KeyId, Money, PriceKind, PriceSheet, Rate, Timestamp, Usage,
};

use crate::db::Value;
use crate::{NewKey, Store};

/// `both!(async fn name(store, url) { ... })`: `store` is an `Arc<Store>` on an empty database, `url` opens it again.
macro_rules! both {
    ($(async fn $name:ident($store:ident $(, $url:ident)?) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn on($store: std::sync::Arc<crate::Store>, url: String) {
                $(let $url = url.clone();)?
                let _ = url;
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", folder.path().join("data/tollway.db").display());
                on(std::sync::Arc::new(crate::Store::open(&url).await.unwrap()), url).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let name = concat!(module_path!(), "::postgres");
                if let Some(schema) = crate::tests::Schema::fresh(name).await {
                    on(std::sync::Arc::new(crate::Store::open(&schema.url).await.unwrap()), schema.url.clone()).await;
                    schema.remove().await;
                }
            }
        }
    )+};
}
pub(crate) use both;

/// A schema of its own for one test.
pub(crate) struct Schema {
    server: sqlx::PgPool,
    name: String,
    pub(crate) url: String,
}

impl Schema {
    pub(crate) async fn fresh(test: &str) -> Option<Schema> {
        let Ok(server_url) = std::env::var("TOLLWAY_TEST_POSTGRES_URL") else {
            let required = std::env::var("TOLLWAY_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(!required, "TOLLWAY_TEST_POSTGRES_URL is not set, and Postgres is required");
            eprintln!("{test}: not run, TOLLWAY_TEST_POSTGRES_URL is not set");
            return None;
        };
        let server = sqlx::PgPool::connect(&server_url).await.unwrap();
        // Postgres cuts names at 63 bytes, and the test's own name stands last.
        let plain: String = test.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let name = format!("t{}_{}", std::process::id(), &plain[plain.len().saturating_sub(50)..]);
        let mark = if server_url.contains('?') { '&' } else { '?' };
        let url = format!("{server_url}{mark}options[search_path]={name}");
        let schema = Schema { server, name, url };
        schema.run(format!("CREATE SCHEMA {}", schema.name)).await;
        Some(schema)
    }

    pub(crate) async fn remove(self) {
        self.run(format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }

    async fn run(&self, sql: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.server).await.unwrap();
    }
}

pub(crate) const NOW: Timestamp = Timestamp(1_779_358_422_000_000);

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::new(format!("acct_{name}"))
}

pub(crate) fn nanos(n: i64) -> Money {
    Money::from_nanos(n)
}

pub(crate) fn new_key(name: &str) -> NewKey {
    NewKey {
        id: KeyId::new(format!("key_{name}")),
        account: account("owner"),
        hash: KeyHash::of(name),
        label: format!("sk-tw-v1-{name}"),
        name: format!("name of {name}"),
        management: false,
        spend_limit: Some(nanos(5_000)),
        expires: None,
        requests_per_minute: Some(60),
        concurrency: None,
        created: NOW,
        project: None,
        rules: "{}".to_owned(),
        holder: None,
        role: None,
    }
}

/// A call of 1,000 tokens in and `n` out, at 0.15 and 0.60, so 150,000 + 600 n nano-dollars.
pub(crate) fn record(n: u64) -> GenerationRecord {
    let sheet = PriceSheet::flat([
        (PriceKind::Input, Rate::parse_per_million("0.15").unwrap()),
        (PriceKind::Output, Rate::parse_per_million("0.60").unwrap()),
    ]);
    let created = Timestamp(NOW.micros() + i64::try_from(n).unwrap());
    let usage = Usage { input: 1_000, output: n, requests: 1, ..Usage::default() };
    let cost = sheet.cost(&usage, created).unwrap();
    let id = GenerationId::new(created, u128::from(n));
    GenerationRecord {
        model: "mistralai/small".to_owned(),
        provider: "mistral".to_owned(),
        endpoint: "mistral/small".to_owned(),
        usage,
        provider_cost: cost.total,
        charged: cost.total,
        cost,
        mode: BillingMode::Prepaid,
        price_version: types::price_version("mistral/small", &serde_json::to_string(&sheet).unwrap()),
        price_sheet: Arc::new(sheet),
        ..GenerationRecord::new(id, created, account("owner"), KeyId::new("key_a"))
    }
}

pub(crate) fn records(n: std::ops::Range<u64>) -> Vec<GenerationRecord> {
    n.map(record).collect()
}

/// As they come out of a journal.
pub(crate) fn logged(records: &[GenerationRecord]) -> Vec<Logged<'static>> {
    records.iter().map(|record| Logged::whole(record.clone()).unwrap()).collect()
}

pub(crate) async fn fold(
    store: &Store,
    segment: &str,
    from: u64,
    to: u64,
    records: &[GenerationRecord],
) -> Result<crate::Folded, crate::StoreError> {
    store.fold(segment, from, to, &logged(records)).await
}

pub(crate) async fn grant(store: &Store, id: &str, n: i64) -> Result<crate::Balance, crate::StoreError> {
    let entry = ledger::grant(account("owner"), nanos(n), EntryId::new(id), NOW).unwrap();
    store.grant(&entry, Some("test")).await
}

pub(crate) async fn owner(store: &Store) {
    store.ensure_account(&account("owner"), "Owner", NOW).await.unwrap();
}

/// Changes the database behind the store's back; returns the number of rows.
pub(crate) async fn tamper(store: &Store, sql: &'static str, values: &[Value<'_>]) -> u64 {
    let mut tx = store.db.write().await.unwrap();
    let rows = tx.execute(sql, values).await.unwrap();
    tx.commit().await.unwrap();
    rows
}
