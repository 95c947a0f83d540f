//! The names that use is asked for by: metrics, and what they are told apart by. OpenRouter's names where it has one, our own beside
//! them; a name that is none is refused with those that are.

use store::{By, DIMENSION, Figures, Measure, Spread};
use types::Money;

use super::invalid;
use crate::error::GatewayError;

/// What is told of some generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// A count.
    Count(Measure),
    /// An amount.
    Usd(Measure),
    /// What was charged without fees for own keys.
    CreditsUsage,
    /// All tokens.
    TokensTotal,
    /// All input tokens.
    TokensPrompt,
    /// All output tokens.
    TokensCompletion,
    /// A share of all generations.
    Rate(Measure),
    /// The share of input that prompt caches served.
    CacheHitRate,
    /// Mean time to the first byte or the last, milliseconds; or of tokens per second.
    Mean(Spread),
    /// A percentile of those, in thousandths.
    Percentile(Spread, u64),
}

/// Metrics by name.
pub(crate) const METRICS: &[(&str, Metric)] = &[
    ("request_count", Metric::Count(Measure::Requests)),
    ("error_count", Metric::Count(Measure::Failed)),
    ("cancelled_count", Metric::Count(Measure::Cancelled)),
    ("truncated_count", Metric::Count(Measure::Truncated)),
    ("streamed_count", Metric::Count(Measure::Streamed)),
    ("byok_request_count", Metric::Count(Measure::ByokRequests)),
    ("response_cached_count", Metric::Count(Measure::CachedAnswers)),
    ("tokens_total", Metric::TokensTotal),
    ("tokens_prompt", Metric::TokensPrompt),
    ("tokens_completion", Metric::TokensCompletion),
    ("reasoning_tokens", Metric::Count(Measure::Reasoning)),
    ("cached_tokens", Metric::Count(Measure::CacheRead)),
    ("input_tokens", Metric::Count(Measure::Input)),
    ("cache_write_tokens", Metric::Count(Measure::CacheWrite)),
    ("cache_write_1h_tokens", Metric::Count(Measure::CacheWrite1h)),
    ("audio_input_tokens", Metric::Count(Measure::AudioInput)),
    ("image_input_tokens", Metric::Count(Measure::ImageInput)),
    ("output_tokens", Metric::Count(Measure::Output)),
    ("audio_output_tokens", Metric::Count(Measure::AudioOutput)),
    ("image_output_tokens", Metric::Count(Measure::ImageOutput)),
    ("searches", Metric::Count(Measure::Searches)),
    ("images", Metric::Count(Measure::Images)),
    ("audio_seconds", Metric::Count(Measure::AudioSeconds)),
    ("characters", Metric::Count(Measure::Characters)),
    ("total_usage", Metric::Usd(Measure::Charged)),
    ("credits_usage", Metric::CreditsUsage),
    ("byok_usage", Metric::Usd(Measure::ByokCost)),
    ("byok_fees", Metric::Usd(Measure::ByokFees)),
    ("list_cost", Metric::Usd(Measure::Cost)),
    ("cache_savings", Metric::Usd(Measure::Saved)),
    ("cache_hit_rate", Metric::CacheHitRate),
    ("response_cached_rate", Metric::Rate(Measure::CachedAnswers)),
    ("error_rate", Metric::Rate(Measure::Failed)),
    ("avg_latency", Metric::Mean(Spread::Ttft)),
    ("p50_latency", Metric::Percentile(Spread::Ttft, 500)),
    ("p90_latency", Metric::Percentile(Spread::Ttft, 900)),
    ("p95_latency", Metric::Percentile(Spread::Ttft, 950)),
    ("p99_latency", Metric::Percentile(Spread::Ttft, 990)),
    ("avg_ttft", Metric::Mean(Spread::Ttft)),
    ("p50_ttft", Metric::Percentile(Spread::Ttft, 500)),
    ("p90_ttft", Metric::Percentile(Spread::Ttft, 900)),
    ("p95_ttft", Metric::Percentile(Spread::Ttft, 950)),
    ("p99_ttft", Metric::Percentile(Spread::Ttft, 990)),
    ("avg_duration", Metric::Mean(Spread::Duration)),
    ("p50_duration", Metric::Percentile(Spread::Duration, 500)),
    ("p90_duration", Metric::Percentile(Spread::Duration, 900)),
    ("p95_duration", Metric::Percentile(Spread::Duration, 950)),
    ("p99_duration", Metric::Percentile(Spread::Duration, 990)),
    ("avg_throughput", Metric::Mean(Spread::Speed)),
    ("p50_throughput", Metric::Percentile(Spread::Speed, 500)),
    ("p90_throughput", Metric::Percentile(Spread::Speed, 900)),
    ("p95_throughput", Metric::Percentile(Spread::Speed, 950)),
    ("p99_throughput", Metric::Percentile(Spread::Speed, 990)),
];

