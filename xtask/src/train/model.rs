//! Gradient descent on the classifier's weights: AdaGrad, feature by feature, from a fixed seed.
//!
//! - Each round sees each prompt as it is and [`COPIES`] times in another hand ([`super::perturb`]), in another order, and instructions
//!   around texts ([`super::frames`]) between them.
//! - The weights are the mean of those after the last rounds, of several runs that begin alike and see the prompts in another order.

use routing::classify::features::{BUCKETS, Feature, Features, features};
use routing::classify::weights::{COLUMNS, HIDDEN, INSTRUCTION, Sums, Top, attention, mix};
use routing::classify::{LABELS, softmax};
use routing::random::Random;

use super::frames::Frames;
use super::perturb::{Hand, perturbed};
use super::{Prompt, SEED};

/// Runs whose weights are averaged: what one learned by the chance of its order, the others didn't.
const RUNS: u64 = 3;
/// Times that all prompts are seen in a run, and the last of them whose weights are averaged.
const ROUNDS: usize = 7;
const AVERAGED: usize = 4;
/// AdaGrad's first step, what is left of it at the end, and how much smaller it is after the rows.
const RATE: f32 = 0.03;
const RATE_LEFT: f32 = 0.2;
const TOP_RATE: f32 = 0.3;
/// What the squares begin with.
const SQUARE: f32 = 1e-3;
/// How strongly weights are pulled to zero.
const DECAY: f32 = 2e-6;
/// Of a label's aim so much is spread over the others, so that no prompt is learned by heart.
const SMOOTHING: f32 = 0.04;
/// How often each prompt is seen in another hand in a round, and what such a copy counts.
const COPIES: usize = 2;
const COPY_WEIGHT: f32 = 0.6;
/// So much of a prompt's features is left out each time that it is seen, so that none is leant on too much.
const DROPPED: f64 = 0.2;
/// What a put-together prompt counts.
const FRAME_WEIGHT: f32 = 0.6;
/// How far from 0 the hidden columns and the top begin.
const HIDDEN_START: f32 = 0.05;
const TOP_START: f32 = 0.3;

pub(super) struct Model {
    pub(super) rows: Vec<Sums>,
    pub(super) top: Top,
}

/// What the gradients of a weight have been, squared and summed.
struct Squares {
    rows: Vec<Sums>,
    top: Top,
}

/// What a step needs and the next can use again.
#[derive(Default)]
struct Scratch {
    sums: Vec<Sums>,
    shares: Vec<f32>,
}

/// A prompt as a step sees it.
struct Example {
    /// Features of each sentence, then of the whole.
    parts: Vec<Vec<Feature>>,
    label: usize,
    weight: f32,
}

impl Example {
    fn of(prompt: &Prompt, weight: f32, random: &mut Random) -> Example {
        let scale = (1.0 / (1.0 - DROPPED)) as f32;
        let features = features(&prompt.view());
        let mut kept = |part: &[Feature]| {
            let some = part.iter().filter(|_| random.unit() >= DROPPED);
            some.map(|(bucket, value)| (*bucket, value * scale)).collect()
        };
        let parts = features.parts().map(&mut kept).collect();
        Example { parts, label: prompt.label, weight }
    }
}

impl Model {
    fn empty() -> Model {
        Model { rows: vec![[0.0; COLUMNS]; BUCKETS], top: Top::default() }
    }

    /// Small numbers where zeros would never part.
    fn begin(random: &mut Random) -> Model {
        let mut model = Model::empty();
        let mut around = |most: f32| (random.unit() as f32 * 2.0 - 1.0) * most;
        let hidden = model.rows.iter_mut().flat_map(|row| row.iter_mut().skip(INSTRUCTION + 1));
        hidden.for_each(|cell| *cell = around(HIDDEN_START));
        model.top.out.as_flattened_mut().iter_mut().for_each(|cell| *cell = around(TOP_START));
        model
    }

    /// Weights that were trained on the prompts.
    pub(super) fn train(prompts: &[&Prompt], frames: &Frames, framed: f64) -> Model {
        let mut mean = Model::empty();
        for run in 0..RUNS {
            mean.learn(prompts, (frames, framed), &mut Random::new(SEED + run));
        }
        mean
    }

    /// Adds the share of one run.
    fn learn(&mut self, prompts: &[&Prompt], (frames, framed): (&Frames, f64), random: &mut Random) {
        let share = 1.0 / (AVERAGED as f32 * RUNS as f32);
        let mut model = Model::begin(&mut Random::new(SEED));
        let mut squares = Squares { rows: vec![[SQUARE; COLUMNS]; BUCKETS], top: Top::default() };
        squares.top.biases.fill(SQUARE);
        squares.top.hidden_biases.fill(SQUARE);
        squares.top.out.as_flattened_mut().fill(SQUARE);
        let mut scratch = Scratch::default();
        let mut order: Vec<&Prompt> = prompts.to_vec();
        for round in 0..ROUNDS {
            for at in (1..order.len()).rev() {
                order.swap(at, (random.unit() * (at + 1) as f64) as usize);
            }
            let rate = RATE * (1.0 - round as f32 / ROUNDS as f32 * (1.0 - RATE_LEFT));
            for prompt in &order {
                model.step(&Example::of(prompt, 1.0, random), rate, &mut squares, &mut scratch);
                for _ in 0..COPIES {
                    let copy = perturbed(prompt, &Hand::TRAINED, random);
                    let example = Example::of(&copy, COPY_WEIGHT, random);
                    model.step(&example, rate, &mut squares, &mut scratch);
                }
                if random.unit() < framed
                    && let Some(drawn) = frames.draw(random)
                {
                    let drawn = perturbed(&drawn, &Hand::TRAINED, random);
                    let example = Example::of(&drawn, FRAME_WEIGHT, random);
                    model.step(&example, rate, &mut squares, &mut scratch);
                }
            }
            if round + AVERAGED >= ROUNDS {
                self.add(&model, share);
            }
        }
    }

