//! Measurements at full count against something that nobody here wrote.

pub mod api;
mod dialects;
mod guardrails;
pub mod insight;
pub mod ledger;
mod money;
mod outcomes;
mod routing;
mod sign_ins;
mod simulate;
mod streams;
mod webhooks;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use catalog::{Endpoint, Snapshot};
use serde_json::{Value, json};
use types::{PriceKind, Timestamp, Usage};

use crate::{sh, tools};

/// Where the random usages start when nobody says otherwise.
pub const SEED: u64 = 20_261_120;
/// The day at whose minutes the usages happen: 2026-11-20, UTC.
const DAY: i64 = 1_795_132_800;
/// Most tokens of one kind: beyond every context there is, so that all tiers are met.
const TOKENS_MAX: u64 = 2_000_000;

#[derive(clap::Subcommand)]
pub enum What {
    /// Our cost of random usages against the genai-prices library
    Prices {
        /// How many usages, at endpoints that both sides know at the same price
        #[arg(long, default_value_t = 10_000)]
        count: u32,
        /// Where the random numbers start
        #[arg(long, default_value_t = SEED)]
        seed: u64,
    },
    /// The books under random operations, beside a model of them
    Ledger {
        /// How many operations
        #[arg(long, default_value_t = 1_000_000)]
        count: u64,
        /// Where the random numbers start
        #[arg(long, default_value_t = SEED)]
        seed: u64,
    },
    /// What is added to each frame while many streams run
    Streams {
        /// In this build, which should be an optimized one
        #[arg(long, hide = true)]
        measure: bool,
    },
    /// How long a routing decision takes, and whether a higher dial ever costs more
    Routing {
        /// How many random pairs of dials
        #[arg(long, default_value_t = 1_000_000)]
        pairs: u64,
        /// In this build, which should be an optimized one
        #[arg(long, hide = true)]
        measure: bool,
    },
    /// Hedging, slow and failing providers, newcomers and recovery, on a virtual clock
    Simulate {
        /// Where the random numbers start
        #[arg(long, default_value_t = SEED)]
        seed: u64,
    },
    /// Guardrails on labelled samples: precision and recall per kind, and the time for 4 KB
    Guardrails(guardrails::Args),
    /// The router beside simpler ones, on outcomes of models at prompts: a file of quality and cost
    Outcomes(outcomes::Args),
    /// Callers who leave: eight phases, three rules, usage present, zero and absent
    Disconnects {
        /// How many calls in each cell
        #[arg(long, default_value_t = 200)]
        count: usize,
    },
    /// 256 callers race for the last money of an account, on both databases
    Admission {
        /// How many rounds
        #[arg(long, default_value_t = 1_000)]
        count: usize,
        /// On one of the two databases only
        #[arg(long, value_parser = ["sqlite", "postgres"])]
        on: Option<String>,
    },
    /// Forged, unsigned, stale, replayed, reordered and wrong webhooks: not one may credit wrongly
    Webhooks {
        /// How many of each kind
        #[arg(long, default_value_t = 1_000)]
        count: usize,
    },
    /// Our OpenAPI document under schemathesis, as everybody who can call
    Api(api::Args),
    /// Wrong passwords, and many sign-ins at once: what is learned, and what they take
    SignIns {
        /// How many wrong passwords
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
    /// Dashboards, the log and forgetting at ten million generations, beside the ledger
    Insight(insight::Args),
    /// What a translation between dialects costs beside the byte path
    Dialects {
        /// In this build, which should be an optimized one
        #[arg(long, hide = true)]
        measure: bool,
    },
}

/// True when all is equal.
pub fn run(what: &What) -> Result<bool> {
    match what {
        What::Prices { count, seed } => prices(*count, *seed),
        What::Ledger { count, seed } => ledger::run(*count, *seed),
        What::Routing { pairs, measure: true } => routing::measure(*pairs),
        What::Routing { pairs, measure: false } => routing::run(*pairs),
        What::Guardrails(args) => guardrails::run(args),
        What::Outcomes(args) => outcomes::run(args),
        What::Simulate { seed } => simulate::run(*seed),
        What::Disconnects { count } => money::disconnects(*count),
        What::Admission { count, on } => money::admission(*count, on.as_deref()),
        What::Api(args) => api::run(args),
        What::SignIns { count } => sign_ins::run(*count),
        What::Insight(args) => insight::run(args),
        What::Webhooks { count } => webhooks::run(*count),
        What::Streams { measure: true } => streams::measure(),
        What::Streams { measure: false } => streams::run(),
        What::Dialects { measure: true } => dialects::measure(),
        What::Dialects { measure: false } => dialects::run(),
    }
}

/// Prices at least `count` random usages on both sides; true when every one is equal to the nano-dollar.
pub fn prices(count: u32, seed: u64) -> Result<bool> {
    let catalog = match catalog::load_dir(&sh::root().join("catalog")) {
        Ok(catalog) => catalog,
        Err(problems) => {
            bail!("the catalog is refused: {} problems; see `tollway catalog check`", problems.len())
        }
    };
    let priced: Vec<&Endpoint> = catalog.endpoints.iter().filter(|endpoint| endpoint.is_priced()).collect();
    ensure!(!priced.is_empty(), "the catalog has no priced endpoint");
    let mut random = Random(seed);
    // The first round tells which share of the endpoints both sides know at the same price.
    let (_, first) = ask(&lines(&catalog, &priced, 1, &mut random)?, 0)?;
    let known = first["equal"].as_u64().unwrap_or(0) + first["different"].as_u64().unwrap_or(0);
    ensure!(known > 0, "the library knows no endpoint at our price: {first}");
    // A usage can still be one that the library can't price: half as many again cover that.
    let rounds = u64::from(count) * 3 / 2 / known + 1;
    println!("{known} of {} priced endpoints have the same price on both sides", priced.len());
    let (is_equal, report) = ask(&lines(&catalog, &priced, rounds, &mut random)?, count)?;
    println!("seed {seed}: {report:#}");
    Ok(is_equal)
}

/// `rounds` usages of each endpoint with what we charge for them, as the script takes them.
fn lines(catalog: &Snapshot, endpoints: &[&Endpoint], rounds: u64, random: &mut Random) -> Result<String> {
    let mut text = String::new();
    for _ in 0..rounds {
        for endpoint in endpoints {
            let minute = random.below(24 * 60);
            let at = Timestamp::from_seconds(DAY + i64::try_from(minute)? * 60);
            let usage = usage(endpoint, random);
            let cost = endpoint.price.cost(&usage, at).with_context(|| format!("pricing {}", endpoint.id))?;
            let provider = endpoint.provider_in(catalog).context("an endpoint without a provider")?;
            let line = json!({
                "endpoint": endpoint.id.as_ref(),
                "provider": provider.id.as_ref(),
                "provider_model_id": endpoint.provider_model_id.as_ref(),
                "at": format!("2026-11-20T{:02}:{:02}:00Z", minute / 60, minute % 60),
                "sheet": serde_json::to_value(endpoint.price.as_ref())?,
                "usage": usage,
                "cost": cost,
            });
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    Ok(text)
}

/// Units of the kinds that the endpoint has a price of its own for: how other units are billed is our rule alone.
fn usage(endpoint: &Endpoint, random: &mut Random) -> Usage {
    let mut usage = Usage { requests: 1, ..Usage::default() };
    let mut units = |kind| if endpoint.price.quote(kind).is_some() { random.tokens() } else { 0 };
    usage.input = units(PriceKind::Input);
    usage.cache_read = units(PriceKind::CacheRead);
    usage.cache_write = units(PriceKind::CacheWrite);
    usage.cache_write_1h = units(PriceKind::CacheWrite1h);
    usage.audio_input = units(PriceKind::AudioInput);
    usage.image_input = units(PriceKind::ImageInput);
    usage.output = units(PriceKind::Output);
    usage.reasoning = units(PriceKind::Reasoning);
    usage.audio_output = units(PriceKind::AudioOutput);
    usage.image_output = units(PriceKind::ImageOutput);
    usage
}

/// Runs the script: whether all was equal and enough, and its report.
fn ask(lines: &str, at_least: u32) -> Result<(bool, Value)> {
    let script = sh::root().join("e2e/clients/price_oracle.py");
    let file = tempfile::NamedTempFile::new()?;
    file.as_file().write_all(lines.as_bytes())?;
    let output = oracle(&script, at_least)?
        .stdin(file.reopen()?)
        .stdout(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    let report = serde_json::from_slice(&output.stdout).context("reading the report of price_oracle.py")?;
    Ok((output.status.success(), report))
}

fn oracle(script: &Path, at_least: u32) -> Result<Command> {
    let mut command = Command::new(tools::python()?);
    command.arg(script).args(["--at-least", &at_least.to_string()]);
    Ok(command)
}

/// A repeatable sequence (splitmix64): good enough to vary, and the seed names a failure.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Often none, otherwise as likely small as large: sizes spread over their number of digits.
    fn tokens(&mut self) -> u64 {
        let digits = u32::try_from(self.below(8)).unwrap_or(0);
        self.below(10_u64.pow(digits)).min(TOKENS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, TOKENS_MAX};

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_they_spread() {
        let numbers = |seed| {
            let mut random = Random(seed);
            (0..1_000).map(|_| random.tokens()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        let spread = numbers(7);
        assert!(spread.contains(&0) && spread.iter().any(|n| *n > 1_000_000));
        assert!(spread.iter().all(|n| *n <= TOKENS_MAX));
    }
}