/// A number that was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    /// As it is.
    Count(i64),
    /// Dollars.
    Usd(Money),
    /// Thousandths.
    Milli(i64),
    /// Millionths.
    Micro(i64),
    /// There is none.
    Nothing,
}

impl Told {
    /// As a JSON number of its exact digits.
    pub(crate) fn json(self) -> String {
        let scaled = |number: i64, digits: usize| {
            let unit = 10_i64.pow(u32::try_from(digits).unwrap_or_default());
            let sign = if number < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:0digits$}", (number / unit).abs(), (number % unit).abs());
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match self {
            Told::Count(count) => count.to_string(),
            Told::Usd(money) => money.to_string(),
            Told::Milli(number) => scaled(number, 3),
            Told::Micro(number) => scaled(number, 6),
            Told::Nothing => String::from("null"),
        }
    }

    /// For comparing with others of the same metric, and with a bound; nothing comes before everything.
    pub(crate) fn rank(self) -> i128 {
        match self {
            Told::Count(count) => i128::from(count) * 1_000_000_000,
            Told::Usd(money) => i128::from(money.nanos()),
            Told::Milli(number) => i128::from(number) * 1_000_000,
            Told::Micro(number) => i128::from(number) * 1_000,
            Told::Nothing => i128::MIN,
        }
    }
}

const INPUT: [Measure; 6] = [
    Measure::Input,
    Measure::CacheRead,
    Measure::CacheWrite,
    Measure::CacheWrite1h,
    Measure::AudioInput,
    Measure::ImageInput,
];
const OUTPUT: [Measure; 4] =
    [Measure::Output, Measure::Reasoning, Measure::AudioOutput, Measure::ImageOutput];

fn sum(figures: &Figures, measures: &[Measure]) -> i64 {
    measures.iter().fold(0, |sum: i64, measure| sum.saturating_add(figures.sums.get(*measure)))
}

/// A share, in millionths.
fn share(part: i64, whole: i64) -> Told {
    match whole {
        0 => Told::Nothing,
        _ => Told::Micro(i64::try_from(i128::from(part) * 1_000_000 / i128::from(whole)).unwrap_or(i64::MAX)),
    }
}

impl Metric {
    /// By its name.
    pub(crate) fn read(name: &str) -> Result<Metric, GatewayError> {
        let found = METRICS.iter().find(|(known, _)| *known == name);
        found.map(|(_, metric)| *metric).ok_or_else(|| {
            let known: Vec<&str> = METRICS.iter().map(|(known, _)| *known).collect();
            invalid(format!("`{name}` is no metric; there are {}", known.join(", ")))
        })
    }

    /// What has to be counted for it, and which distribution.
    pub(crate) fn needs(self) -> (Vec<Measure>, Option<Spread>) {
        match self {
            Metric::Count(measure) | Metric::Usd(measure) => (vec![measure], None),
            Metric::CreditsUsage => (vec![Measure::Charged, Measure::ByokFees], None),
            Metric::TokensTotal => (INPUT.into_iter().chain(OUTPUT).collect(), None),
            Metric::TokensPrompt | Metric::CacheHitRate => (INPUT.to_vec(), None),
            Metric::TokensCompletion => (OUTPUT.to_vec(), None),
            Metric::Rate(measure) => (vec![measure, Measure::Requests], None),
            Metric::Mean(Spread::Ttft) => (vec![Measure::TtftUs, Measure::TtftCount], None),
            Metric::Mean(Spread::Duration) => (vec![Measure::DurationUs, Measure::Requests], None),
            Metric::Mean(Spread::Speed) => (vec![Measure::SpeedTokens, Measure::SpeedUs], None),
            Metric::Percentile(spread, _) => (Vec::new(), Some(spread)),
        }
    }

