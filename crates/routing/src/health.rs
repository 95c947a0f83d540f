//! What an endpoint's own traffic says of it: how soon it begins, how fast it writes, how often it fails.
//!
//! - Every attempt is a [`Sample`]. Time and speed are kept apart by the size of the prompt ([`Size`]), since a long prompt
//!   takes longer to begin everywhere.
//! - Quantiles come from sketches (relative error [`RELATIVE_ERROR`]), one per minute, over the last [`MINUTES_SHOWN`]
//!   minutes; routing looks at the last [`MINUTES_ROUTED`].
//! - Beside them the [`LATEST`] newest times are kept, for their median: the quantiles of five minutes take half of those to
//!   notice that an endpoint has become slow, and of one that is avoided since they soon say nothing at all.
//! - Uptime is answers of answers and failures. What the caller did wrong, left or was told to wait for (429) is neither.
//!   It is kept in steps of five minutes for a day.
//! - Fewer than [`SAMPLES_MIN`] samples say nothing: the figure is absent, not a guess. A size with too few takes those of
//!   all sizes.
//! - All of it survives a restart as far as it is not older than a day.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};
use types::Timestamp;

/// How far a quantile may be off.
pub const RELATIVE_ERROR: f64 = 0.02;
/// The window of what people are shown, minutes.
pub const MINUTES_SHOWN: i64 = 30;
/// The window of what routing goes by, minutes.
pub const MINUTES_ROUTED: i64 = 5;
/// Samples below which nothing is said.
pub const SAMPLES_MIN: u64 = 5;
/// The newest times to the first token whose median is kept.
pub const LATEST: usize = 31;
/// Newest times below which their median says nothing.
const LATEST_MIN: u64 = 9;
/// The newest times are news when their median is so many times that of the window, or it theirs.
const NEWS_FACTOR: f64 = 1.5;
/// Most bins of a sketch.
const BINS_MAX: u32 = 512;
const MINUTE_US: i64 = 60_000_000;
/// Steps of uptime in a day.
const STEPS: i64 = 288;
/// Steps of uptime in an hour.
const STEPS_PER_HOUR: i64 = 12;
const STEP_US: i64 = 5 * MINUTE_US;

/// How long a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// Below 2,000 tokens.
    Small,
    /// Below 16,000 tokens.
    Medium,
    /// The rest.
    Large,
}

impl Size {
    /// All, smallest first.
    pub const ALL: [Size; 3] = [Size::Small, Size::Medium, Size::Large];

    /// The size of a prompt of so many tokens.
    pub const fn of(input_tokens: u64) -> Size {
        match input_tokens {
            0..2_000 => Size::Small,
            2_000..16_000 => Size::Medium,
            _ => Size::Large,
        }
    }
}

/// How an attempt ended, as far as its endpoint is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It answered.
    Answered,
    /// It failed.
    Failed,
    /// 429.
    Busy,
    /// It has begun, or was left before; how it ends counts when it has.
    Begun,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it ended.
    pub at: Timestamp,
    /// How long the prompt was.
    pub size: Size,
    /// How it ended.
    pub ending: Ending,
    /// To the first token, microseconds; only of streams.
    pub ttft_us: Option<u64>,
    /// Tokens written, and the microseconds from the first to the last of them.
    pub written: Option<(u64, u64)>,
    /// Whether the arguments of its tool calls are JSON; `None`: it called none.
    pub tool_calls_good: Option<bool>,
    /// Whether the JSON that was asked for came; `None`: none was asked for, or it can't be said.
    pub json_good: Option<bool>,
}

/// Quantiles of times: `p90` is what nine of ten don't exceed. Of speeds: what nine of ten reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half.
    pub p50: f64,
    /// Three quarters.
    pub p75: f64,
    /// Nine tenths.
    pub p90: f64,
    /// Ninety-five of a hundred.
    pub p95: f64,
    /// Ninety-nine of a hundred.
    pub p99: f64,
}

/// Answers and failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {
    /// Answers.
    pub answered: u64,
    /// Failures.
    pub failed: u64,
    /// 429s, which count as neither.
    pub busy: u64,
}

