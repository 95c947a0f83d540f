//! What pages show of the store: asked for once a minute however many look, on the runtime of the books. While somebody waits for
//! newer numbers, the others get the older ones.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use gateway::app::Gateway;
use parking_lot::Mutex;
use store::{
    EndpointRow, PriceChangeRow, PublicDefault, Store, StoreError, TrafficBy, TrafficQuestion, TrafficRow,
};
use types::{Money, PriceKind, Quote, Rate, Timestamp};
use web::{
    Attempted, Attempts, CacheUse, CacheUses, Changed, EndpointTime, PriceChange, PriceWatch, UseAsk, UseBy,
    UseRow, UseSums,
};

/// How long an answer is good for.
const FRESH_US: i64 = 60_000_000;
/// The same for prices: an operator who changes one looks whether it is there.
const PRICES_FRESH_US: i64 = 5_000_000;
/// How long one who asks the store is waited for before another does.
const ASKING_US: i64 = 20_000_000;
/// Answers that are kept; beyond them all are let go, so that no choice of questions fills the memory.
const ANSWERS_MAX: usize = 64;
const HOURS_SHOWN: i64 = 24;
/// Changes of prices that are read: the newest.
const CHANGES_MAX: i64 = 5_000;
const SECONDS_PER_HOUR: i64 = 3_600;

/// Answers of the store, by question.
#[derive(Default)]
pub(crate) struct Records {
    traffic: Kept<UseAsk, Vec<UseRow>>,
    attempts: Kept<(), Attempts>,
    prices: Kept<(), PriceWatch>,
    cache_use: Kept<bool, CacheUses>,
}

struct Answer<V> {
    value: Arc<V>,
    /// Until then it is given out as it is.
    good_until: Timestamp,
}

struct Kept<K, V>(Mutex<HashMap<K, Answer<V>>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Kept(Mutex::default())
    }
}

impl<K: Hash + Eq, V> Kept<K, V> {
    /// A fresh answer. `None`: it has to be asked for, by whoever is told so.
    fn fresh(&self, key: &K, now: Timestamp) -> Option<Arc<V>> {
        let mut all = self.0.lock();
        let answer = all.get_mut(key)?;
        if now < answer.good_until {
            return Some(Arc::clone(&answer.value));
        }
        answer.good_until = Timestamp(now.0.saturating_add(ASKING_US));
        None
    }

    fn keep(&self, key: K, value: V, now: Timestamp) -> Arc<V> {
        self.keep_for(FRESH_US, key, value, now)
    }

    fn keep_for(&self, fresh_us: i64, key: K, value: V, now: Timestamp) -> Arc<V> {
        let value = Arc::new(value);
        let good_until = Timestamp(now.0.saturating_add(fresh_us));
        let answer = Answer { value: Arc::clone(&value), good_until };
        let mut all = self.0.lock();
        if all.len() >= ANSWERS_MAX && !all.contains_key(&key) {
            all.clear();
        }
        all.insert(key, answer);
        value
    }
}

impl Records {
    /// Everybody's use. `None`: the store doesn't answer.
    pub(crate) async fn traffic(
        &self,
        gateway: &Arc<Gateway>,
        ask: UseAsk,
        counts_by_default: bool,
    ) -> Option<Arc<Vec<UseRow>>> {
        let now = gateway.clock.now();
        if let Some(known) = self.traffic.fresh(&ask, now) {
            return Some(known);
        }
        let (books, asked) = (Arc::clone(gateway), ask.clone());
        let found =
            gateway.on_control(async move { used(&books.store, &asked, counts_by_default, now).await });
        let rows = told(found.await)?;
        Some(self.traffic.keep(ask, rows, now))
    }

    /// What became of attempts. `None`: the store doesn't answer.
    pub(crate) async fn attempts(&self, gateway: &Arc<Gateway>) -> Option<Arc<Attempts>> {
        let now = gateway.clock.now();
        if let Some(known) = self.attempts.fresh(&(), now) {
            return Some(known);
        }
        let books = Arc::clone(gateway);
        let found = gateway.on_control(async move { tried(&books.store, now).await });
        let attempts = told(found.await)?;
        Some(self.attempts.keep((), attempts, now))
    }
}

