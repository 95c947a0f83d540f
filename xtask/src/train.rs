//! `cargo xtask train`: the weights of the task classifier, from the prompts in `xtask/training/prompts`.
//!
//! - A fifth of the prompts is kept apart by a hash of its text and never trained or tuned on; `--check` measures the committed
//!   weights on it and changes nothing.
//! - Of the rest, each prompt is seen as it is and perturbed (typing errors, other case, politeness), beside prompts that frames
//!   make. Multinomial logistic regression by AdaGrad, from a fixed seed: the same files give the same weights.
//! - The temperature is fitted on the training part itself, each fifth of it judged by weights that have not seen it.

mod frames;
mod perturb;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use routing::classify::features::{BUCKETS, Feature, View, features};
use routing::classify::{LABELS, Label, Weights, softmax};
use routing::random::Random;
use serde::Deserialize;

use crate::sh;

const SEED: u64 = 20_261_121;
const EPOCHS: usize = 8;
/// AdaGrad's first step, and how strongly weights are pulled to zero.
const RATE: f32 = 0.03;
const DECAY: f32 = 2e-6;
/// Of a label's aim so much is spread over the others, so that no prompt is learned by heart.
const SMOOTHING: f32 = 0.06;
/// Parts that the temperature is fitted over.
const FIFTHS: usize = 5;
/// How often each prompt is seen perturbed.
const COPIES: usize = 3;

#[derive(clap::Args)]
pub struct Args {
    /// Only measures the committed weights on the part that was kept apart
    #[arg(long)]
    check: bool,
    /// Lists the prompts that are judged wrongly
    #[arg(long)]
    errors: bool,
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
    #[serde(skip, default = "first")]
    label: usize,
}

fn first() -> usize {
    0
}

#[derive(Clone, Debug, Deserialize)]
struct Turn {
    role: String,
    text: String,
}

impl Prompt {
    fn view(&self) -> View<'_> {
        if self.turns.is_empty() {
            return View { system: &self.system, earlier: Vec::new(), last: &self.text };
        }
        let mut users: Vec<&str> =
            self.turns.iter().filter(|turn| turn.role == "user").map(|turn| turn.text.as_str()).collect();
        let last = users.pop().unwrap_or_default();
        View { system: &self.system, earlier: users, last }
    }

    fn features(&self) -> Vec<Feature> {
        features(&self.view())
    }

    /// Kept apart by what it says, so that new prompts move no old one.
    fn is_kept_apart(&self) -> bool {
        let view = self.view();
        let text = view.earlier.iter().chain([&view.last, &view.system]).flat_map(|text| text.bytes());
        let hash = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (hash >> 20).is_multiple_of(5)
    }
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
            all.push(Prompt { label, ..prompt });
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
    println!("{} prompts to train on, {} kept apart", seen.len(), apart.len());
    if !args.check {
        let mut judged = Vec::new();
        for fifth in 0..FIFTHS {
            println!("fitting the temperature: {} of {FIFTHS}", fifth + 1);
            let (inner, left_out): (Vec<_>, Vec<_>) =
                seen.iter().cloned().enumerate().partition(|(at, _)| at % FIFTHS != fifth);
            let inner: Vec<Prompt> = inner.into_iter().map(|(_, prompt)| prompt).collect();
            let trial = Model::train(&inner);
            judged.extend(left_out.iter().map(|(_, p)| (trial.logits(&p.features()), p.label)));
        }
        let temperature = temperature(&judged);
        let right = judged.iter().filter(|(logits, label)| best(*logits) == *label).count();
        println!("temperature {temperature:.3}; {right} of {} right, unseen", judged.len());
        println!("training on all");
        let model = Model::train(&seen);
        let bytes = Weights::write(&model.weights, model.biases, temperature);
        fs::write(weights_file(), bytes)?;
        println!("wrote {}", weights_file().display());
    }
    let bytes = fs::read(weights_file())?;
    let weights = Weights::read(&bytes).context("weights.bin is no file of weights")?;
    measure(&weights, &apart, args.errors)
}