    /// What it is of these figures.
    pub(crate) fn of(self, figures: &Figures) -> Told {
        let get = |measure| figures.sums.get(measure);
        let mean = |sum: i64, count: i64| if count == 0 { Told::Nothing } else { Told::Milli(sum / count) };
        match self {
            Metric::Count(measure) => Told::Count(get(measure)),
            Metric::Usd(measure) => Told::Usd(Money::from_nanos(get(measure))),
            Metric::CreditsUsage => {
                Told::Usd(Money::from_nanos(get(Measure::Charged).saturating_sub(get(Measure::ByokFees))))
            }
            Metric::TokensTotal => Told::Count(sum(figures, &INPUT).saturating_add(sum(figures, &OUTPUT))),
            Metric::TokensPrompt => Told::Count(sum(figures, &INPUT)),
            Metric::TokensCompletion => Told::Count(sum(figures, &OUTPUT)),
            Metric::Rate(measure) => share(get(measure), get(Measure::Requests)),
            Metric::CacheHitRate => share(get(Measure::CacheRead), sum(figures, &INPUT)),
            Metric::Mean(Spread::Ttft) => mean(get(Measure::TtftUs), get(Measure::TtftCount)),
            Metric::Mean(Spread::Duration) => mean(get(Measure::DurationUs), get(Measure::Requests)),
            Metric::Mean(Spread::Speed) => match get(Measure::SpeedUs) {
                0 => Told::Nothing,
                us => {
                    let speed = i128::from(get(Measure::SpeedTokens)) * 1_000_000_000 / i128::from(us);
                    Told::Milli(i64::try_from(speed).unwrap_or(i64::MAX))
                }
            },
            Metric::Percentile(spread, per_mille) => {
                figures.spread(spread).quantile(per_mille).map_or(Told::Nothing, Told::Milli)
            }
        }
    }
}

/// Longest name of a free dimension.
const NAME_CHARS_MAX: usize = 200;

/// What use is told apart by, by name: ours, and those of others for the same.
pub(crate) fn dimension(name: &str) -> Result<By, GatewayError> {
    let facet = |name: &str| Ok(By::Facet(name.to_owned()));
    match name {
        "model" | "model_used" => return Ok(By::Model),
        "provider" | "provider_name" => return Ok(By::Provider),
        "key" | "api_key" | "api_key_id" => return Ok(By::Key),
        "app" | "origin_title" => return facet("app"),
        "user" | "external_user" | "end_user" => return facet("user"),
        "project" | "workspace" => return facet("project"),
        "member" | "holder" => return facet("member"),
        "tag" | "model_requested" | "endpoint" | "finish_reason" | "error" => return facet(name),
        "api_type" | "dialect" => return facet("api_type"),
        _ => (),
    }
    let free = name.strip_prefix(DIMENSION).or_else(|| name.strip_prefix("metadata."));
    match free {
        Some(free) if !free.is_empty() && free.chars().count() <= NAME_CHARS_MAX => {
            facet(&format!("{DIMENSION}{free}"))
        }
        _ => Err(invalid(format!(
            "`{name}` is nothing that use is told apart by; there are model, provider, key, app, user, member, project, tag, \
             model_requested, endpoint, api_type, finish_reason, error, and metadata.<name> for a free dimension"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_their_exact_digits() {
        let rows = [
            (Told::Count(7), "7"),
            (Told::Usd(Money::from_nanos(-1_500_000_000)), "-1.5"),
            (Told::Milli(-1), "-0.001"),
            (Told::Milli(12_340), "12.34"),
            (Told::Milli(12_000), "12"),
            (Told::Micro(250_000), "0.25"),
            (Told::Micro(0), "0"),
            (Told::Nothing, "null"),
        ];
        for (told, expect) in rows {
            assert_eq!(told.json(), expect);
        }
        assert!(
            Told::Milli(1_500).rank() > Told::Count(1).rank()
                && Told::Nothing.rank() < Told::Count(-9).rank()
        );
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let empty = Figures::default();
        for (name, metric) in METRICS {
            let told = metric.of(&empty);
            assert!(
                matches!(told, Told::Count(0) | Told::Usd(Money::ZERO) | Told::Nothing),
                "{name}: {told:?}"
            );
        }
        assert!(
            Metric::read("nonsense").is_err() && dimension("nonsense").is_err() && dimension("dim:").is_err()
        );
        assert_eq!(dimension("metadata.team").unwrap(), dimension("dim:team").unwrap());
    }
}
