//! Made-up generations: ten accounts of which one has nine tenths, twenty keys each, twelve models at four providers, thousands of end
//! users, evenly over ninety days. The same number always makes the same generation.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use ledger::{App, Attempt, BillingMode, GenerationRecord, Logged, Status};
use store::{Store, StoreError};
use types::{AccountId, GenerationId, KeyId, PriceKind, PriceSheet, Rate, Timestamp, Usage};

use super::super::Random;

/// 2026-11-20, UTC: the newest.
pub(super) const END_S: i64 = 1_795_132_800;
/// Days that they are spread over.
pub(super) const DAYS: i64 = 90;
pub(super) const ACCOUNTS: u64 = 10;
const KEYS: u64 = 20;
const MODELS: u64 = 12;
const PROVIDERS: u64 = 4;
const USERS: u64 = 5_000;
/// As in the fold job.
const BATCH: u64 = 1_000;
pub(super) const SEGMENT: &str = "filled";

/// The first, and largest, is the account of whoever runs the server, so that a server's pages can be asked about it.
pub(super) fn account(n: u64) -> AccountId {
    match n {
        0 => AccountId::new(types::OWNER_ACCOUNT),
        _ => AccountId::new(format!("acct_{n}")),
    }
}

/// Makes generations and folds them.
pub(super) struct Filler {
    count: u64,
    done: u64,
    sheet: Arc<PriceSheet>,
    /// The sheet as text: the names of price versions are made of it.
    text: String,
    segment: &'static str,
    offset: u64,
}

impl Filler {
    pub(super) fn new(count: u64) -> Filler {
        let rate = |text: &str| Rate::parse_per_million(text).unwrap_or_default();
        let sheet = PriceSheet::flat([
            (PriceKind::Input, rate("0.15")),
            (PriceKind::CacheRead, rate("0.015")),
            (PriceKind::Output, rate("0.60")),
        ]);
        let text = serde_json::to_string(&sheet).unwrap_or_default();
        Filler { count, done: 0, sheet: Arc::new(sheet), text, segment: SEGMENT, offset: 0 }
    }

    /// One that goes on behind what was filled.
    pub(super) fn behind(count: u64) -> Filler {
        Filler { done: count, segment: "behind", ..Filler::new(count) }
    }

    pub(super) fn done(&self) -> u64 {
        self.done
    }

    pub(super) async fn accounts(&self, store: &Store) -> Result<()> {
        for n in 0..ACCOUNTS {
            store.ensure_account(&account(n), "somebody", Timestamp::from_seconds(END_S)).await?;
        }
        Ok(())
    }

    /// Goes on where an earlier run ended.
    pub(super) async fn skip(&mut self, store: &Store) -> Result<()> {
        self.offset = store.segment_offset(SEGMENT).await?;
        self.done = self.offset.min(self.count);
        Ok(())
    }

    /// Folds the next batch.
    pub(super) async fn fold(&mut self, store: &Store) -> Result<()> {
        let many = BATCH.min(self.count - self.done);
        self.fold_some(store, many).await
    }

    pub(super) async fn fold_some(&mut self, store: &Store, many: u64) -> Result<()> {
        let records: Vec<GenerationRecord> = (self.done..self.done + many).map(|n| self.record(n)).collect();
        let logged = records.into_iter().map(Logged::whole).collect::<Result<Vec<_>, _>>()?;
        match store.fold(self.segment, self.offset, self.offset + many, &logged).await {
            Ok(_) => (self.done, self.offset) = (self.done + many, self.offset + many),
            // An earlier run went further.
            Err(StoreError::Offset { folded_to, .. }) => {
                self.done += folded_to - self.offset;
                self.offset = folded_to;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn record(&self, n: u64) -> GenerationRecord {
        let mut random = Random(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ super::super::SEED);
        let step = DAYS * 86_400_000_000 / i64::try_from(self.count.max(1)).unwrap_or(1);
        let created = Timestamp(
            (END_S - DAYS * 86_400) * 1_000_000 + step.saturating_mul(i64::try_from(n).unwrap_or(0)),
        );
        let whose = if random.below(10) < 9 { 0 } else { 1 + random.below(ACCOUNTS - 1) };
        let model = random.below(MODELS).min(random.below(MODELS));
        let id = GenerationId::new(created, u128::from(n) << 64 | u128::from(random.below(u64::MAX)));
        let key = KeyId::new(format!("key_{whose}_{}", random.below(KEYS).min(random.below(KEYS))));
        let usage = Usage {
            input: 200 + random.below(4_000),
            cache_read: random.below(3) * random.below(2_000),
            output: 1 + random.below(900),
            requests: 1,
            ..Usage::default()
        };
        let cost = self.sheet.cost(&usage, created).unwrap_or_default();
        let ttft_us = 80_000 + i64::try_from(random.below(900_000)).unwrap_or(0);
        let duration_us = ttft_us + i64::try_from(random.below(20_000_000)).unwrap_or(0);
        let failed = random.below(50) == 0;
        let endpoint = format!("provider-{}/model-{model}", model % PROVIDERS);
        let price_version = types::price_version(&endpoint, &self.text);
        let attempt = Attempt {
            endpoint: endpoint.clone(),
            status: 200,
            ended_us: duration_us,
            outcome: "ok".to_owned(),
            cost: cost.total,
            ..Attempt::default()
        };
        let team = format!("team-{}", random.below(8));
        GenerationRecord {
            model: format!("author/model-{model}"),
            provider: format!("provider-{}", model % PROVIDERS),
            endpoint,
            dialect: "openai_chat".to_owned(),
            status: if failed { Status::Failed } else { Status::Ok },
            http_status: if failed { 502 } else { 200 },
            finish_reason: Some(if random.below(9) == 0 { "length" } else { "stop" }.to_owned()),
            error: failed.then(|| "provider_unavailable".to_owned()),
            streamed: random.below(2) == 0,
            usage,
            provider_cost: cost.total,
            charged: cost.total,
            cost,
            mode: BillingMode::Metered,
            price_version,
            // The rest names its prices only, as in a journal.
            price_sheet: if n < BATCH { Arc::clone(&self.sheet) } else { Arc::default() },
            attempts: vec![attempt],
            ttft_us: Some(ttft_us),
            duration_us,
            app: Some(App { title: Some(format!("app {}", random.below(6))), referer: None }),
            session_id: Some(format!("session-{}", n / 10)),
            user: Some(format!("user-{}", random.below(USERS).min(random.below(USERS)))),
            dimensions: BTreeMap::from([("team".to_owned(), team)]),
            counted: vec![format!("tag:t{}", random.below(4)), format!("project:p{}", random.below(5))],
            ..GenerationRecord::new(id, created, account(whose), key)
        }
    }
}