impl Uptime {
    /// The share of answers, 0 to 1; `None` below [`SAMPLES_MIN`] samples.
    pub fn share(self) -> Option<f64> {
        let all = self.answered + self.failed;
        (all >= SAMPLES_MIN).then(|| self.answered as f64 / all as f64)
    }

    fn add(&mut self, other: Uptime) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.busy += other.busy;
    }
}

/// What is known over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// To the first token, milliseconds.
    pub ttft_ms: Option<Quantiles>,
    /// The median of the newest times to the first token of this size, milliseconds: of those within the window, or where those
    /// are too few, within what people are shown.
    pub latest_ttft_ms: Option<f64>,
    /// Tokens per second while writing.
    pub tokens_per_s: Option<Quantiles>,
    /// Samples of the time to the first token.
    pub samples: u64,
    /// Over the same window.
    pub uptime: Uptime,
    /// When it last failed.
    pub last_failure: Option<Timestamp>,
    /// Tool calls with good arguments, and all.
    pub tool_calls: (u64, u64),
    /// Answers with the JSON that was asked for, and all that were to be JSON.
    pub json: (u64, u64),
}

impl Figures {
    /// How soon it begins, milliseconds: the median of the window, unless that of the newest times is news or all there is.
    pub fn begins_ms(&self) -> Option<f64> {
        let Some(median) = self.ttft_ms.map(|known| known.p50) else { return self.latest_ttft_ms };
        let is_news = |latest: &f64| *latest > median * NEWS_FACTOR || *latest * NEWS_FACTOR < median;
        Some(self.latest_ttft_ms.filter(is_news).unwrap_or(median))
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Minute {
    /// Minutes since 1970.
    number: i64,
    ttft: [Option<DDSketch>; 3],
    speed: [Option<DDSketch>; 3],
    tool_calls: (u64, u64),
    #[serde(default)]
    json: (u64, u64),
    uptime: Uptime,
}

impl Minute {
    fn take(&mut self, sample: &Sample, outcome: Uptime) {
        self.uptime.add(outcome);
        let at = sample.size as usize;
        if let (Some(us), Some(sketch)) = (sample.ttft_us, self.ttft.get_mut(at)) {
            sketch.get_or_insert_with(sketch_of_ours).add(us as f64 / 1_000.0);
        }
        if let (Some((tokens, us)), Some(sketch)) = (sample.written, self.speed.get_mut(at))
            && us > 0
            && tokens > 0
        {
            sketch.get_or_insert_with(sketch_of_ours).add(tokens as f64 * 1_000_000.0 / us as f64);
        }
        let judged = [(sample.tool_calls_good, &mut self.tool_calls), (sample.json_good, &mut self.json)];
        for (good, (of_them, all)) in judged.into_iter().filter_map(|(good, sums)| Some((good?, sums))) {
            *of_them += u64::from(good);
            *all += 1;
        }
    }
}

/// The record of one endpoint.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Health {
    minutes: VecDeque<Minute>,
    /// Five-minute steps since 1970, oldest first.
    steps: VecDeque<(i64, Uptime)>,
    /// By size: the newest times to the first token, milliseconds, oldest first.
    #[serde(default)]
    latest: [VecDeque<(Timestamp, f64)>; 3],
    last_failure: Option<Timestamp>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Health({} minutes, {} steps)", self.minutes.len(), self.steps.len())
    }
}

impl Health {
    /// Takes in an attempt.
    pub fn record(&mut self, sample: &Sample) {
        let outcome = match sample.ending {
            Ending::Answered => Uptime { answered: 1, ..Uptime::default() },
            Ending::Failed => Uptime { failed: 1, ..Uptime::default() },
            Ending::Busy => Uptime { busy: 1, ..Uptime::default() },
            Ending::Begun => Uptime::default(),
        };
        if sample.ending == Ending::Failed {
            self.last_failure = Some(sample.at);
        }
        if let (Some(us), Some(latest)) = (sample.ttft_us, self.latest.get_mut(sample.size as usize)) {
            latest.push_back((sample.at, us as f64 / 1_000.0));
            latest.drain(..latest.len().saturating_sub(LATEST));
        }
        let step = sample.at.0.div_euclid(STEP_US);
        match self.steps.back_mut().filter(|(number, _)| *number >= step) {
            Some((_, uptime)) => uptime.add(outcome),
            None => self.steps.push_back((step, outcome)),
        }
        while self.steps.front().is_some_and(|(number, _)| *number <= step - STEPS) {
            self.steps.pop_front();
        }
        self.minute(sample.at.0.div_euclid(MINUTE_US), |minute| minute.take(sample, outcome));
    }

