//! What pages need to know of the program that they are part of: traits that the binary fills, and the values in them.
//!
//! A page that needs something new adds a method here, with a default where a site can do without (tests and the preview then
//! need no change), and `tollway` fills it.

use std::pin::Pin;
use std::sync::Arc;

use axum::http::HeaderMap;
use catalog::Snapshot;
use ledger::Fees;
use routing::health::{Quantiles, Uptime};
use routing::plan::Conditions;
use routing::quality::Abilities;
use types::Timestamp;

#[cfg(doc)]
use crate::CACHE_DAYS;
use crate::Status;
use crate::announcements::{Announcement, Banner};
use crate::traffic::{CacheUses, RankingRules, UseAsk, UseRow, Viewer};
use crate::uptime::{self, Attempts};
use crate::watch::PriceWatch;

/// What takes a moment.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the pages get what they show.
pub trait Site: Send + Sync + 'static {
    /// The state of this moment. `host` is the name and port under which the caller reached us, when it has the form
    /// of one; it is the caller's word, good for the addresses shown to that caller and for nothing else.
    fn status(&self, host: Option<&str>) -> Status;

    /// Who we are and where the caller reaches us; `host` as for [`Site::status`].
    fn place(&self, host: Option<&str>) -> Place;

    /// The catalog of this moment with what is known of its endpoints.
    fn world(&self) -> Arc<dyn World>;

    /// The time.
    fn now(&self) -> Timestamp;

    /// What is charged beside the providers' prices.
    fn fees(&self) -> Fees;

    /// Who asks, by the session that the headers present.
    fn viewer<'a>(&'a self, _headers: &'a HeaderMap) -> Soon<'a, Viewer> {
        Box::pin(async { Viewer::Anyone })
    }

    /// What the operator tells people at present.
    fn announcements(&self) -> Vec<Announcement> {
        Vec::new()
    }

    /// What of everybody's use is shown to whom.
    fn ranking_rules(&self) -> RankingRules {
        RankingRules::default()
    }

    /// Everybody's use, without the keys that stay out of it, at most a minute old. `None`: the store doesn't answer.
    fn traffic(&self, _ask: UseAsk) -> Soon<'_, Option<Arc<Vec<UseRow>>>> {
        Box::pin(async { Some(Arc::default()) })
    }

    /// Prices that changed since they are watched, at most a minute old. `None`: the store doesn't answer.
    fn prices(&self) -> Soon<'_, Option<Arc<PriceWatch>>> {
        Box::pin(async { Some(Arc::default()) })
    }

    /// What of the input was read from caches in the last [`CACHE_DAYS`] days, without the keys that stay out of it, by model; at most a
    /// minute old. `None`: the store doesn't answer.
    fn cache_use(&self) -> Soon<'_, Option<Arc<CacheUses>>> {
        Box::pin(async { Some(Arc::default()) })
    }

    /// What became of attempts, at most a minute old. `None`: the store doesn't answer.
    fn attempts(&self) -> Soon<'_, Option<Arc<Attempts>>> {
        Box::pin(async { Some(Arc::default()) })
    }

    /// Answers and failures of an endpoint by day (UTC), oldest first, today last; an entry without a value: nothing was tried.
    /// At most [`uptime::DAYS`]. `None`: the store doesn't answer.
    fn uptime<'a>(&'a self, endpoint: &'a str, days: i64) -> Soon<'a, Option<Vec<Option<Uptime>>>> {
        Box::pin(async move {
            let attempts = self.attempts().await?;
            Some(uptime::days_of(&attempts, endpoint, days, self.now().day()))
        })
    }
}

/// One catalog and the state of its endpoints, which a reload replaces together. Positions are those of its own snapshot.
pub trait World: Send + Sync + 'static {
    /// The catalog.
    fn snapshot(&self) -> &Arc<Snapshot>;

    /// What routing goes by: the same values as for live traffic.
    fn conditions(&self) -> &dyn Conditions;

    /// How good its models are likely to be.
    fn abilities(&self) -> &Abilities;

    /// Why this provider is off, for people; `None`: it is on.
    fn provider_off(&self, provider: usize) -> Option<String>;

    /// What this node's own traffic says of an endpoint, over [`routing::health::MINUTES_SHOWN`] minutes and the day.
    fn live(&self, endpoint: usize, now: Timestamp) -> Live;
}

/// Who we are, and where the caller reaches us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The operator's name for this place.
    pub brand: String,
    /// The same as a word in ids: `<slug>/auto`.
    pub brand_slug: String,
    /// What the names of headers begin with: `X-Tollway`.
    pub header_prefix: String,
    /// Of the program, without a leading `v`.
    pub version: String,
    /// Scheme and host, without a slash at the end.
    pub base_url: String,
    /// Calls need credit first.
    pub is_prepaid: bool,
    /// Who asks may not see rankings and apps: nothing leads there. The pages find that out themselves.
    pub hides_rankings: bool,
    /// What the operator tells who asks, and was not read yet. The pages find that out themselves.
    pub banners: Vec<Banner>,
}

/// What this node's own traffic says of an endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// To the first token, milliseconds; `None` below [`routing::health::SAMPLES_MIN`] samples.
    pub ttft_ms: Option<Quantiles>,
    /// Tokens per second while writing; `p95` is what 95 of 100 reach.
    pub tokens_per_s: Option<Quantiles>,
    /// Samples of the time to the first token.
    pub samples: u64,
    /// Answers and failures of the same window.
    pub recent: Uptime,
    /// Answers and failures of the last 24 hours, one entry an hour, oldest first; empty where nothing was ever asked.
    pub hours: Vec<Uptime>,
}

impl Live {
    /// Answers and failures of the whole day.
    pub fn day(&self) -> Uptime {
        self.hours.iter().fold(Uptime::default(), |sum, hour| Uptime {
            answered: sum.answered + hour.answered,
            failed: sum.failed + hour.failed,
            busy: sum.busy + hour.busy,
        })
    }
}
