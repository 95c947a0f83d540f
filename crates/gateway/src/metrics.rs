//! Every metric, declared in one struct and written in Prometheus' text format. Labels come from closed sets only.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use guardrails::{Action, Kind, Tally};
use types::Money;

/// What is counted of second legs and of escalations: the name, and what it means.
const SECONDS: [(&str, &str); 5] = [
    ("hedges_total", "Second legs that ended with one winner and one loser."),
    ("hedges_won_total", "Second legs that began first."),
    ("hedges_wasted_nano_usd_total", "Nano-dollars that losers cost."),
    ("escalations_total", "Answers that were set aside for those of better models."),
    ("escalations_wasted_nano_usd_total", "Nano-dollars that they cost."),
];

/// What is counted of telemetry: the name, and what it means.
const TELEMETRY: [(&str, &str, &str); 6] = [
    ("telemetry_generations_total", "counter", "Generations whose spans the collector took."),
    (
        "telemetry_sampled_out_total",
        "counter",
        "Generations that were left out, as the share or the caller's trace says.",
    ),
    (
        "telemetry_lost_total",
        "counter",
        "Generations that the collector will not get: refused, or more waited than may wait.",
    ),
    ("telemetry_spans_rejected_total", "counter", "Spans that the collector took and then did not want."),
    (
        "telemetry_retries_total",
        "counter",
        "Times that the collector was out of reach, or asked to be tried again.",
    ),
    ("telemetry_waiting_bytes", "gauge", "Bytes of the journal that wait for the collector."),
];

/// What may become of a finding.
const ACTIONS: [Action; 3] = [Action::Flag, Action::Mask, Action::Block];

/// Counters and gauges of this process.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Chat requests taken in.
    pub requests: AtomicU64,
    /// Answers by status class: 2xx, 4xx, 5xx.
    pub answers: [AtomicU64; 3],
    /// Attempts at providers.
    pub attempts: AtomicU64,
    /// Attempts that failed.
    pub attempts_failed: AtomicU64,
    /// Calls that the client left.
    pub cancelled: AtomicU64,
    /// Calls that go on although the client left.
    pub reading_on: AtomicI64,
    /// Answers told again for their `Idempotency-Key`.
    pub replays: AtomicU64,
    /// Calls in flight.
    pub in_flight: AtomicI64,
    /// Holds not yet settled.
    pub holds_open: AtomicI64,
    /// Calls waiting for money that others hold.
    pub hold_waiters: AtomicI64,
    /// Records appended to the journal.
    pub journal_records: AtomicU64,
    /// Records appended and not yet folded into the store.
    pub journal_unfolded: AtomicI64,
    /// Times that the journal could not be written.
    pub journal_errors: AtomicU64,
    /// What callers were charged, nano-dollars.
    pub charged_nano_usd: AtomicU64,
    /// Second legs that were asked; those that won; what losers cost, nano-dollars.
    pub hedges: [AtomicU64; 3],
    /// Answers that were set aside for those of better models; what they cost, nano-dollars.
    pub escalations: [AtomicU64; 2],
    /// Calls answered from the response cache.
    pub cache_hits: AtomicU64,
    /// Calls that looked into the response cache and found nothing.
    pub cache_misses: AtomicU64,
    /// What became of generations that are told to a collector.
    pub telemetry: Telemetry,
    /// Panics caught.
    pub panics: AtomicU64,
    /// What guardrails found, by kind (patterns of one's own last) and by action: flag, mask, block.
    pub guardrails: [[AtomicU64; 3]; Kind::COUNT + 1],
}

/// What became of generations that are told to a collector of telemetry.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// Its spans were taken.
    pub exported: AtomicU64,
    /// Left out, as the share or the caller's trace says.
    pub sampled_out: AtomicU64,
    /// Refused, or pushed out by newer ones.
    pub lost: AtomicU64,
    /// Spans that the collector took and then did not want.
    pub spans_rejected: AtomicU64,
    /// Times that the collector was out of reach, or asked to be tried again.
    pub retries: AtomicU64,
    /// Bytes of the journal that wait.
    pub waiting_bytes: AtomicU64,
}

impl Telemetry {
    fn render(&self, out: &mut String) {
        let values = [
            &self.exported,
            &self.sampled_out,
            &self.lost,
            &self.spans_rejected,
            &self.retries,
            &self.waiting_bytes,
        ];
        for ((name, kind, help), value) in TELEMETRY.iter().zip(values) {
            let value = value.load(Ordering::Relaxed);
            let _ = write!(
                out,
                "# HELP tollway_{name} {help}\n# TYPE tollway_{name} {kind}\ntollway_{name} {value}\n"
            );
        }
    }
}

