//! How well guardrails find what they look for, and how long they take.
//!
//! Samples are in `crates/guardrails/samples`: `tuned.jsonl`, which the detectors were written beside, and `held_out.jsonl`, whose
//! templates were written before anything was measured and which nothing was tuned on.

mod generate;
mod misses;
mod values;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use guardrails::{Action, Compiled, Kind, Place, Rules, Stream, Tally, score};

use crate::sh;

/// Microseconds for 4 KB of ordinary text.
const GOAL_US: f64 = 100.0;
const TEXT_BYTES: usize = 4_096;
const ROUNDS: usize = 4_000;
/// Where the random numbers of each part start, and how many texts are made of each template.
const PARTS: [(&str, &str, u64, usize); 2] = [
    ("tuned", include_str!("guardrails/tuned.txt"), 20_261_122, 15),
    ("held_out", include_str!("guardrails/held_out.txt"), 77_003, 6),
];

/// What is to be done.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Makes the samples anew from their templates
    #[arg(long)]
    write_samples: bool,
    /// Shows the texts of errors, of one part only
    #[arg(long, value_parser = ["tuned", "held_out"])]
    errors: Option<String>,
}

/// Prints precision and recall per kind and the time for 4 KB; true when the time is within its goal.
pub fn run(args: &Args) -> Result<bool> {
    for (part, templates, seed, count) in PARTS {
        let path = path(part);
        if args.write_samples {
            fs::write(&path, generate::write(&generate::samples(templates, count, seed)?))?;
        }
        let lines = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let samples = score::read(&lines)?;
        let shows = args.errors.as_deref() == Some(part);
        let mut errors = Vec::new();
        let rules = all("flag")?;
        let scores = score::score(&rules, &samples, &mut |kind, sample, missed| {
            let what = if missed { "missed" } else { "wrong " };
            errors.push(format!("{what} {:16} {}", kind.name(), sample.text.replace('\n', "\\n")));
        });
        println!("{part}: {} texts", samples.len());
        println!(
            "{:18} {:>7} {:>7} {:>7} {:>10} {:>7}",
            "kind", "found", "missed", "wrong", "precision", "recall"
        );
        let shown =
            |share: Option<f64>| share.map_or_else(|| String::from("-"), |share| format!("{share:.3}"));
        for (kind, score) in Kind::ALL.iter().zip(scores) {
            let (precision, recall) = (shown(score.precision()), shown(score.recall()));
            let name = kind.name();
            println!(
                "{name:18} {:>7} {:>7} {:>7} {precision:>10} {recall:>7}",
                score.found, score.missed, score.wrong
            );
        }
        if shows {
            errors.iter().for_each(|error| println!("{error}"));
        }
    }
    time()
}

fn path(part: &str) -> PathBuf {
    sh::root().join(format!("crates/guardrails/samples/{part}.jsonl"))
}

/// Rules that look for everything.
fn all(action: &str) -> Result<Arc<Compiled>> {
    let kinds = serde_json::json!({
        "personal": action, "financial": action, "secrets": action, "prompt_injection": action
    });
    let rules = Rules::read(&serde_json::json!({"kinds": kinds})).map_err(anyhow::Error::msg)?;
    Ok(Arc::new(Compiled::new(&[Arc::new(rules)])?))
}

/// How long 4 KB of ordinary text take, whole and as a stream of words, with everything looked for.
fn time() -> Result<bool> {
    let rules = all(Action::Mask.name())?;
    let prose = "The council met on Monday, 12 May 2025, to discuss the bridge, its cost (about 4.2 million) and the detour; \
                 nobody knew who'd pay. \"Ask the region,\" said the mayor: it paid 60 % in 2019. ";
    let text: String = prose.chars().cycle().take(TEXT_BYTES).collect();
    let asked = median(|| drop(std::hint::black_box(rules.mask(&text, Place::User, &mut Tally::default()))));
    let answered =
        median(|| drop(std::hint::black_box(rules.mask(&text, Place::Answer, &mut Tally::default()))));
    let streamed = median(|| {
        let (mut stream, mut out, mut tally) =
            (Stream::new(Arc::clone(&rules), Place::Answer), String::new(), Tally::default());
        for word in text.split_inclusive(' ') {
            let _ = stream.push(word, &mut out, &mut tally);
        }
        let _ = stream.finish(&mut out, &mut tally);
        drop(std::hint::black_box(out));
    });
    let build = if cfg!(debug_assertions) {
        "a debug build: figures of a release build count"
    } else {
        "a release build"
    };
    println!("4 KB of prose, every kind, median of {ROUNDS}, {build}");
    println!("request (with injection) {asked:7.1} us   (goal {GOAL_US})");
    println!("answer, whole            {answered:7.1} us");
    println!("answer, word by word     {streamed:7.1} us");
    Ok(asked <= GOAL_US && answered <= GOAL_US)
}

fn median(mut once: impl FnMut()) -> f64 {
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().unwrap_or_default() as f64 / 1_000.0
}
