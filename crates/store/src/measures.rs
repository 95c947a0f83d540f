//! What is counted of generations, and how a record adds to it.

use ledger::{Correction, GenerationRecord, Status};
use types::{PriceSheet, Usage};

use crate::sketch::Sketch;

/// What one generation can add to a bucket: no provider's nonsense may overflow a sum.
const UNITS_PER_GENERATION_MAX: u64 = 1_000_000_000_000;

macro_rules! measures {
    ($($name:ident $column:literal $about:literal,)+) => {
        /// Something that is counted. Amounts are nano-dollars, times microseconds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Measure {
            $(#[doc = $about] $name,)+
        }

        impl Measure {
            /// All of them, in the order of columns.
            pub const ALL: [Measure; Measure::COUNT] = [$(Measure::$name,)+];
            /// How many there are.
            pub const COUNT: usize = [$($column,)+].len();

            /// The column in every rollup.
            pub(crate) const fn column(self) -> &'static str {
                match self {
                    $(Measure::$name => $column,)+
                }
            }
        }
    };
}

measures! {
    Requests "requests" "Generations.",
    Failed "failed" "Those of them of which no answer began.",
    Input "input" "Fresh text input, tokens.",
    CacheRead "cache_read" "Input read from prompt caches, tokens.",
    CacheWrite "cache_write" "Input written to prompt caches, tokens.",
    CacheWrite1h "cache_write_1h" "Input written to prompt caches for an hour, tokens.",
    AudioInput "audio_input" "Audio input, tokens.",
    ImageInput "image_input" "Image input that is priced apart, tokens.",
    Output "output" "Visible text output, tokens.",
    Reasoning "reasoning" "Reasoning output, tokens.",
    AudioOutput "audio_output" "Audio output, tokens.",
    ImageOutput "image_output" "Image output, tokens.",
    Searches "searches" "Web searches and search units.",
    Images "images" "Images made.",
    AudioSeconds "audio_seconds" "Audio heard, seconds.",
    Characters "characters" "Characters spoken.",
    Cost "cost" "What they cost at list price, corrections included.",
    Charged "charged" "What the account was charged, corrections included.",
    ByokCost "byok_cost" "Of the cost, what own keys of the account's paid.",
    Cancelled "cancelled" "Those whose client left before the end.",
    Truncated "truncated" "Those that began and could not be finished.",
    CachedAnswers "cached_answers" "Those that the response cache answered.",
    ByokRequests "byok_requests" "Those that own keys of the account's paid.",
    ProviderCost "provider_cost" "What providers take, every attempt counted.",
    ByokFees "byok_fees" "Of what was charged, fees for own keys.",
    Saved "saved" "What prompt caches made cheaper, less what writing them made dearer.",
    TtftUs "ttft_us" "Sum of the times to the first byte of content.",
    TtftCount "ttft_count" "How many of them there were.",
    DurationUs "duration_us" "Sum of the times to the last byte.",
    SpeedTokens "speed_tokens" "Output tokens of streams that were timed.",
    SpeedUs "speed_us" "How long those streams wrote, from the first byte to the last.",
    Streamed "streamed" "Those whose answer was a stream.",
    Embeddings "embeddings" "Those that asked for embeddings.",
    ImageCalls "image_calls" "Those that asked for images.",
    SpeechCalls "speech_calls" "Those that asked for speech.",
    Transcriptions "transcriptions" "Those that asked for transcriptions.",
    Reranks "reranks" "Those that asked for a rerank.",
}

/// Sums in the order of [`Measure::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums([i64; Measure::COUNT]);

impl Default for Sums {
    fn default() -> Sums {
        Sums([0; Measure::COUNT])
    }
}

impl Sums {
    /// One of them.
    pub fn get(&self, measure: Measure) -> i64 {
        self.0.get(measure as usize).copied().unwrap_or_default()
    }