    fn add(&mut self, other: &Model, share: f32) {
        let cells = self.rows.as_flattened_mut().iter_mut().zip(other.rows.as_flattened());
        let top = self.top.biases.iter_mut().chain(&mut self.top.hidden_biases);
        let theirs = other.top.biases.iter().chain(&other.top.hidden_biases);
        let out = self.top.out.as_flattened_mut().iter_mut().zip(other.top.out.as_flattened());
        cells.chain(top.zip(theirs)).chain(out).for_each(|(mean, cell)| *mean += cell * share);
    }

    fn sums(&self, part: &[Feature]) -> Sums {
        let mut sums = [0.0; COLUMNS];
        for (bucket, value) in part {
            let row = &self.rows[*bucket as usize];
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight * value);
        }
        sums
    }

    pub(super) fn logits(&self, features: &Features) -> [f32; LABELS] {
        let mut sums: Vec<Sums> = features.parts().map(|part| self.sums(part)).collect();
        let whole = sums.pop().unwrap_or([0.0; COLUMNS]);
        let mut shares = Vec::new();
        attention(&sums, &mut shares);
        self.top.logits(&mix(&whole, &sums, &shares))
    }

    fn step(&mut self, example: &Example, rate: f32, squares: &mut Squares, scratch: &mut Scratch) {
        let Scratch { sums, shares } = scratch;
        sums.clear();
        sums.extend(example.parts.iter().map(|part| self.sums(part)));
        let whole = sums.pop().unwrap_or([0.0; COLUMNS]);
        attention(sums, shares);
        let mixed = mix(&whole, sums, shares);
        let said = softmax(self.top.logits(&mixed), 1.0);
        let mut errors = [0.0_f32; LABELS];
        for (at, (error, share)) in errors.iter_mut().zip(said).enumerate() {
            let aim = if at == example.label { 1.0 - SMOOTHING } else { SMOOTHING / (LABELS - 1) as f32 };
            *error = (share - aim) * example.weight;
        }
        let slope = self.top_step(&mixed, &errors, rate * TOP_RATE, &mut squares.top);
        let toward = |sums: &Sums| slope.iter().zip(sums).map(|(slope, sum)| slope * sum).sum::<f32>();
        let all: f32 = sums.iter().zip(shares.iter()).map(|(sums, share)| toward(sums) * share).sum();
        for (number, part) in example.parts.iter().enumerate() {
            let mut own = slope;
            if let (Some(sums), Some(share)) = (sums.get(number), shares.get(number)) {
                own = slope.map(|slope| slope * share);
                own[INSTRUCTION] = share * (toward(sums) - all);
            }
            self.rows_step(part, &own, rate, squares);
        }
    }

    /// Moves the top; the slope of each column.
    fn top_step(&mut self, mixed: &Sums, errors: &[f32; LABELS], rate: f32, squares: &mut Top) -> Sums {
        let hidden = self.top.hidden(mixed);
        let mut slope = [0.0; COLUMNS];
        slope[..LABELS].copy_from_slice(errors);
        for at in 0..HIDDEN {
            let back: f32 = self.top.out[at].iter().zip(errors).map(|(weight, error)| weight * error).sum();
            slope[INSTRUCTION + 1 + at] = back * (1.0 - hidden[at] * hidden[at]);
            for (label, error) in errors.iter().enumerate() {
                let gradient = error * hidden[at];
                moved(&mut self.top.out[at][label], gradient, rate, &mut squares.out[at][label]);
            }
            let gradient = slope[INSTRUCTION + 1 + at];
            moved(&mut self.top.hidden_biases[at], gradient, rate, &mut squares.hidden_biases[at]);
        }
        for ((bias, error), square) in self.top.biases.iter_mut().zip(errors).zip(&mut squares.biases) {
            moved(bias, *error, rate, square);
        }
        slope
    }

    fn rows_step(&mut self, part: &[Feature], slope: &Sums, rate: f32, squares: &mut Squares) {
        for (bucket, value) in part {
            let (row, seen) = (&mut self.rows[*bucket as usize], &mut squares.rows[*bucket as usize]);
            for at in 0..COLUMNS {
                let gradient = slope[at] * value + DECAY * row[at];
                seen[at] += gradient * gradient;
                row[at] -= rate * gradient / seen[at].sqrt();
            }
        }
    }
}

fn moved(weight: &mut f32, gradient: f32, rate: f32, square: &mut f32) {
    *square += gradient * gradient;
    *weight -= rate * gradient / square.sqrt();
}
