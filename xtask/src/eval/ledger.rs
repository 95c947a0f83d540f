//! The books under random operations, beside a model that keeps the same sums in a few maps: grants, credit taken back,
//! repeated and conflicting ids, generations in batches with duplicates and nonsense among them, corrections. On SQLite.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ledger::{BillingMode, GenerationRecord, Logged};
use store::{PriceVersion, Rerate, Store, StoreError};
use types::{
    AccountId, Cost, EntryId, GenerationId, KeyId, Money, PriceKind, PriceSheet, Rate, Timestamp, Usage,
};

use super::Random;

/// 2026-11-20, UTC.
const START_S: i64 = 1_795_132_800;
/// Most generations of one batch, as in the fold job.
const BATCH_MAX: u64 = 400;
/// Operations between two comparisons of everything.
const COMPARE_EVERY: u64 = 100_000;
/// How far back corrections reach, seconds of the made-up time.
const CORRECTED_S: i64 = 200;
const ACCOUNTS: u64 = 3;
const KEYS: u64 = 5;
const VERSIONS: u64 = 4;

/// Runs `count` operations; true when the books are what the model says, and the check of the books finds nothing.
pub fn run(count: u64, seed: u64) -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&url).await?;
        for n in 0..ACCOUNTS {
            store.ensure_account(&account(n), "somebody", Timestamp::from_seconds(START_S)).await?;
        }
        let mut trial = Trial { store, model: Model::default(), random: Random(seed), segment: 0, now_s: START_S };
        let mut done = 0;
        let mut compared = 0;
        while done < count {
            done += trial.step().await.with_context(|| format!("seed {seed}, after {done} operations"))?;
            if done - compared >= COMPARE_EVERY {
                compared = done;
                trial.compare().await.with_context(|| format!("seed {seed}, after {done} operations"))?;
                println!("{done} operations, all sums equal");
            }
        }
        trial.compare().await?;
        let report = trial.store.verify().await?;
        let model = &trial.model;
        println!(
            "seed {seed}: {done} operations: {} entries, {} generations, {} corrections, {} refused, {} repeated, {} conflicts",
            report.entries, report.generations, report.corrections, model.refused, model.repeated, model.conflicts
        );
        let problems: Vec<_> = report.problems.iter().filter(|p| p.check != "refused_generation").collect();
        for problem in problems.iter().take(10) {
            println!("{}: {}: {}", problem.check, problem.subject, problem.detail);
        }
        let entries = model.grants.len() as u64 + model.billed + model.corrections;
        let counts = (report.entries, report.generations, report.corrections);
        ensure!(
            counts == (entries, model.generations.len() as u64, model.corrections),
            "the books have {counts:?}, the model {entries} entries"
        );
        Ok(problems.is_empty())
    })
}

fn account(n: u64) -> AccountId {
    AccountId::new(format!("acct_{n}"))
}

/// What the model remembers of a generation.
struct Known {
    account: u64,
    key: u64,
    mode: BillingMode,
    version: usize,
    created_s: i64,
    units: [u64; 2],
    cost: i128,
    charged: i128,
}

/// The same books in a few maps.
#[derive(Default)]
struct Model {
    grants: BTreeMap<u64, (u64, i64)>,
    credited: HashMap<u64, i128>,
    used: HashMap<u64, i128>,
    metered: HashMap<u64, i128>,
    spent: HashMap<u64, i128>,
    generations: BTreeMap<String, Known>,
    records: Vec<GenerationRecord>,
    billed: u64,
    corrections: u64,
    refused: u64,
    repeated: u64,
    conflicts: u64,
}

struct Trial {
    store: Store,
    model: Model,
    random: Random,
    segment: u64,
    now_s: i64,
}

/// Nano-dollars per million of input and output: what the model reckons with.
fn rates(version: u64) -> [i64; 2] {
    let version = i64::try_from(version).unwrap_or(0);
    [150_000_000 + version * 7_000_003, 600_000_000 + version * 11_000_007]
}

fn sheet(rates: [i64; 2]) -> PriceSheet {
    let rate = |nanos| Rate::from_nanos_per_million(nanos).unwrap_or_default();
    let [input, output] = rates;
    PriceSheet::flat([(PriceKind::Input, rate(input)), (PriceKind::Output, rate(output))])
}

fn version(rates: [i64; 2]) -> Result<PriceVersion> {
    let sheet = sheet(rates);
    let id = types::price_version("lab/model", &serde_json::to_string(&sheet)?);
    Ok(PriceVersion { id, endpoint: "lab/model".to_owned(), sheet: Arc::new(sheet) })
}

/// By the model's own reckoning: each line rounded up by itself.
fn cost_of(units: [u64; 2], rates: [i64; 2]) -> i128 {
    let line = |(units, rate): (u64, i64)| (i128::from(units) * i128::from(rate) + 999_999) / 1_000_000;
    units.into_iter().zip(rates).map(line).sum()
}

