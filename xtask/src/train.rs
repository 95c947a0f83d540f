//! `cargo xtask train`: the weights of the task classifier, from the prompts in `xtask/training/prompts`.
//!
//! - A fifth of the prompts is kept apart by a hash of its text and never trained or tuned on; `--check` measures the committed
//!   weights on it and changes nothing. What is tried out is judged by `--cross`, on the other four.
//! - The rest is trained on ([`model`]) as it is and in another hand ([`perturb`]), together with instructions around texts that have
//!   nothing to do with them ([`frames`]), from a fixed seed: the same files give the same weights.
//! - The temperature is fitted on the training part itself, each fifth of it judged by weights that have not seen it.

mod frames;
mod measure;
mod model;
mod perturb;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use frames::Frames;
use measure::Judged;
use model::Model;
use routing::classify::features::{View, features};
use routing::classify::weights::Weights;
use routing::classify::{Judgement, LABELS, Label, softmax};
use routing::random::Random;
use serde::Deserialize;

use crate::sh;

const SEED: u64 = 20_261_121;
/// Parts that the temperature is fitted over.
const FIFTHS: usize = 5;
/// Put-together prompts for each that was written: to train on, and to measure.
const FRAMED: f64 = 0.8;
const FRAMED_APART: f64 = 0.3;

#[derive(clap::Args)]
pub struct Args {
    /// Only measures the committed weights on the part that was kept apart
    #[arg(long)]
    check: bool,
    /// Lists the prompts that are judged wrongly
    #[arg(long)]
    errors: bool,
    /// Only judges the training part, each fifth by weights that have not seen it; writes nothing
    #[arg(long)]
    cross: bool,
    /// Judges so many of the fifths when judging like that
    #[arg(long, default_value_t = FIFTHS)]
    fifths: usize,
    /// Trains on so much of the prompts when judging like that: how much do more prompts help?
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Trains on so many put-together prompts for each that was written
    #[arg(long, default_value_t = FRAMED)]
    framed: f64,
}

/// A prompt with its label.
#[derive(Clone, Debug, Deserialize)]
pub struct Prompt {
    #[serde(default)]
    text: String,
    #[serde(default)]
    turns: Vec<Turn>,
    #[serde(default)]
    system: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    kind: String,
    #[serde(skip)]
    label: usize,
    /// The name of its file and its line.
    #[serde(skip)]
    file: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Turn {
    role: String,
    text: String,
}

impl Prompt {
    fn view(&self) -> View<'_> {
        if self.turns.is_empty() {
            return View { system: &self.system, last: &self.text, ..View::default() };
        }
        let of = |role: &'static str| {
            self.turns.iter().filter(move |turn| turn.role == role).map(|turn| turn.text.as_str())
        };
        let mut users: Vec<&str> = of("user").collect();
        let last = users.pop().unwrap_or_default();
        View {
            system: &self.system,
            earlier: users,
            answer: of("assistant").next_back().unwrap_or_default(),
            last,
        }
    }

    fn is_kept_apart(&self) -> bool {
        let view = self.view();
        is_apart(view.earlier.iter().copied().chain([view.last, view.system]))
    }
}

/// Whether something is kept apart, by what it says, so that what is new moves nothing that was there.
fn is_apart<'a>(texts: impl IntoIterator<Item = &'a str>) -> bool {
    let bytes = texts.into_iter().flat_map(str::bytes);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 20).is_multiple_of(5)
}

/// Every prompt of the folder: a file's name begins with its label and may end in a number.
fn prompts() -> Result<Vec<Prompt>> {
    let folder = sh::root().join("xtask/training/prompts");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name = stem.split_once('-').map_or(stem, |(name, _)| name);
        let label = Label::ALL.iter().position(|label| label.name() == name);
        let label = label.with_context(|| format!("{} begins with no label", path.display()))?;
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        for (line, json) in text.lines().enumerate().filter(|(_, json)| !json.trim().is_empty()) {
            let prompt: Prompt = serde_json::from_str(json)
                .with_context(|| format!("{}:{}: is no prompt", path.display(), line + 1))?;
            all.push(Prompt { label, file: format!("{stem}:{}", line + 1), ..prompt });
        }
    }
    Ok(all)
}

/// Prompts of one message: the text, the label, and whether it was kept apart.
pub fn messages() -> Result<Vec<(String, Label, bool)>> {
    let single = |prompt: &Prompt| prompt.turns.is_empty() && prompt.system.is_empty();
    let labelled = |prompt: Prompt| {
        let apart = prompt.is_kept_apart();
        Label::ALL.get(prompt.label).map(|label| (prompt.text, *label, apart))
    };
    Ok(prompts()?.into_iter().filter(single).filter_map(labelled).collect())
}

