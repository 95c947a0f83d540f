//! Tells a collector of each generation, as a trace, by OpenTelemetry's protocol.
//!
//! It reads the journal a second time, behind the calls and beside the fold (`backlog`), so no call waits for it and none is told
//! of that the journal does not have. A batch is sent until the collector takes it (`send`); meanwhile the next ones wait, on
//! disk and up to a bound. Everything is sent at least once, under ids that are the same each time (`spans`).

mod backlog;
mod send;
mod spans;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::world::World;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::watch;

use self::backlog::{Backlog, Batch};
use self::send::{Collector, Sent};
use self::spans::{Place, Rules};
use crate::config::Config;
use crate::config::telemetry::{Otlp, UserIds};
use crate::secrets;

/// The first pause after a failure; each one doubles.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long the end of the process waits for what is left.
const LAST_SEND_MAX: Duration = Duration::from_secs(3);

/// What the job works with.
pub(crate) struct Exporter {
    otlp: Otlp,
    collector: Collector,
    backlog: Backlog,
    user_secret: Option<String>,
    /// How many generations go into one request: fewer after the collector found one too large.
    at_once: usize,
    failures: u32,
    places: Places,
}

/// Endpoints as the present world has them.
#[derive(Default)]
struct Places {
    world: Option<u64>,
    known: HashMap<String, Place>,
}

/// What is to be done next.
enum Next {
    /// Another batch may wait.
    Go,
    /// Nothing is there.
    Idle,
    /// Not before so long.
    Wait(Duration),
}

