//! What a replay tells: the two sides beside each other, what may be concluded, and where models would differ.

use routing::replay::{Estimates, Interval, Outcome, calibrate};
use serde_json::{Value, json};
use types::{Money, Timestamp};

use super::tally::{Shift, Side, Tally};
use super::{Cut, Records};
use crate::key::rfc3339;

/// Most shifts that are listed.
const SHIFTS_MAX: usize = 10;

/// One side's figures.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Of the usage that was recorded.
    pub cost: Money,
    /// The mean prior of the models; `None`: none is known.
    pub quality: Option<f64>,
    /// Milliseconds to the first token, and the share of requests of which they are known.
    pub first_token: Option<(f64, f64)>,
    /// Requests without a whole answer; `None`: only an estimate can say.
    pub failed: Option<u64>,
}

/// All that is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What the other side is called.
    pub under: String,
    /// From when on records were asked for.
    pub since: Timestamp,
    /// When the first and the last record began that were read.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Why not all records were read.
    pub cut: Option<Cut>,
    /// Records that were read.
    pub read: u64,
    /// Of them, those from before facts were recorded, answers of the cache, and what is no conversation.
    pub without_facts: u64,
    /// Of them, those that no endpoint fits any more, or none with a price for what was used.
    pub unplanned: u64,
    /// The rest: what was decided once more.
    pub requests: u64,
    /// What happened.
    pub happened: Figures,
    /// What would have.
    pub other: Figures,
    /// The share that is answered well; `None`: there is no request.
    pub answered: Option<Estimates>,
    /// The cost of a request, nano-dollars.
    pub cost: Option<Estimates>,
    /// The largest shifts from one model to another.
    pub shifts: Vec<Shift>,
}

impl Told {
    /// Of all that was taken in. `under`: what the other side is called.
    pub fn of((mut tally, cut): (Tally, Option<Cut>), under: String, records: &Records) -> Told {
        let mut answered: Vec<Outcome> = std::mem::take(&mut tally.answered);
        // The prior says how good answers are, not how often there is one.
        calibrate(&mut answered);
        let figures = |side: &Side, failed| Figures {
            cost: side.cost,
            quality: side.quality(),
            first_token: tally.first_token(side),
            failed,
        };
        Told {
            under,
            since: records.since,
            span: tally.span,
            cut,
            read: tally.read(),
            without_facts: tally.without_facts,
            unplanned: tally.unplanned,
            requests: tally.requests,
            happened: figures(&tally.happened, Some(tally.happened.failed)),
            other: figures(&tally.would, None),
            answered: Estimates::of(&answered),
            cost: Estimates::of(&tally.costs),
            shifts: tally.shifts(SHIFTS_MAX),
        }
    }

    /// Why nothing may be concluded of how well requests are answered; `None`: something may.
    pub fn thin(&self) -> Option<String> {
        let nothing = || {
            "nothing to replay: conversations are recorded with facts as they are served; serve some, or go further back"
                .to_owned()
        };
        self.answered.as_ref().map_or_else(|| Some(nothing()), Estimates::thin)
    }

    /// Why not all records were read; `None`: all were.
    pub fn incomplete(&self) -> Option<String> {
        let from = self.span.map_or_else(String::new, |(first, _)| rfc3339(first));
        let why = match self.cut? {
            Cut::Records(max) => {
                format!("{max} records were read, the most that are (limits.replay_records_max)")
            }
            Cut::Time(max) => format!("{} ms were over (limits.replay_ms_max)", max.as_millis()),
        };
        Some(format!("{why}; those before {from} are left out"))
    }

    /// For programs. Amounts are decimal text.
    pub fn json(&self) -> Value {
        let side = |figures: &Figures| {
            json!({
                "cost_usd": figures.cost.to_string(),
                "expected_quality": figures.quality,
                "first_token_ms": figures.first_token.map(|(ms, _)| ms),
                "first_token_known": figures.first_token.map_or(0.0, |(_, known)| known),
                "failed": figures.failed,
            })
        };
        let thin = self.thin();
        json!({
            "under": self.under,
            "since": rfc3339(self.since),
            "first_record_at": self.span.map(|(first, _)| rfc3339(first)),
            "last_record_at": self.span.map(|(_, last)| rfc3339(last)),
            "complete": self.cut.is_none(),
            "incomplete_because": self.incomplete(),
            "records": self.read,
            "without_facts": self.without_facts,
            "without_plan": self.unplanned,
            "requests": self.requests,
            "conclusive": thin.is_none(),
            "why_not": thin,
            "happened": side(&self.happened),
            "other": side(&self.other),
            "answered": self.answered.as_ref().map(|told| estimates(told, &|share| json!(share))),
            "cost_per_request_usd": self.cost.as_ref().map(|told| estimates(told, &|nanos| json!(usd(nanos)))),
            "shifts": self.shifts.iter().map(shift).collect::<Vec<_>>(),
        })
    }
}

fn shift(shift: &Shift) -> Value {
    json!({
        "from": shift.from,
        "to": shift.to,
        "requests": shift.requests,
        "happened_cost_usd": shift.happened.to_string(),
        "other_cost_usd": shift.other.to_string(),
    })
}

fn estimates(told: &Estimates, show: &dyn Fn(f64) -> Value) -> Value {
    let span = |of: &Interval| json!({ "mean": show(of.mean), "low": show(of.low), "high": show(of.high) });
    json!({
        "happened": span(&told.happened),
        "direct": span(&told.direct),
        "snips": span(&told.snips),
        "doubly_robust": span(&told.robust),
        "effective_sample_size": told.effective,
        "overlap": told.overlap,
        "conclusive": told.thin().is_none(),
        "why_not": told.thin(),
    })
}

/// Nano-dollars of an estimate as dollars, rounded to whole nano-dollars.
pub fn usd(nanos: f64) -> String {
    Money::from_nanos(nanos.round() as i64).to_string()
}