    /// Gives the minute to `write`. A clock that went back writes into the newest one.
    fn minute(&mut self, number: i64, write: impl FnOnce(&mut Minute)) {
        if let Some(newest) = self.minutes.back_mut().filter(|minute| minute.number >= number) {
            return write(newest);
        }
        while self.minutes.front().is_some_and(|minute| minute.number <= number - MINUTES_SHOWN) {
            self.minutes.pop_front();
        }
        let (ttft, speed) = Default::default();
        let uptime = Uptime::default();
        let mut newest = Minute { number, ttft, speed, tool_calls: (0, 0), json: (0, 0), uptime };
        write(&mut newest);
        self.minutes.push_back(newest);
    }

    /// Whether nothing was ever recorded.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What the last `minutes` say of prompts of this size; `None`: of all.
    pub fn figures(&self, size: impl Into<Option<Size>>, minutes: i64, now: Timestamp) -> Figures {
        let size = size.into();
        let first = now.0.div_euclid(MINUTE_US) - minutes;
        let within = || self.minutes.iter().filter(move |minute| minute.number > first);
        let ttft = merged(within().map(|minute| &minute.ttft), size);
        let speed = merged(within().map(|minute| &minute.speed), size);
        let mut figures = Figures { last_failure: self.last_failure, ..Figures::default() };
        for minute in within() {
            figures.uptime.add(minute.uptime);
            figures.tool_calls.0 += minute.tool_calls.0;
            figures.tool_calls.1 += minute.tool_calls.1;
            figures.json.0 += minute.json.0;
            figures.json.1 += minute.json.1;
        }
        figures.samples = ttft.as_ref().map_or(0, |sketch| sketch.count() as u64);
        figures.ttft_ms = ttft.and_then(|sketch| quantiles(&sketch, |share| share));
        figures.tokens_per_s = speed.and_then(|sketch| quantiles(&sketch, |share| 1.0 - share));
        let (within, enough) =
            if figures.ttft_ms.is_some() { (minutes, LATEST_MIN) } else { (MINUTES_SHOWN, SAMPLES_MIN) };
        figures.latest_ttft_ms = size.and_then(|size| self.latest(size, within, enough, now));
        figures
    }

    fn latest(&self, size: Size, minutes: i64, enough: u64, now: Timestamp) -> Option<f64> {
        let first = Timestamp(now.0.saturating_sub(minutes.saturating_mul(MINUTE_US)));
        let newest = self.latest.get(size as usize)?.iter().filter(|(at, _)| *at > first);
        let mut newest: Vec<f64> = newest.map(|(_, ms)| *ms).collect();
        newest.sort_unstable_by(f64::total_cmp);
        newest.get(newest.len() / 2).copied().filter(|_| newest.len() as u64 >= enough)
    }

    /// Answers and failures of the last `minutes`, in steps of five.
    pub fn uptime(&self, minutes: i64, now: Timestamp) -> Uptime {
        let first = now.0.div_euclid(STEP_US) - minutes / 5;
        let mut uptime = Uptime::default();
        self.steps.iter().filter(|(number, _)| *number > first).for_each(|(_, step)| uptime.add(*step));
        uptime
    }

    /// Answers and failures of the last 24 hours, by the hour, oldest first.
    pub fn hours(&self, now: Timestamp) -> [Uptime; 24] {
        let mut hours = [Uptime::default(); 24];
        let last = now.0.div_euclid(STEP_US);
        for (number, step) in &self.steps {
            let ago = (last - number).max(0) / STEPS_PER_HOUR;
            let at = usize::try_from(23 - ago).ok();
            if let Some(hour) = at.and_then(|at| hours.get_mut(at)) {
                hour.add(*step);
            }
        }
        hours
    }
}

fn sketch_of_ours() -> DDSketch {
    DDSketch::new(Config::new(RELATIVE_ERROR, BINS_MAX, 1e-3))
}