    /// Puts a number in place of one of them.
    pub fn put(&mut self, measure: Measure, number: i64) {
        if let Some(slot) = self.0.get_mut(measure as usize) {
            *slot = number;
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Sums) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, number)| *sum = sum.saturating_add(*number));
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = i64> {
        self.0.iter().copied()
    }

    /// The buckets of tokens and other units; `requests` in it is 0.
    pub fn usage(&self) -> Usage {
        let of = |measure| self.get(measure).max(0).unsigned_abs();
        Usage {
            input: of(Measure::Input),
            cache_read: of(Measure::CacheRead),
            cache_write: of(Measure::CacheWrite),
            cache_write_1h: of(Measure::CacheWrite1h),
            audio_input: of(Measure::AudioInput),
            image_input: of(Measure::ImageInput),
            output: of(Measure::Output),
            reasoning: of(Measure::Reasoning),
            audio_output: of(Measure::AudioOutput),
            image_output: of(Measure::ImageOutput),
            requests: 0,
            searches: of(Measure::Searches),
            images: of(Measure::Images),
            audio_seconds: of(Measure::AudioSeconds),
            characters: of(Measure::Characters),
        }
    }
}

/// What is kept as a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spread {
    /// Microseconds to the first byte of content, of streams.
    Ttft,
    /// Microseconds to the last byte, of answers that arrived whole.
    Duration,
    /// Thousandths of tokens per second, from the first byte to the last, of streams.
    Speed,
}

impl Spread {
    /// All of them, in the order of columns.
    pub const ALL: [Spread; 3] = [Spread::Ttft, Spread::Duration, Spread::Speed];

    pub(crate) const fn column(self) -> &'static str {
        match self {
            Spread::Ttft => "ttft_sketch",
            Spread::Duration => "duration_sketch",
            Spread::Speed => "speed_sketch",
        }
    }
}

/// What is known of some generations together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What was counted.
    pub sums: Sums,
    /// Distributions, in the order of [`Spread::ALL`].
    pub spreads: [Sketch; 3],
}

impl Figures {
    /// A distribution.
    pub fn spread(&self, spread: Spread) -> &Sketch {
        let [ttft, duration, speed] = &self.spreads;
        match spread {
            Spread::Ttft => ttft,
            Spread::Duration => duration,
            Spread::Speed => speed,
        }
    }

    /// Takes in others.
    pub fn add(&mut self, other: &Figures) {
        self.sums.add(&other.sums);
        self.spreads.iter_mut().zip(&other.spreads).for_each(|(sum, spread)| sum.merge(spread));
    }

    /// Of one generation; `sheet`: the prices that applied.
    pub(crate) fn of(record: &GenerationRecord, sheet: &PriceSheet) -> Figures {
        let mut figures = Figures { sums: sums(record, sheet), ..Figures::default() };
        let [ttft, duration, speed] = &mut figures.spreads;
        if record.status == Status::Ok {
            duration.add(record.duration_us);
        }
        if let Some(us) = first_byte(record) {
            ttft.add(us);
        }
        if let Some((tokens, us)) = written(record) {
            speed.add(i64::try_from(i128::from(tokens) * 1_000_000_000 / i128::from(us)).unwrap_or(i64::MAX));
        }
        figures
    }

    /// What a correction changes: amounts only.
    pub(crate) fn of_correction(record: &GenerationRecord, correction: &Correction) -> Figures {
        let mut sums = Sums::default();
        sums.put(Measure::Cost, correction.cost.nanos());
        sums.put(Measure::Charged, correction.charged.nanos());
        sums.put(Measure::ProviderCost, correction.provider_cost.nanos());
        if record.byok_key.is_some() {
            sums.put(Measure::ByokCost, correction.cost.nanos());
            sums.put(Measure::ByokFees, correction.charged.nanos());
        }
        Figures { sums, ..Figures::default() }
    }
}

/// Only a stream's first byte says when the model began; an answer that comes whole is all there at once.
fn first_byte(record: &GenerationRecord) -> Option<i64> {
    record.ttft_us.filter(|us| record.streamed && *us >= 0 && record.cache_source.is_none())
}

