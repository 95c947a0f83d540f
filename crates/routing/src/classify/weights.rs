//! The classifier's weights, their file, and what they make of features.
//!
//! - Each part of a request (the whole, each sentence) adds up the rows of its features. A row has a column for each label, one for
//!   how likely the sentence is the instruction, and [`HIDDEN`] for what is neither by itself.
//! - The sentences' sums are averaged by the softmax of their instruction column and added to those of the whole. The labels' columns
//!   are evidence as they are; the hidden ones pass a tanh and a small matrix first.
//! - A cell is a byte: steps of its column's scale.

use super::features::{BUCKETS, Feature, Features, View, parts};
use super::{Judgement, LABELS, softmax};

/// Columns that are neither a label's nor the instruction's.
pub const HIDDEN: usize = 15;
/// The column that tells the instruction.
pub const INSTRUCTION: usize = LABELS;
/// Columns of a row.
pub const COLUMNS: usize = LABELS + 1 + HIDDEN;
/// Sums of a part's features.
pub type Sums = [f32; COLUMNS];

/// Begins a file of weights.
const MARK: &[u8; 4] = b"TWC2";
/// Floats before the cells: scales, the top, the temperature.
const FLOATS: usize = COLUMNS + LABELS + HIDDEN + HIDDEN * LABELS + 1;
const HEAD_BYTES: usize = MARK.len() + FLOATS * 4;
/// Steps of a scale on either side of 0.
const STEPS: f32 = 127.0;
/// Room for the parts of a request.
const PARTS: usize = 16;

/// What comes after the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Top {
    /// A label's evidence where there is none.
    pub biases: [f32; LABELS],
    /// Of the hidden columns.
    pub hidden_biases: [f32; HIDDEN],
    /// What each hidden column says of each label.
    pub out: [[f32; LABELS]; HIDDEN],
}

impl Top {
    /// The hidden columns after their tanh.
    pub fn hidden(&self, sums: &Sums) -> [f32; HIDDEN] {
        let mut hidden = self.hidden_biases;
        for (hidden, sum) in hidden.iter_mut().zip(sums.iter().skip(INSTRUCTION + 1)) {
            *hidden = (*hidden + sum).tanh();
        }
        hidden
    }

    /// What sums say for each label, before the temperature.
    pub fn logits(&self, sums: &Sums) -> [f32; LABELS] {
        let mut logits = self.biases;
        logits.iter_mut().zip(sums).for_each(|(logit, sum)| *logit += sum);
        for (hidden, row) in self.hidden(sums).into_iter().zip(&self.out) {
            logits.iter_mut().zip(row).for_each(|(logit, weight)| *logit += hidden * weight);
        }
        logits
    }
}

/// How likely each sentence is the instruction.
pub fn attention(sentences: &[Sums], shares: &mut Vec<f32>) {
    let score = |sums: &Sums| sums.get(INSTRUCTION).copied().unwrap_or_default();
    let most = sentences.iter().map(score).fold(f32::NEG_INFINITY, f32::max);
    shares.clear();
    shares.extend(sentences.iter().map(|sums| (score(sums) - most).exp()));
    let all: f32 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= all);
}

/// Adds the sentences, each by its share, to the sums of the whole.
pub fn mix(whole: &Sums, sentences: &[Sums], shares: &[f32]) -> Sums {
    let mut mixed = *whole;
    for (sums, share) in sentences.iter().zip(shares) {
        mixed.iter_mut().zip(sums).for_each(|(mixed, sum)| *mixed += sum * share);
    }
    mixed
}

/// Weights as they are in their file.
#[derive(Clone, Debug)]
pub struct Weights<'w> {
    cells: &'w [[u8; COLUMNS]],
    scales: Sums,
    top: Top,
    temperature: f32,
}

