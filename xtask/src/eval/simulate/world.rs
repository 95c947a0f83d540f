//! Providers whose behaviour is drawn from a seed, and a node that knows them only by what it has measured.

use anyhow::{Result, anyhow};
use catalog::{Overlay, OverlayModel, OverlayProvider, Protocol, Snapshot};
use routing::breaker::{Breaker, Report, Verdict};
use routing::health::{Ending, Figures, Health, MINUTES_ROUTED, Sample, Size};
use routing::load::PeakEwma;
use routing::plan::Conditions;
use routing::random::Random;
use types::Timestamp;

use crate::sh;

/// The model that all providers here offer.
pub const MODEL: &str = "sim/m";
/// A time to the first token is never longer, milliseconds.
const TTFT_MAX_MS: f64 = 60_000.0;

/// One provider's offer of the model.
#[derive(Clone, Copy)]
pub struct Offer {
    pub slug: &'static str,
    /// USD per million tokens, in and out.
    pub price: (&'static str, &'static str),
    /// Half of the first tokens come sooner, milliseconds.
    pub median_ms: f64,
    /// How widely the logarithm of that time spreads.
    pub sigma: f64,
    /// So many are stuck instead, by a Pareto law: share, least milliseconds, exponent.
    pub tail: (f64, f64, f64),
}

/// How a provider does at a moment.
#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
    Well,
    /// So many times as slow.
    Slow(f64),
    Failing,
    /// Not there yet.
    Off,
}

/// By provider and second.
pub type Weather = Box<dyn Fn(&str, f64) -> Mood>;

/// The catalog with these offers.
pub fn snapshot(offers: &[Offer]) -> Result<Snapshot> {
    let base = catalog::load_dir(&sh::root().join("catalog")).map_err(|problems| anyhow!("{problems:?}"))?;
    let provider = |offer: &Offer| OverlayProvider {
        slug: offer.slug.to_owned(),
        protocol: Some(Protocol::Openai),
        base_url: Some("http://127.0.0.1:1/v1".to_owned()),
        models: vec![OverlayModel {
            id: MODEL.to_owned(),
            price: Some(
                [
                    ("input_usd_per_mtok".to_owned(), offer.price.0.to_owned()),
                    ("output_usd_per_mtok".to_owned(), offer.price.1.to_owned()),
                ]
                .into(),
            ),
            ..OverlayModel::default()
        }],
        ..OverlayProvider::default()
    };
    base.clone()
        .with_overlay(&Overlay { providers: offers.iter().map(provider).collect() })
        .map_err(|errors| anyhow!("{errors:?}"))
}

/// What the node keeps of an endpoint: as `gateway::vitals` does, without locks.
#[derive(Default)]
pub struct Vitals {
    pub breaker: Breaker,
    health: Health,
    load: PeakEwma,
    pub under_way: u32,
    board: [Figures; 3],
    last_failure: Option<Timestamp>,
}

impl Vitals {
    pub fn record(&mut self, sample: &Sample) {
        self.health.record(sample);
        if let Some(us) = sample.ttft_us {
            self.load.observe(us, sample.at);
        }
        if sample.ending == Ending::Failed {
            self.breaker.report(Report::Failure, sample.at);
            self.last_failure = Some(sample.at);
        }
    }

    fn refresh(&mut self, now: Timestamp) {
        self.board = Size::ALL.map(|size| self.health.figures(size, MINUTES_ROUTED, now));
    }
}

/// The node and the providers around it.
pub struct World {
    pub snapshot: Snapshot,
    pub offers: Vec<Offer>,
    pub vitals: Vec<Vitals>,
    pub now: Timestamp,
    /// When it began.
    pub start: Timestamp,
    pub weather: Weather,
    /// The offer behind each endpoint of the snapshot.
    by_endpoint: Vec<Option<usize>>,
}

impl World {
    pub fn new(offers: &[Offer], weather: Weather) -> Result<World> {
        let snapshot = snapshot(offers)?;
        let offer_of = |id: &str| offers.iter().position(|offer| id == format!("{}/m", offer.slug));
        let start = Timestamp::from_seconds(1_800_000_000);
        Ok(World {
            by_endpoint: snapshot.endpoints.iter().map(|endpoint| offer_of(&endpoint.id)).collect(),
            snapshot,
            offers: offers.to_vec(),
            vitals: offers.iter().map(|_| Vitals::default()).collect(),
            now: start,
            start,
            weather,
        })
    }

    pub fn offer_of(&self, endpoint: u32) -> Option<usize> {
        self.by_endpoint.get(endpoint as usize).copied().flatten()
    }

    pub fn seconds(&self, at: Timestamp) -> f64 {
        (at.0 - self.start.0) as f64 / 1e6
    }

    pub fn mood(&self, offer: usize) -> Mood {
        (self.weather)(self.offers[offer].slug, self.seconds(self.now))
    }

    /// Made anew every second, as the product does.
    pub fn refresh(&mut self) {
        let now = self.now;
        self.vitals.iter_mut().for_each(|vitals| vitals.refresh(now));
    }

    /// How long this provider takes to begin this call: the same whoever else is asked.
    pub fn ttft_us(&self, offer: usize, seed: u64, call: usize, input_tokens: u64) -> u64 {
        let mut random = Random::new(seed ^ (call as u64 * 64 + offer as u64).wrapping_mul(0x9e37_79b9));
        random.bits();
        let own = &self.offers[offer];
        let (share, least, exponent) = own.tail;
        let usual = own.median_ms * (own.sigma * normal(&mut random)).exp();
        let stuck = least * (1.0 - random.unit()).powf(-1.0 / exponent);
        let ms = if random.unit() < share { stuck } else { usual };
        let factor = if let Mood::Slow(factor) = self.mood(offer) { factor } else { 1.0 };
        let longer = 1.0 + input_tokens as f64 / 10_000.0;
        ((ms * factor * longer).min(TTFT_MAX_MS) * 1_000.0) as u64
    }
}

impl Conditions for World {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.by_endpoint[endpoint].is_some_and(|offer| self.mood(offer) != Mood::Off)
    }

    fn healthy(&self, endpoint: usize) -> bool {
        let offer = self.by_endpoint[endpoint];
        offer.is_some_and(|at| !matches!(self.vitals[at].breaker.peek(self.now), Verdict::Wait(_)))
    }

    fn figures(&self, endpoint: usize, size: Size) -> Figures {
        let Some(vitals) = self.by_endpoint[endpoint].map(|offer| &self.vitals[offer]) else {
            return Figures::default();
        };
        let figures = vitals.board[size as usize];
        Figures { last_failure: figures.last_failure.max(vitals.last_failure), ..figures }
    }

    fn load(&self, endpoint: usize) -> f64 {
        let vitals = self.by_endpoint[endpoint].map(|offer| &self.vitals[offer]);
        vitals.map_or(0.0, |vitals| vitals.load.load(vitals.under_way, self.now))
    }
}

/// A draw from the normal distribution.
pub fn normal(random: &mut Random) -> f64 {
    let (angle, radius) = (random.unit() * std::f64::consts::TAU, (1.0 - random.unit()).ln());
    angle.cos() * (-2.0 * radius).sqrt()
}