/// The sketch of one size, or of all where none is named or the one has too few samples.
fn merged<'m>(
    minutes: impl Iterator<Item = &'m [Option<DDSketch>; 3]> + Clone,
    size: Option<Size>,
) -> Option<DDSketch> {
    let join = |pick: &dyn Fn(usize) -> bool| {
        let mut all = sketch_of_ours();
        for sketches in minutes.clone() {
            for (_, sketch) in sketches.iter().enumerate().filter(|(at, _)| pick(*at)) {
                // They were made alike, so merging them can't fail.
                let _ = sketch.as_ref().map(|sketch| all.merge(sketch));
            }
        }
        (all.count() as u64 >= SAMPLES_MIN).then_some(all)
    };
    let one = size.and_then(|size| join(&|at| at == size as usize));
    one.or_else(|| join(&|_| true))
}

fn quantiles(sketch: &DDSketch, share: impl Fn(f64) -> f64) -> Option<Quantiles> {
    let at = |wanted: f64| sketch.quantile(share(wanted)).ok().flatten();
    Some(Quantiles { p50: at(0.5)?, p75: at(0.75)?, p90: at(0.9)?, p95: at(0.95)?, p99: at(0.99)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn answered(seconds: i64, ttft_ms: u64) -> Sample {
        Sample {
            at: at(seconds),
            size: Size::Small,
            ending: Ending::Answered,
            ttft_us: Some(ttft_ms * 1_000),
            written: Some((100, 2_000_000)),
            tool_calls_good: None,
            json_good: None,
        }
    }

    fn close(value: f64, to: f64) -> bool {
        (value - to).abs() <= to * RELATIVE_ERROR * 1.5
    }

    #[test]
    fn quantiles_are_near_the_truth_and_speed_counts_from_below() {
        let mut health = Health::default();
        for ms in 1..=1_000 {
            health.record(&Sample { written: Some((ms, 1_000_000)), ..answered(0, ms) });
        }
        let figures = health.figures(Size::Small, 5, at(1));
        let (ttft, speed) = (figures.ttft_ms.unwrap(), figures.tokens_per_s.unwrap());
        assert!(close(ttft.p50, 500.0) && close(ttft.p90, 900.0) && close(ttft.p99, 990.0), "{ttft:?}");
        assert!(close(speed.p50, 500.0) && close(speed.p90, 100.0), "{speed:?}");
        assert_eq!(figures.samples, 1_000);
    }

    #[test]
    fn few_samples_say_nothing_and_a_rare_size_takes_those_of_all() {
        let mut health = Health::default();
        (0..4).for_each(|_| health.record(&answered(0, 100)));
        assert_eq!(health.figures(Size::Small, 5, at(0)).ttft_ms, None);
        health.record(&answered(0, 100));
        assert!(health.figures(Size::Large, 5, at(0)).ttft_ms.is_some(), "better than nothing");
        (0..5).for_each(|_| health.record(&Sample { size: Size::Large, ..answered(0, 900) }));
        let of = |size| health.figures(size, 5, at(0)).ttft_ms.unwrap().p50;
        assert!(close(of(Size::Large), 900.0) && close(of(Size::Small), 100.0));
    }

    #[test]
    fn windows_slide() {
        let mut health = Health::default();
        (0..10).for_each(|_| health.record(&answered(0, 100)));
        (0..10).for_each(|_| health.record(&answered(20 * 60, 300)));
        let of = |minutes, now| health.figures(Size::Small, minutes, at(now)).ttft_ms.map(|q| q.p50);
        assert!(of(5, 20 * 60).is_some_and(|p50| close(p50, 300.0)));
        assert_eq!(health.figures(Size::Small, 30, at(20 * 60)).samples, 20);
        assert_eq!(health.figures(Size::Small, 30, at(35 * 60)).samples, 10);
        assert_eq!(of(30, 3 * 3_600), None);
    }

    #[test]
    fn what_has_become_slow_is_known_after_a_few() {
        let mut health = Health::default();
        (0..1_000).for_each(|n| health.record(&answered(n / 10, 100)));
        let begins = |health: &Health, now| health.figures(Size::Small, 5, at(now)).begins_ms().unwrap();
        (0..15).for_each(|_| health.record(&answered(100, 900)));
        assert!(close(begins(&health, 100), 100.0), "half of the newest are as before");
        health.record(&answered(100, 900));
        assert!(close(begins(&health, 100), 900.0));
        assert!(close(begins(&health, 220), 900.0), "nothing new, and it is not forgotten");
        assert!(close(begins(&health, 1_500), 900.0), "beyond the window it is all there is");
        assert_eq!(health.figures(Size::Small, 5, at(100 + 30 * 60)).begins_ms(), None);
        (0..16).for_each(|_| health.record(&answered(221, 120)));
        assert!(close(begins(&health, 221), 100.0), "what differs little is no news");
        assert!(health.latest.iter().all(|latest| latest.len() <= LATEST));
        let bytes = serde_json::to_string(&health).unwrap();
        let old: Health = serde_json::from_str(&bytes.replace("\"latest\"", "\"later\"")).unwrap();
        assert_eq!(old.figures(Size::Small, 5, at(221)).latest_ttft_ms, None, "files of before are read");
    }

    #[test]
    fn uptime_counts_answers_and_failures_only_for_a_day() {
        let mut health = Health::default();
        (0..90).for_each(|second| health.record(&answered(second, 10)));
        (0..10).for_each(|_| health.record(&Sample { ending: Ending::Failed, ..answered(90, 10) }));
        (0..50).for_each(|_| health.record(&Sample { ending: Ending::Busy, ..answered(91, 10) }));
        assert_eq!(health.uptime(5, at(92)).share(), Some(0.9));
        assert_eq!(health.figures(Size::Small, 5, at(92)).last_failure, Some(at(90)));
        assert_eq!(health.uptime(30, at(40 * 60)).share(), None);
        assert_eq!(health.uptime(1_440, at(23 * 3_600)).answered, 90);
        health.record(&answered(25 * 3_600, 10));
        assert_eq!(health.uptime(1_440, at(25 * 3_600)).answered, 1);
        assert!(health.steps.len() <= 2 && health.minutes.len() == 1, "what is old is gone");
    }

    #[test]
    fn hours_add_up_to_the_day() {
        let mut health = Health::default();
        (0..30).for_each(|n| health.record(&answered(n * 3_600, 10)));
        health.record(&Sample { ending: Ending::Failed, ..answered(29 * 3_600 + 1, 10) });
        let hours = health.hours(at(29 * 3_600 + 2));
        assert_eq!(hours[23], Uptime { answered: 1, failed: 1, busy: 0 });
        assert!(hours.iter().all(|hour| hour.answered == 1), "{hours:?}");
        assert_eq!(
            hours.iter().map(|hour| hour.answered).sum::<u64>(),
            health.uptime(1_440, at(29 * 3_600 + 2)).answered
        );
        assert_eq!(health.hours(at(60 * 3_600)), [Uptime::default(); 24]);
    }

    #[test]
    fn it_survives_being_written_down() {
        let mut health = Health::default();
        (0..100).for_each(|ms| health.record(&answered(ms, 100 + ms as u64)));
        let bytes = serde_json::to_vec(&health).unwrap();
        let back: Health = serde_json::from_slice(&bytes).unwrap();
        let now = at(100);
        assert_eq!(back.figures(Size::Small, 30, now), health.figures(Size::Small, 30, now));
        assert_eq!(back.uptime(30, now), health.uptime(30, now));
    }

    #[test]
    fn json_is_counted_where_it_was_asked_for_and_old_files_are_read() {
        let mut health = Health::default();
        for (second, good) in [(0, Some(true)), (0, Some(false)), (0, None), (60, Some(true))] {
            health.record(&Sample { json_good: good, ..answered(second, 10) });
        }
        let text = serde_json::to_string(&health).unwrap();
        for health in [&health, &serde_json::from_str(&text).unwrap()] {
            assert_eq!(health.figures(None, 5, at(60)).json, (2, 3));
        }
        let old: Health = serde_json::from_str(&text.replace("\"json\"", "\"unknown\"")).unwrap();
        assert_eq!(old.figures(None, 5, at(60)).json, (0, 0));
    }
}