fn weights_file() -> PathBuf {
    sh::root().join("crates/routing/src/classify/weights.bin")
}

/// Trains, writes, measures; true when the goals are met.
pub fn run(args: &Args) -> Result<bool> {
    let (apart, seen): (Vec<Prompt>, Vec<Prompt>) = prompts()?.into_iter().partition(Prompt::is_kept_apart);
    ensure!(apart.len() * 4 > seen.len() / 2, "too few prompts are kept apart");
    let (frames, frames_apart) = Frames::read()?;
    println!("{} prompts to train on, {} kept apart", seen.len(), apart.len());
    if !args.check {
        let judged = crossed(&seen, &frames, args)?;
        let pairs = judged.iter().zip(&seen).filter(|(judged, _)| judged.2);
        let temperature =
            temperature(&pairs.map(|(judged, prompt)| (judged.0, prompt.label)).collect::<Vec<_>>());
        let said = judged.iter().zip(&seen).map(|((logits, steady, _), prompt)| Judged {
            prompt,
            judgement: Judgement { shares: softmax(*logits, temperature) },
            steady: *steady,
        });
        let said: Vec<Judged<'_>> =
            said.zip(&judged).filter(|(_, judged)| judged.2).map(|(said, _)| said).collect();
        println!("temperature {temperature:.3}; the training part, each fifth unseen:");
        measure::print(&said, args.cross && args.errors);
        if args.cross {
            return Ok(true);
        }
        println!("training on all");
        let model = Model::train(&seen.iter().collect::<Vec<_>>(), &frames, args.framed);
        let bytes = Weights::write(&model.rows, &model.top, temperature);
        fs::write(weights_file(), bytes)?;
        println!("wrote {}", weights_file().display());
    }
    let bytes = fs::read(weights_file())?;
    let weights = Weights::read(&bytes).context("weights.bin is no file of weights")?;
    let judge = |prompt: &Prompt| weights.judge(&prompt.view());
    let framed = frames_apart.drawn((apart.len() as f64 * FRAMED_APART) as usize);
    let all = apart.iter().chain(&framed).enumerate();
    let judged: Vec<_> = all.map(|(number, prompt)| Judged::of(prompt, number, judge)).collect();
    Ok(measure::print(&judged, args.errors))
}

/// Each fifth of the prompts judged by weights that have not seen it, two fifths at a time: logits, how many copies were judged
/// alike, whether it was judged.
fn crossed(seen: &[Prompt], frames: &Frames, args: &Args) -> Result<Vec<([f32; LABELS], usize, bool)>> {
    let mut all = vec![([0.0; LABELS], 0, false); seen.len()];
    let fifths: Vec<usize> = (0..args.fifths.min(FIFTHS)).collect();
    for pair in fifths.chunks(2) {
        let parts: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = pair
                .iter()
                .map(|fifth| scope.spawn(move || fifth_judged(seen, frames, *fifth, args)))
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        ensure!(parts.len() == pair.len(), "training broke off");
        for (at, logits, steady) in parts.into_iter().flatten() {
            all[at] = (logits, steady, true);
        }
    }
    Ok(all)
}

fn fifth_judged(
    seen: &[Prompt],
    frames: &Frames,
    fifth: usize,
    args: &Args,
) -> Vec<(usize, [f32; LABELS], usize)> {
    let mut random = Random::new(SEED);
    let inner: Vec<&Prompt> = (0..)
        .zip(seen)
        .filter(|(at, _)| at % FIFTHS != fifth && random.unit() < args.share)
        .map(|(_, prompt)| prompt)
        .collect();
    let model = Model::train(&inner, frames, args.framed);
    let left_out = (0..).zip(seen).filter(|(at, _)| at % FIFTHS == fifth);
    let judge = |prompt: &Prompt| Judgement { shares: softmax(model.logits(&features(&prompt.view())), 1.0) };
    left_out
        .map(|(at, prompt)| {
            let steady = Judged::of(prompt, at, judge).steady;
            (at, model.logits(&features(&prompt.view())), steady)
        })
        .collect()
}

/// The temperature under which what was judged is likeliest.
fn temperature(judged: &[([f32; LABELS], usize)]) -> f32 {
    let one = |logits: [f32; LABELS], label: usize, temperature: f32| {
        -f64::from(softmax(logits, temperature)[label].max(1e-9)).ln()
    };
    let loss = |temperature: f32| judged.iter().map(|(l, label)| one(*l, *label, temperature)).sum::<f64>();
    let tried = (10..150).map(|step| step as f32 * 0.02);
    tried.min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(1.0)
}
