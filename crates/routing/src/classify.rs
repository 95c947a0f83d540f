//! What kind of work a prompt asks for: eight labels with calibrated probabilities, in microseconds, with nothing to download.
//!
//! - Each sentence gives evidence for labels, and for being the instruction; the evidence of all is weighed by how likely each is
//!   the instruction ([`weights`]), so that pasted material around one sentence doesn't outvote it.
//! - The weights are in this program, trained by `cargo xtask train` on the prompts in `xtask/training/prompts`, which are our own.
//! - The probabilities are calibrated by one temperature, fitted on prompts that the weights were not trained on.
//! - It judges the answer that is wanted, not the topic: code inside a text to be summarized is a summary.

pub mod features;
mod lexicon;
mod stems;
pub mod weights;

use std::sync::LazyLock;

use features::View;
use weights::Weights;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Worked out step by step: maths, logic, plans.
    Reasoning,
    /// Code, or about code.
    Code,
    /// New text from imagination.
    Creative,
    /// A given text, changed.
    Rewrite,
    /// Talk, questions, advice.
    Chat,
    /// Parts or labels of a given text.
    Extraction,
    /// The gist of a given text.
    Summarize,
    /// Another language.
    Translation,
}

impl Label {
    /// All, in the order of the weights.
    pub const ALL: [Label; 8] = [
        Label::Reasoning,
        Label::Code,
        Label::Creative,
        Label::Rewrite,
        Label::Chat,
        Label::Extraction,
        Label::Summarize,
        Label::Translation,
    ];

    /// Its name, as headers and answers have it.
    pub const fn name(self) -> &'static str {
        match self {
            Label::Reasoning => "reasoning",
            Label::Code => "code",
            Label::Creative => "creative",
            Label::Rewrite => "rewrite",
            Label::Chat => "chat",
            Label::Extraction => "extraction",
            Label::Summarize => "summarize",
            Label::Translation => "translation",
        }
    }
}

/// How many labels there are.
pub const LABELS: usize = Label::ALL.len();
/// The probability of the likeliest label below which the kind of work is unknown.
pub const CONFIDENCE_MIN: f32 = 0.35;
/// How likely each label is; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// In the order of [`Label::ALL`].
    pub shares: [f32; LABELS],
}

impl Judgement {
    /// The likeliest label and its probability.
    pub fn best(&self) -> (Label, f32) {
        let pairs = Label::ALL.into_iter().zip(self.shares);
        pairs.fold((Label::Chat, f32::NEG_INFINITY), |best, pair| if pair.1 > best.1 { pair } else { best })
    }

    /// The probability of a label.
    pub fn share(&self, label: Label) -> f32 {
        self.shares.get(label as usize).copied().unwrap_or_default()
    }
}

/// Probabilities of logits.
pub fn softmax(logits: [f32; LABELS], temperature: f32) -> [f32; LABELS] {
    let most = logits.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let shares = logits.map(|logit| ((logit - most) / temperature.max(1e-3)).exp());
    let sum: f32 = shares.iter().sum();
    shares.map(|share| share / sum)
}

static OURS: LazyLock<Option<Weights<'static>>> =
    LazyLock::new(|| Weights::read(include_bytes!("classify/weights.bin")));

/// Judges a request with the weights of this program.
pub fn judge(view: &View<'_>) -> Judgement {
    match OURS.as_ref() {
        Some(weights) => weights.judge(view),
        None => Judgement { shares: [1.0 / LABELS as f32; LABELS] },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_prompts_of_each_kind_are_told_apart() {
        let rows = [
            (
                "A train leaves at 9:40 at 80 km/h and another at 10:10 at 110 km/h. When does the second catch up?",
                Label::Reasoning,
            ),
            ("Write a Python function that returns the n-th Fibonacci number.", Label::Code),
            ("Write a short poem about the sea in winter.", Label::Creative),
            ("Make this email more polite: Send me the report today.", Label::Rewrite),
            ("What should I cook tonight? I have rice and tomatoes.", Label::Chat),
            ("Extract all names and dates from the text as JSON: On May 3 Anna met Paul.", Label::Extraction),
            (
                "Summarize the following article in three bullet points: The council met on Monday.",
                Label::Summarize,
            ),
            ("Translate to German: The meeting is postponed.", Label::Translation),
            ("Übersetze ins Englische: Der Termin ist verschoben.", Label::Translation),
            ("把下面的文章总结成三点：会议在周一举行。", Label::Summarize),
        ];
        for (last, expect) in rows {
            let judgement = judge(&View { last, ..View::default() });
            assert_eq!(judgement.best().0, expect, "{last}: {judgement:?}");
            assert!((judgement.shares.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }
}