impl Records {
    /// Prices that changed. `None`: the store doesn't answer.
    pub(crate) async fn prices(&self, gateway: &Arc<Gateway>) -> Option<Arc<PriceWatch>> {
        let now = gateway.clock.now();
        if let Some(known) = self.prices.fresh(&(), now) {
            return Some(known);
        }
        let books = Arc::clone(gateway);
        let watch = told(gateway.on_control(async move { watched(&books.store).await }).await)?;
        Some(self.prices.keep_for(PRICES_FRESH_US, (), watch, now))
    }

    /// What of the input was read from caches. `None`: the store doesn't answer.
    pub(crate) async fn cache_use(
        &self,
        gateway: &Arc<Gateway>,
        counts_by_default: bool,
    ) -> Option<Arc<CacheUses>> {
        let now = gateway.clock.now();
        if let Some(known) = self.cache_use.fresh(&counts_by_default, now) {
            return Some(known);
        }
        let books = Arc::clone(gateway);
        let from = now.day().saturating_sub(web::CACHE_DAYS).saturating_add(1);
        let found =
            gateway.on_control(async move { books.store.cache_use(from, said(counts_by_default)).await });
        let mut uses = CacheUses::new();
        for row in told(found.await)? {
            uses.entry(row.model).or_default().push(CacheUse {
                provider: row.provider,
                account: row.account,
                requests: count(row.requests),
                input: count(row.input),
                cache_read: count(row.cache_read),
            });
        }
        Some(self.cache_use.keep(counts_by_default, uses, now))
    }
}

/// What holds for keys that don't say whether they count.
fn said(counts_by_default: bool) -> PublicDefault {
    if counts_by_default { PublicDefault::Counted } else { PublicDefault::LeftOut }
}

async fn watched(store: &Store) -> Result<PriceWatch, StoreError> {
    let since = store.prices_watched_since().await?;
    let rows = store.price_changes(CHANGES_MAX).await?;
    Ok(PriceWatch { since, changes: rows.into_iter().filter_map(change).collect() })
}

/// A change that this program can read; a later one may have kept others.
fn change(row: PriceChangeRow) -> Option<PriceChange> {
    let price = match row.kind.as_str() {
        "" => None,
        key => {
            let kind = PriceKind::ALL.into_iter().find(|kind| kind.file_key() == key)?;
            let (before, after) = (quote(kind, row.before)?, quote(kind, row.after)?);
            Some(Changed { kind, condition: row.condition, before, after })
        }
    };
    Some(PriceChange { number: row.number, endpoint: row.endpoint, at: row.seen, price })
}

/// The inner `None`: no price of its own; the outer: it can't be read.
fn quote(kind: PriceKind, text: Option<String>) -> Option<Option<Quote>> {
    let Some(text) = text else { return Some(None) };
    if text == "unknown" {
        return Some(Some(Quote::Unknown));
    }
    let rate = if kind.is_per_unit() { Rate::parse_per_unit(&text) } else { Rate::parse_per_million(&text) };
    rate.ok().map(|rate| Some(Quote::Known(rate)))
}

fn told<T>(found: Option<Result<T, StoreError>>) -> Option<T> {
    match found? {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(%error, "what pages show of everybody's use can't be read");
            None
        }
    }
}

async fn used(
    store: &Store,
    ask: &UseAsk,
    counts_by_default: bool,
    now: Timestamp,
) -> Result<Vec<UseRow>, StoreError> {
    let today = now.day();
    let question = TrafficQuestion {
        from: today.saturating_sub(ask.days).saturating_add(1),
        to: today.saturating_add(1),
        by: match ask.by {
            UseBy::Model => TrafficBy::Model,
            UseBy::App => TrafficBy::App,
            UseBy::Task => TrafficBy::Task,
        },
        model: ask.model.as_deref(),
        apps: &ask.apps,
        keys: said(counts_by_default),
    };
    Ok(store.traffic(&question).await?.into_iter().map(use_row).collect())
}