impl Trial {
    /// One step; how many operations it was.
    async fn step(&mut self) -> Result<u64> {
        match self.random.below(1_000) {
            0..500 => self.grant().await,
            500..600 => self.repeat_grant().await,
            600..990 => self.fold().await,
            _ => self.correct().await,
        }
    }

    async fn grant(&mut self) -> Result<u64> {
        let id = self.model.grants.len() as u64;
        let who = self.random.below(ACCOUNTS);
        let sign = if self.random.below(5) == 0 { -1 } else { 1 };
        let amount = sign * (1 + i64::try_from(self.random.below(50_000_000_000))?);
        let balance = self.store.grant(&self.entry(who, amount, id)?, Some("trial")).await?;
        ensure!(balance.applied, "a new grant was not applied");
        self.model.grants.insert(id, (who, amount));
        *self.model.credited.entry(who).or_default() += i128::from(amount);
        Ok(1)
    }

    fn entry(&self, who: u64, amount: i64, id: u64) -> Result<ledger::Entry> {
        let id = EntryId::new(format!("grant:{id}"));
        Ok(ledger::grant(account(who), Money::from_nanos(amount), id, Timestamp::from_seconds(self.now_s))?)
    }

    /// The same again changes nothing; another amount under the id is refused.
    async fn repeat_grant(&mut self) -> Result<u64> {
        let count = self.model.grants.len() as u64;
        if count == 0 {
            return Ok(0);
        }
        let id = self.random.below(count);
        let (who, amount) = self.model.grants.get(&id).copied().context("a grant of the model")?;
        if self.random.below(2) == 0 {
            let again = self.store.grant(&self.entry(who, amount, id)?, Some("trial")).await?;
            ensure!(!again.applied, "a grant was applied twice");
            self.model.repeated += 1;
        } else {
            let other = self.store.grant(&self.entry(who, amount.saturating_add(1), id)?, None).await;
            ensure!(matches!(other, Err(StoreError::Conflict(_))), "a conflicting grant: {other:?}");
            self.model.conflicts += 1;
        }
        Ok(1)
    }

    async fn fold(&mut self) -> Result<u64> {
        let size = 1 + self.random.below(BATCH_MAX);
        let mut batch = Vec::new();
        let (mut fresh, mut refused) = (Vec::new(), 0);
        for _ in 0..size {
            match self.random.below(100) {
                0..4 if !self.model.records.is_empty() => {
                    let at = self.random.below(self.model.records.len() as u64);
                    batch.push(self.model.records.get(usize::try_from(at)?).context("a record")?.clone());
                }
                4 => {
                    let (mut record, _) = self.record()?;
                    record.charged = Money::from_nanos(record.cost.total.nanos() + 1);
                    refused += 1;
                    batch.push(record);
                }
                _ => {
                    let (record, known) = self.record()?;
                    fresh.push((record.clone(), known));
                    batch.push(record);
                }
            }
        }
        let logged: Vec<Logged<'_>> = batch.into_iter().map(Logged::whole).collect::<Result<_, _>>()?;
        let name = format!("segment-{}", self.segment / 8);
        let from = self.segment % 8 * 1_000;
        let folded = self.store.fold(&name, from, from + 1_000, &logged).await?;
        ensure!(
            folded.inserted == fresh.len() && folded.refused.len() == refused,
            "{} new and {refused} refused, the store says {} and {}",
            fresh.len(),
            folded.inserted,
            folded.refused.len()
        );
        // The whole call again: the segment stands behind it.
        if self.random.below(4) == 0 {
            let again = self.store.fold(&name, from, from + 1_000, &logged).await;
            ensure!(matches!(again, Err(StoreError::Offset { .. })), "a batch was folded twice: {again:?}");
        }
        self.segment += 1;
        self.model.refused += refused as u64;
        for (record, known) in fresh {
            self.model.take(&record, known);
        }
        Ok(size)
    }

    fn record(&mut self) -> Result<(GenerationRecord, Known)> {
        if self.random.below(8) == 0 {
            self.now_s += 1;
        }
        let created = Timestamp::from_seconds(self.now_s);
        let id = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let (who, key, chosen) =
            (self.random.below(ACCOUNTS), self.random.below(KEYS), self.random.below(VERSIONS));
        let mode = if self.random.below(3) == 0 { BillingMode::Metered } else { BillingMode::Prepaid };
        let is_free = self.random.below(10) == 0;
        let units = if is_free { [0, 0] } else { [self.random.tokens(), self.random.tokens()] };
        let cost = cost_of(units, rates(chosen));
        let charged = match self.random.below(10) {
            0 => cost / 2,
            1 => 0,
            _ => cost,
        };
        let priced = version(rates(chosen))?;
        let [input, output] = units;
        let usage = Usage { input, output, requests: 1, ..Usage::default() };
        let told = priced.sheet.cost(&usage, created)?;
        ensure!(i128::from(told.total.nanos()) == cost, "{told:?} and not {cost}");
        let total = told.total;
        let record = GenerationRecord {
            model: "lab/model".to_owned(),
            provider: "lab".to_owned(),
            endpoint: "lab/model".to_owned(),
            usage,
            provider_cost: total,
            cost: if total == Money::ZERO { Cost { total, ..told } } else { told },
            charged: Money::from_nanos(i64::try_from(charged)?),
            mode,
            price_version: priced.id,
            price_sheet: priced.sheet,
            ..GenerationRecord::new(
                GenerationId::new(created, id),
                created,
                account(who),
                KeyId::new(format!("key_{key}")),
            )
        };
        let version = usize::try_from(chosen)?;
        let created_s = self.now_s;
        Ok((record, Known { account: who, key, mode, version, created_s, units, cost, charged }))
    }