impl<'w> Weights<'w> {
    /// Reads a file of weights; `None`: it is none.
    pub fn read(bytes: &'w [u8]) -> Option<Weights<'w>> {
        let (cells, rest) = bytes.get(HEAD_BYTES..)?.as_chunks();
        let floats = bytes.strip_prefix(MARK)?.as_chunks::<4>().0;
        let mut floats = floats.iter().map(|four| f32::from_le_bytes(*four));
        if cells.len() != BUCKETS || !rest.is_empty() {
            return None;
        }
        let mut weights = Weights { cells, scales: [0.0; COLUMNS], top: Top::default(), temperature: 1.0 };
        let top = &mut weights.top;
        let all = weights.scales.iter_mut().chain(&mut top.biases).chain(&mut top.hidden_biases);
        for float in all.chain(top.out.as_flattened_mut()).chain([&mut weights.temperature]) {
            *float = floats.next()?;
        }
        Some(weights)
    }

    /// Writes a file of weights: each column's are stored as steps of its largest one's 127th part.
    pub fn write(rows: &[Sums], top: &Top, temperature: f32) -> Vec<u8> {
        let mut scales = [0.0_f32; COLUMNS];
        for row in rows {
            for (scale, weight) in scales.iter_mut().zip(row) {
                *scale = scale.max(weight.abs() / STEPS);
            }
        }
        let mut bytes = Vec::with_capacity(HEAD_BYTES + rows.len() * COLUMNS);
        bytes.extend_from_slice(MARK);
        let floats = scales.iter().chain(&top.biases).chain(&top.hidden_biases);
        let floats = floats.chain(top.out.as_flattened()).chain([&temperature]);
        floats.for_each(|float| bytes.extend_from_slice(&float.to_le_bytes()));
        for row in rows {
            for (weight, scale) in row.iter().zip(scales) {
                let step = if scale > 0.0 { (weight / scale).round() } else { 0.0 };
                bytes.push((step as i8) as u8);
            }
        }
        bytes
    }

    /// What the features say for each label, before the temperature.
    pub fn logits(&self, features: &Features) -> [f32; LABELS] {
        self.say(features.parts().map(|part| self.sums(part)).collect())
    }

    /// Judges a request.
    pub fn judge(&self, view: &View<'_>) -> Judgement {
        let mut sums = Vec::with_capacity(PARTS);
        parts(view, |part| sums.push(self.sums(part)));
        Judgement { shares: softmax(self.say(sums), self.temperature) }
    }

    /// The sums of a part: one addition after another in the order of its features, so that they are the same to the last bit wherever
    /// they are made.
    fn sums(&self, part: &[Feature]) -> Sums {
        let mut sums = [0.0_f32; COLUMNS];
        for (bucket, value) in part {
            let Some(row) = self.cells.get(*bucket as usize) else { continue };
            sums.iter_mut().zip(row).for_each(|(sum, cell)| *sum += step(*cell) * value);
        }
        sums.iter_mut().zip(self.scales).for_each(|(sum, scale)| *sum *= scale);
        sums
    }

    /// What the sums of the sentences and, last, of the whole say for each label.
    fn say(&self, mut sums: Vec<Sums>) -> [f32; LABELS] {
        let whole = sums.pop().unwrap_or([0.0; COLUMNS]);
        let mut shares = Vec::with_capacity(sums.len());
        attention(&sums, &mut shares);
        self.top.logits(&mix(&whole, &sums, &shares))
    }
}

/// A cell's number. As `f32::from(cell as i8)`, and cheaper to make of many at once: behind these bits of 2^23 a byte counts ones.
fn step(cell: u8) -> f32 {
    f32::from_bits(0x4b00_0000 | u32::from(cell ^ 0x80)) - 8_388_736.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_number_that_its_byte_stands_for() {
        for cell in 0..=u8::MAX {
            assert_eq!(step(cell).to_bits(), f32::from(cell as i8).to_bits(), "{cell}");
        }
    }

    #[test]
    fn weights_survive_their_file() {
        let mut rows = vec![[0.0; COLUMNS]; BUCKETS];
        rows.iter_mut().for_each(|row| (row[0], row[1], row[INSTRUCTION + 1]) = (1.0, -0.5, 0.3));
        let top = Top { biases: [0.5; LABELS], out: [[0.25; LABELS]; HIDDEN], ..Top::default() };
        let bytes = Weights::write(&rows, &top, 2.0);
        let weights = Weights::read(&bytes).unwrap();
        assert_eq!((&weights.top, weights.temperature), (&top, 2.0));
        let view = View { last: "Make this shorter.", ..View::default() };
        let shares = weights.judge(&view).shares;
        assert!(shares[0] > shares[2] && shares[2] > shares[1], "{shares:?}");
        assert!(Weights::read(&bytes[1..]).is_none() && Weights::read(&bytes[..99]).is_none());
    }

    #[test]
    fn the_likely_instruction_outweighs_the_rest() {
        let sentence = |label: usize, score: f32| {
            let mut sums = [0.0; COLUMNS];
            (sums[label], sums[INSTRUCTION]) = (1.0, score);
            sums
        };
        let (sentences, mut shares) = ([sentence(0, 0.0), sentence(1, 4.0), sentence(0, 0.0)], Vec::new());
        attention(&sentences, &mut shares);
        let mixed = mix(&[0.0; COLUMNS], &sentences, &shares);
        assert!(mixed[1] > 0.9 && mixed[0] < 0.1, "{mixed:?}");
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