fn best(logits: [f32; LABELS]) -> usize {
    (0..LABELS).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or_default()
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

struct Model {
    weights: Vec<[f32; LABELS]>,
    biases: [f32; LABELS],
}

impl Model {
    fn train(prompts: &[Prompt]) -> Model {
        let mut random = Random::new(SEED);
        let mut examples: Vec<(Vec<Feature>, usize, f32)> = Vec::new();
        for prompt in prompts {
            examples.push((prompt.features(), prompt.label, 1.0));
            for _ in 0..COPIES {
                examples.push((perturb::perturbed(prompt, &mut random).features(), prompt.label, 0.5));
            }
        }
        for (text, label) in frames::all(&mut random) {
            let view = View { last: &text, ..View::default() };
            examples.push((features(&view), label, 0.4));
        }
        let mut model = Model { weights: vec![[0.0; LABELS]; BUCKETS], biases: [0.0; LABELS] };
        let mut squares = vec![[1e-3_f32; LABELS]; BUCKETS];
        let mut order: Vec<usize> = (0..examples.len()).collect();
        for epoch in 0..EPOCHS {
            for at in (1..order.len()).rev() {
                order.swap(at, (random.unit() * (at + 1) as f64) as usize);
            }
            let rate = RATE * (1.0 - epoch as f32 / EPOCHS as f32 * 0.8);
            for example in &order {
                let (features, label, weight) = &examples[*example];
                model.step(features, *label, *weight, rate, &mut squares);
            }
        }
        model
    }

    fn logits(&self, features: &[Feature]) -> [f32; LABELS] {
        let mut sums = self.biases;
        for (bucket, value) in features {
            for (sum, weight) in sums.iter_mut().zip(&self.weights[*bucket as usize]) {
                *sum += weight * value;
            }
        }
        sums
    }

    fn step(
        &mut self,
        features: &[Feature],
        label: usize,
        importance: f32,
        rate: f32,
        squares: &mut [[f32; LABELS]],
    ) {
        let shares = softmax(self.logits(features), 1.0);
        let mut errors = [0.0_f32; LABELS];
        for (at, (error, share)) in errors.iter_mut().zip(shares).enumerate() {
            let aim = if at == label { 1.0 - SMOOTHING } else { SMOOTHING / (LABELS - 1) as f32 };
            *error = (share - aim) * importance;
        }
        for (bias, error) in self.biases.iter_mut().zip(errors) {
            *bias -= rate * 0.05 * error;
        }
        for (bucket, value) in features {
            let (row, seen) = (&mut self.weights[*bucket as usize], &mut squares[*bucket as usize]);
            for at in 0..LABELS {
                let gradient = errors[at] * value + DECAY * row[at];
                seen[at] += gradient * gradient;
                row[at] -= rate * gradient / seen[at].sqrt();
            }
        }
    }
}

/// Prints the figures of the weights on prompts that they were not trained on.
fn measure(weights: &Weights<'_>, apart: &[Prompt], errors: bool) -> Result<bool> {
    let judged: Vec<_> = apart.iter().map(|prompt| (prompt, weights.judge(&prompt.view()))).collect();
    let right = |(prompt, judgement): &&(&Prompt, routing::classify::Judgement)| {
        judgement.best().0 as usize == prompt.label
    };
    let accuracy = judged.iter().filter(right).count() as f64 / judged.len() as f64;
    let mut scores = Vec::new();
    println!("{:>12} {:>9} {:>7} {:>7}", "label", "precision", "recall", "count");
    for (number, label) in Label::ALL.into_iter().enumerate() {
        let own = judged.iter().filter(|(prompt, _)| prompt.label == number).count() as f64;
        let said = judged.iter().filter(|(_, judgement)| judgement.best().0 == label).count() as f64;
        let both = judged.iter().filter(|pair| pair.0.label == number).filter(right).count() as f64;
        let (precision, recall) = (both / said.max(1.0), both / own.max(1.0));
        scores.push(2.0 * precision * recall / (precision + recall).max(1e-9));
        println!("{:>12} {precision:>9.3} {recall:>7.3} {own:>7}", label.name());
    }
    let f1 = scores.iter().sum::<f64>() / scores.len() as f64;
    let calibration = calibration_error(&judged);
    let steady = steadiness(weights, apart);
    for kind in ["plain", "multi", "adversarial"] {
        let part: Vec<_> = judged.iter().filter(|(prompt, _)| prompt.kind == kind).collect();
        let good = part.iter().filter(|pair| right(pair)).count();
        println!("{kind:>12}: {good} of {}", part.len());
    }
    for lang in ["en", "de", "fr", "es", "zh", "ja", "ru", "pt"] {
        let part: Vec<_> = judged.iter().filter(|(prompt, _)| prompt.lang == lang).collect();
        let good = part.iter().filter(|pair| right(pair)).count();
        println!("{lang:>12}: {good} of {}", part.len());
    }
    println!(
        "accuracy {accuracy:.4} (goal 0.90), macro-F1 {f1:.4} (goal 0.88), expected calibration error {calibration:.4} (goal at most 0.03)"
    );
    println!("same label under typing errors, case and politeness: {steady:.4} (goal 0.95)");
    if errors {
        for (prompt, judgement) in judged.iter().filter(|pair| !right(pair)) {
            let text: String = prompt.view().last.chars().take(110).collect();
            let (label, share) = judgement.best();
            println!(
                "{} not {} ({share:.2}, {}): {}",
                Label::ALL[prompt.label].name(),
                label.name(),
                prompt.kind,
                text.replace('\n', " ")
            );
        }
    }
    Ok(accuracy >= 0.9 && f1 >= 0.88 && calibration <= 0.03 && steady >= 0.95)
}

/// Ten bins by confidence: how far each bin's accuracy is from what it claims.
fn calibration_error(judged: &[(&Prompt, routing::classify::Judgement)]) -> f64 {
    let mut bins = [(0_usize, 0.0_f64, 0_usize); 10];
    for (prompt, judgement) in judged {
        let (label, share) = judgement.best();
        let bin = &mut bins[((share * 10.0) as usize).min(9)];
        bin.0 += 1;
        bin.1 += f64::from(share);
        bin.2 += usize::from(label as usize == prompt.label);
    }
    let all = judged.len() as f64;
    bins.iter().filter(|bin| bin.0 > 0).map(|(_, claimed, right)| (claimed - *right as f64).abs() / all).sum()
}

fn steadiness(weights: &Weights<'_>, apart: &[Prompt]) -> f64 {
    let mut random = Random::new(SEED + 1);
    let (mut same, mut all) = (0, 0);
    for prompt in apart {
        let label = weights.judge(&prompt.view()).best().0;
        for _ in 0..5 {
            let other = perturb::perturbed(prompt, &mut random);
            same += usize::from(weights.judge(&other.view()).best().0 == label);
            all += 1;
        }
    }
    same as f64 / f64::from(all.max(1))
}