    /// Rates the newest generations of a version again, twice: the second time changes nothing.
    async fn correct(&mut self) -> Result<u64> {
        let old = self.random.below(VERSIONS);
        let rate = |random: &mut Random| i64::try_from(random.below(900_000_000)).unwrap_or(0);
        let new = [rate(&mut self.random), rate(&mut self.random)];
        let collect = self.random.below(3) == 0;
        let since_s = self.now_s - CORRECTED_S;
        let (right, wrong) = (version(new)?, version(rates(old))?.id);
        let how = Rerate {
            old: &wrong,
            new: &right,
            since: Timestamp::from_seconds(since_s),
            collect,
            apply: Some(Timestamp::from_seconds(self.now_s)),
        };
        let mut changed = 0;
        for round in 0..2 {
            let mut last = None;
            loop {
                let step = self.store.rerate(&how, last.as_ref()).await?;
                ensure!(round == 0 || step.changed.is_empty(), "a correction was booked twice");
                changed += step.changed.len() as u64;
                last = step.last;
                if last.is_none() {
                    break;
                }
            }
        }
        let expected = self.model.correct(usize::try_from(old)?, since_s, new, collect);
        ensure!(changed == expected, "{changed} corrections, {expected} expected");
        Ok(changed.max(1))
    }

    /// Every sum, on both sides.
    async fn compare(&self) -> Result<()> {
        let of = |map: &HashMap<u64, i128>, n: u64| map.get(&n).copied().unwrap_or_default();
        for n in 0..ACCOUNTS {
            let credits = self.store.credits(&account(n)).await?;
            let ours = [credits.granted, credits.used, credits.metered].map(|m| i128::from(m.nanos()));
            let model = &self.model;
            let theirs = [of(&model.credited, n), of(&model.used, n), of(&model.metered, n)];
            ensure!(ours == theirs, "account {n}: the books say {ours:?}, the model {theirs:?}");
            let days = self.store.activity(&account(n), None, 0, i64::MAX / 2).await?;
            let charged: i128 = days.iter().map(|day| i128::from(day.charged.nanos())).sum();
            let expect = theirs.iter().skip(1).sum::<i128>();
            ensure!(charged == expect, "account {n}: activity has {charged}, the model {expect}");
        }
        for (key, spent) in self.store.key_spent().await? {
            let n = key.as_str().trim_start_matches("key_").parse()?;
            let model = of(&self.model.spent, n);
            ensure!(i128::from(spent.nanos()) == model, "{key}: the books say {spent}, the model {model}");
        }
        Ok(())
    }
}

impl Model {
    fn take(&mut self, record: &GenerationRecord, known: Known) {
        self.billed += u64::from(known.cost > 0);
        self.charge(known.account, known.key, known.mode, known.charged);
        self.records.push(record.clone());
        if self.records.len() > 5_000 {
            self.records.swap_remove(0);
        }
        self.generations.insert(record.id.to_string(), known);
    }

    fn charge(&mut self, account: u64, key: u64, mode: BillingMode, amount: i128) {
        let side = if mode == BillingMode::Prepaid { &mut self.used } else { &mut self.metered };
        *side.entry(account).or_default() += amount;
        *self.spent.entry(key).or_default() += amount;
    }

    /// How many generations change.
    fn correct(&mut self, old: usize, since_s: i64, rates: [i64; 2], collect: bool) -> u64 {
        let mut changed = Vec::new();
        for known in self.generations.values_mut() {
            if known.version != old || known.created_s < since_s || known.units == [0, 0] {
                continue;
            }
            let again = cost_of(known.units, rates);
            let delta = again - known.cost;
            if delta == 0 {
                continue;
            }
            let charged = match delta < 0 {
                true => known.charged.min(again),
                false if collect => known.charged + delta,
                false => known.charged,
            };
            changed.push((known.account, known.key, known.mode, charged - known.charged));
            (known.cost, known.charged) = (again, charged);
        }
        for (account, key, mode, amount) in &changed {
            self.charge(*account, *key, *mode, *amount);
        }
        self.corrections += changed.len() as u64;
        changed.len() as u64
    }
}