fn use_row(row: TrafficRow) -> UseRow {
    UseRow {
        value: row.value,
        account: row.account,
        day: row.day,
        sums: UseSums {
            requests: count(row.sums.requests),
            input: count(row.sums.input),
            output: count(row.sums.output),
            charged: Money::from_nanos(row.sums.charged),
        },
    }
}

fn count(number: i64) -> u64 {
    number.max(0).unsigned_abs()
}

async fn tried(store: &Store, now: Timestamp) -> Result<Attempts, StoreError> {
    let first_day = now.day() - web::DAYS + 1;
    let this_hour = now.seconds().div_euclid(SECONDS_PER_HOUR);
    let least = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let bad = store.failing_hours(first_day * 24, least(web::FAILED_MIN), least(web::FAILED_PERCENT_MIN));
    let times = |rows: Vec<EndpointRow>| {
        let mut times: Vec<EndpointTime> = rows.into_iter().map(time).collect();
        // Pages look for an endpoint among many; databases have orders of their own for texts.
        times.sort_by(|a, b| (&a.endpoint, a.at).cmp(&(&b.endpoint, b.at)));
        times
    };
    Ok(Attempts {
        bad: times(bad.await?),
        days: times(store.attempts_by_day(first_day).await?),
        hours: times(store.attempts_by_hour(this_hour - HOURS_SHOWN + 1).await?),
    })
}

fn time(row: EndpointRow) -> EndpointTime {
    let of = row.tally;
    let attempted = Attempted {
        answered: count(of.answered),
        unreachable: count(of.unreachable),
        timed_out: count(of.timed_out),
        errors: count(of.errors),
        broken: count(of.broken),
        refused: count(of.refused),
        busy: count(of.busy),
        ttft_us: count(of.ttft_us),
        ttft_count: count(of.ttft_count),
    };
    EndpointTime { endpoint: row.endpoint, at: row.at, attempted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_again_after_a_minute_and_the_others_wait_for_nothing() {
        let kept: Kept<u8, u8> = Kept::default();
        let at = |seconds: i64| Timestamp::from_seconds(1_000 + seconds);
        assert_eq!(kept.fresh(&1, at(0)), None);
        kept.keep(1, 7, at(0));
        assert_eq!(kept.fresh(&1, at(59)).as_deref(), Some(&7));
        assert_eq!(kept.fresh(&2, at(59)), None);
        assert_eq!(kept.fresh(&1, at(60)), None, "this one asks");
        assert_eq!(kept.fresh(&1, at(61)).as_deref(), Some(&7), "and this one doesn't");
        assert_eq!(kept.fresh(&1, at(80)), None, "who asked has gone");
        kept.keep(1, 8, at(81));
        assert_eq!(kept.fresh(&1, at(82)).as_deref(), Some(&8));
    }

    #[test]
    fn kept_changes_are_read_as_prices() {
        let row = |kind: &str, before: Option<&str>, after: Option<&str>| PriceChangeRow {
            number: 2,
            endpoint: "p/m".to_owned(),
            kind: kind.to_owned(),
            condition: String::new(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            seen: Timestamp(7),
        };
        let read = change(row("image_usd", Some("0.04"), None)).and_then(|change| change.price).unwrap();
        let known = Quote::Known(Rate::parse_per_unit("0.04").unwrap());
        assert_eq!((read.kind, read.before, read.after), (PriceKind::Images, Some(known), None));
        let read = change(row("input_usd_per_mtok", None, Some("unknown"))).and_then(|change| change.price);
        assert_eq!(read.unwrap().after, Some(Quote::Unknown));
        assert_eq!(change(row("", None, None)).unwrap().price, None, "the endpoint is new");
        assert_eq!(change(row("of_a_later_version", None, None)), None);
        assert_eq!(change(row("input_usd_per_mtok", None, Some("?"))), None);
    }

    #[test]
    fn questions_fill_no_memory() {
        let kept: Kept<usize, usize> = Kept::default();
        for key in 0..ANSWERS_MAX * 3 {
            kept.keep(key, key, Timestamp(0));
            assert!(kept.0.lock().len() <= ANSWERS_MAX);
            assert_eq!(kept.fresh(&key, Timestamp(1)).as_deref(), Some(&key));
        }
    }
}