impl Metrics {
    /// Counts an answer by its status.
    pub fn answered(&self, status: u16) {
        let class = match status {
            0..=399 => 0,
            400..=499 => 1,
            _ => 2,
        };
        if let Some(counter) = self.answers.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a hedge by whether its second leg won, and what the loser cost.
    pub fn hedged(&self, won: bool, wasted: Money) {
        for (counter, more) in
            self.hedges.iter().zip([1, u64::from(won), wasted.nanos().max(0).unsigned_abs()])
        {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Counts what guardrails found.
    pub fn guarded(&self, tally: &Tally) {
        for found in tally.counts() {
            let known = Kind::ALL.iter().position(|kind| kind.name() == found.kind);
            let action = ACTIONS.iter().position(|action| *action == found.action);
            let row = self.guardrails.get(known.unwrap_or(Kind::COUNT));
            if let Some(counter) = row.zip(action).and_then(|(row, action)| row.get(action)) {
                counter.fetch_add(u64::from(found.count), Ordering::Relaxed);
            }
        }
    }

    /// Counts an answer that was set aside for that of a better model, and what it cost.
    pub fn escalated(&self, wasted: Money) {
        for (counter, more) in self.escalations.iter().zip([1, wasted.nanos().max(0).unsigned_abs()]) {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// The text of `GET /metrics`; names begin with the brand-independent `tollway_`.
    /// `cache`: answers in the response cache, and their bytes.
    pub fn render(&self, cache: (usize, usize)) -> String {
        let mut out = String::with_capacity(2048);
        let mut line = |name: &str, kind: &str, help: &str, value: i128| {
            let _ = write!(
                out,
                "# HELP tollway_{name} {help}\n# TYPE tollway_{name} {kind}\ntollway_{name} {value}\n"
            );
        };
        let count = |c: &AtomicU64| i128::from(c.load(Ordering::Relaxed));
        let gauge = |c: &AtomicI64| i128::from(c.load(Ordering::Relaxed));
        line("requests_total", "counter", "Chat requests taken in.", count(&self.requests));
        line("attempts_total", "counter", "Attempts at providers.", count(&self.attempts));
        line("attempts_failed_total", "counter", "Attempts that failed.", count(&self.attempts_failed));
        line("cancelled_total", "counter", "Calls that the client left.", count(&self.cancelled));
        line("reading_on", "gauge", "Calls that go on although the client left.", gauge(&self.reading_on));
        line("idempotency_replays_total", "counter", "Answers told again for a key.", count(&self.replays));
        line("in_flight", "gauge", "Calls in flight.", gauge(&self.in_flight));
        line("holds_open", "gauge", "Holds not yet settled.", gauge(&self.holds_open));
        line("hold_waiters", "gauge", "Calls waiting for money that others hold.", gauge(&self.hold_waiters));
        line(
            "journal_records_total",
            "counter",
            "Records appended to the journal.",
            count(&self.journal_records),
        );
        line(
            "journal_unfolded_records",
            "gauge",
            "Records not yet folded into the store.",
            gauge(&self.journal_unfolded),
        );
        line(
            "journal_errors_total",
            "counter",
            "Times that the journal could not be written.",
            count(&self.journal_errors),
        );
        line("charged_nano_usd_total", "counter", "Nano-dollars charged.", count(&self.charged_nano_usd));
        for ((name, help), counter) in SECONDS.iter().zip(self.hedges.iter().chain(&self.escalations)) {
            line(name, "counter", help, count(counter));
        }
        line(
            "cache_hits_total",
            "counter",
            "Calls answered from the response cache.",
            count(&self.cache_hits),
        );
        line(
            "cache_misses_total",
            "counter",
            "Calls that found nothing in the response cache.",
            count(&self.cache_misses),
        );
        line("cache_entries", "gauge", "Answers in the response cache.", cache.0 as i128);
        line("cache_bytes", "gauge", "Memory that they take.", cache.1 as i128);
        line("panics_total", "counter", "Panics caught.", count(&self.panics));
        self.telemetry.render(&mut out);
        self.render_answers(&mut out);
        self.render_guardrails(&mut out);
        out
    }

    fn render_guardrails(&self, out: &mut String) {
        out.push_str("# HELP tollway_guardrails_total What guardrails found.\n# TYPE tollway_guardrails_total counter\n");
        let kinds = Kind::ALL.iter().map(|kind| kind.name()).chain(["pattern"]);
        for (kind, row) in kinds.zip(&self.guardrails) {
            for (action, counter) in ACTIONS.iter().zip(row) {
                let count = counter.load(Ordering::Relaxed);
                if count > 0 {
                    let action = action.name();
                    let _ = writeln!(
                        out,
                        "tollway_guardrails_total{{kind=\"{kind}\",action=\"{action}\"}} {count}"
                    );
                }
            }
        }
    }

    fn render_answers(&self, out: &mut String) {
        out.push_str(
            "# HELP tollway_answers_total Answers by status class.\n# TYPE tollway_answers_total counter\n",
        );
        for (class, counter) in ["2xx", "4xx", "5xx"].iter().zip(&self.answers) {
            let count = counter.load(Ordering::Relaxed);
            let _ = writeln!(out, "tollway_answers_total{{class=\"{class}\"}} {count}");
        }
    }
}