/// Tokens that a stream wrote, and how long it took from the first byte to the last.
fn written(record: &GenerationRecord) -> Option<(i64, i64)> {
    let us = record.duration_us.checked_sub(first_byte(record)?)?;
    let tokens = record.usage.output_total().min(UNITS_PER_GENERATION_MAX).cast_signed();
    (us > 0 && tokens > 0).then_some((tokens, us))
}

/// What the same input would have cost beyond the cost, had nothing been read from a prompt cache or written to one.
fn saved(record: &GenerationRecord, sheet: &PriceSheet) -> i64 {
    let usage = &record.usage;
    let cached = [usage.cache_read, usage.cache_write, usage.cache_write_1h];
    if cached == [0; 3] || record.cost.lines.is_empty() {
        return 0;
    }
    let input = cached.into_iter().fold(usage.input, u64::saturating_add);
    let plain = Usage { input, cache_read: 0, cache_write: 0, cache_write_1h: 0, ..*usage };
    sheet.total(&plain, record.created).map_or(0, |total| total.saturating_sub(record.cost.total).nanos())
}

fn sums(record: &GenerationRecord, sheet: &PriceSheet) -> Sums {
    let u = &record.usage;
    let mut sums = Sums::default();
    let units = [
        (Measure::Input, u.input),
        (Measure::CacheRead, u.cache_read),
        (Measure::CacheWrite, u.cache_write),
        (Measure::CacheWrite1h, u.cache_write_1h),
        (Measure::AudioInput, u.audio_input),
        (Measure::ImageInput, u.image_input),
        (Measure::Output, u.output),
        (Measure::Reasoning, u.reasoning),
        (Measure::AudioOutput, u.audio_output),
        (Measure::ImageOutput, u.image_output),
        (Measure::Searches, u.searches),
        (Measure::Images, u.images),
        (Measure::AudioSeconds, u.audio_seconds),
        (Measure::Characters, u.characters),
    ];
    for (measure, units) in units {
        sums.put(measure, units.min(UNITS_PER_GENERATION_MAX).cast_signed());
    }
    let task = match record.dialect.as_str() {
        "embeddings" => Some(Measure::Embeddings),
        "images" => Some(Measure::ImageCalls),
        "speech" => Some(Measure::SpeechCalls),
        "transcriptions" => Some(Measure::Transcriptions),
        "rerank" => Some(Measure::Reranks),
        _ => None,
    };
    let is_own = record.byok_key.is_some();
    let flags = [
        (Measure::Requests, true),
        (Measure::Failed, record.status == Status::Failed),
        (Measure::Cancelled, record.status == Status::Cancelled),
        (Measure::Truncated, record.status == Status::Truncated),
        (Measure::CachedAnswers, record.cache_source.is_some()),
        (Measure::ByokRequests, is_own),
        (Measure::Streamed, record.streamed),
        (Measure::TtftCount, first_byte(record).is_some()),
    ];
    for (measure, _) in flags.into_iter().filter(|(_, holds)| *holds).chain(task.map(|task| (task, true))) {
        sums.put(measure, 1);
    }
    sums.put(Measure::Cost, record.cost.total.nanos());
    sums.put(Measure::Charged, record.charged.nanos());
    sums.put(Measure::ProviderCost, record.provider_cost.nanos());
    if is_own {
        sums.put(Measure::ByokCost, record.cost.total.nanos());
        sums.put(Measure::ByokFees, record.charged.nanos());
    }
    sums.put(Measure::Saved, saved(record, sheet));
    sums.put(Measure::TtftUs, first_byte(record).unwrap_or_default());
    sums.put(Measure::DurationUs, record.duration_us);
    let (tokens, us) = written(record).unwrap_or_default();
    sums.put(Measure::SpeedTokens, tokens);
    sums.put(Measure::SpeedUs, us);
    sums
}