impl Exporter {
    /// As it is configured; `None`: nothing is exported. `true`: what the journal holds was there before.
    pub(crate) fn open(config: &Config, journal: &Path) -> anyhow::Result<Option<(Exporter, bool)>> {
        let otlp = &config.telemetry.otlp;
        if let Some(why) = &otlp.unusable {
            tracing::warn!(%why, "no traces are exported: a standard variable of OpenTelemetry can't be used");
        }
        let data_dir = &config.server.data_dir;
        let Some(url) = &otlp.traces_url else {
            backlog::discard(data_dir);
            return Ok(None);
        };
        let mut pairs = vec![
            ("service.name", otlp.service_name.as_deref().unwrap_or(&config.brand.slug)),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        pairs.extend(otlp.resource_attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let collector = Collector::new(otlp, url, spans::resource(&pairs))?;
        tracing::info!(collector = collector.origin(), "a trace of each generation is exported");
        let (backlog, is_first) = Backlog::open(journal, data_dir, otlp.backlog_bytes_max)?;
        let user_secret = match otlp.user_ids {
            UserIds::Off => None,
            UserIds::Hashed => Some(secrets::telemetry(data_dir)?),
        };
        let (at_once, otlp) = (otlp.batch_generations_max, otlp.clone());
        let (failures, places) = (0, Places::default());
        Ok(Some((Exporter { otlp, collector, backlog, user_secret, at_once, failures, places }, is_first)))
    }

    /// Where files of the journal go that the fold has done with.
    pub(crate) fn folder(&self) -> PathBuf {
        self.backlog.folder().to_owned()
    }

    /// Sends one batch, if one waits.
    async fn step(&mut self, gateway: &Gateway) -> anyhow::Result<Next> {
        let counts = &gateway.metrics.telemetry;
        let lost = self.backlog.shrink()?;
        if lost > 0 {
            count(&counts.lost, lost);
            tracing::error!(
                generations = lost,
                "generations are not exported: more waits for the collector than telemetry.otlp.backlog_bytes_max"
            );
        }
        counts.waiting_bytes.store(self.backlog.waiting_bytes(), Ordering::Relaxed);
        let Some(batch) = self.backlog.next(self.at_once)? else { return Ok(Next::Idle) };
        let (spans, kept) = self.spans(gateway, &batch);
        let left_out = batch.records.len() as u64 - kept;
        if spans.is_empty() {
            count(&counts.sampled_out, left_out);
            self.backlog.done(&batch)?;
            return Ok(Next::Go);
        }
        let sent = self.collector.send(spans, gateway.clock.now()).await?;
        let next = self.weigh(gateway, sent, kept);
        if matches!(next, Next::Go) && sent != Sent::TooLarge {
            count(&counts.sampled_out, left_out);
            self.backlog.done(&batch)?;
            counts.waiting_bytes.store(self.backlog.waiting_bytes(), Ordering::Relaxed);
        } else if sent == Sent::TooLarge {
            self.divide(gateway, &batch, kept)?;
        }
        Ok(next)
    }

    /// What an answer of the collector means for what is next.
    fn weigh(&mut self, gateway: &Gateway, sent: Sent, generations: u64) -> Next {
        let counts = &gateway.metrics.telemetry;
        match sent {
            Sent::Taken { rejected } => {
                count(&counts.exported, generations);
                count(&counts.spans_rejected, rejected);
                if rejected > 0 {
                    tracing::warn!(spans = rejected, "the collector did not want some spans");
                }
                if self.failures > 0 {
                    tracing::info!("the collector takes spans again");
                }
                self.failures = 0;
                // After one that was too large, the way back up is slow.
                self.at_once = (self.at_once + 1).min(self.otlp.batch_generations_max);
                Next::Go
            }
            Sent::Refused { status } => {
                count(&counts.lost, generations);
                tracing::error!(
                    status,
                    generations,
                    "the collector refuses spans for good; they are lost to it"
                );
                self.failures = 0;
                Next::Go
            }
            Sent::TooLarge => Next::Go,
            Sent::Later { after, wrong, status } => {
                count(&counts.retries, 1);
                if self.failures == 0 && wrong {
                    tracing::error!(
                        status,
                        "the collector turns us away; check telemetry.otlp.endpoint and headers. Spans wait"
                    );
                } else if self.failures == 0 {
                    tracing::warn!(status, "the collector can't take spans now; they wait");
                }
                self.failures = self.failures.saturating_add(1);
                Next::Wait(after.unwrap_or_else(|| pause(self.failures)))
            }
        }
    }

    /// Fewer at once; what is too large by itself is given up.
    fn divide(&mut self, gateway: &Gateway, batch: &Batch, generations: u64) -> anyhow::Result<()> {
        if batch.records.len() > 1 {
            self.at_once = (batch.records.len() / 2).max(1);
            return Ok(());
        }
        count(&gateway.metrics.telemetry.lost, generations);
        tracing::error!("the collector finds a single generation too large; it is lost to it");
        self.backlog.done(batch)
    }

    /// The spans of a batch, and of how many generations they are.
    fn spans(&mut self, gateway: &Gateway, batch: &Batch) -> (Vec<Span>, u64) {
        let world = gateway.world.load();
        self.places.refresh(&world);
        let rules = Rules {
            per_mille: self.otlp.sample_per_mille,
            follow_parent: self.otlp.follow_parent,
            user_secret: self.user_secret.as_deref().map(str::as_bytes),
            caller_labels: self.otlp.caller_labels,
            place: &|endpoint| self.places.known.get(endpoint).cloned(),
        };
        let mut kept = 0;
        let mut all = Vec::new();
        for spans in batch.records.iter().filter_map(|record| spans::of(record, &rules)) {
            kept += 1;
            all.extend(spans);
        }
        (all, kept)
    }
}

impl Places {
    /// Takes over what a reload has changed.
    fn refresh(&mut self, world: &World) {
        if self.world == Some(world.number) {
            return;
        }
        self.world = Some(world.number);
        let place = |endpoint: &catalog::Endpoint| {
            let model = world.snapshot.models.get(endpoint.model)?.id.to_string();
            let target = world.providers.get(endpoint.provider)?.target.as_ref();
            let server = target.map(|target| (target.host.clone(), target.port));
            Some((endpoint.id.to_string(), Place { model, server }))
        };
        self.known = world.snapshot.endpoints.iter().filter_map(place).collect();
    }
}

/// The pause after so many failures in a row, with a share of chance so that many nodes don't come back at once.
fn pause(failures: u32) -> Duration {
    let whole = PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(PAUSE_MAX);
    let mut random = [0u8; 1];
    // Without randomness the pause is the shortest.
    let _ = getrandom::fill(&mut random);
    whole.mul_f64(0.75 + f64::from(random[0]) / 1024.0)
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// The job. When everything stops, what is left is sent once more, for a short while; the rest waits for the next start.
pub(crate) async fn run(gateway: Arc<Gateway>, mut exporter: Exporter, mut stopping: watch::Receiver<bool>) {
    let interval = Duration::from_millis(exporter.otlp.interval_ms);
    gateway.jobs.starts(Job::Telemetry, interval);
    loop {
        let run = gateway.begin_job(Job::Telemetry);
        let stepped = exporter.step(&gateway).await;
        run.over(match &stepped {
            Ok(Next::Go | Next::Idle) => Ok(()),
            Ok(Next::Wait(_)) => Err(String::from("the collector can't take spans now; they wait")),
            Err(error) => Err(format!("{error:#}")),
        });
        let next = stepped.unwrap_or_else(|error| {
            tracing::error!(error = %format!("{error:#}"), "spans can't be exported now");
            Next::Wait(PAUSE_MAX)
        });
        let wait = match next {
            Next::Go => Duration::ZERO,
            Next::Idle => interval,
            Next::Wait(wait) => wait,
        };
        if super::pause(&mut stopping, wait).await {
            break;
        }
    }
    let last = async { while let Ok(Next::Go) = exporter.step(&gateway).await {} };
    let _ = tokio::time::timeout(LAST_SEND_MAX, last).await;
}
