//! The figures of a classifier on prompts that it was not trained on.

use routing::classify::{Judgement, LABELS, Label};
use routing::random::Random;

use super::perturb::{Hand, perturbed};
use super::{Prompt, SEED};

/// A prompt and what was said of it.
pub(super) struct Judged<'p> {
    pub(super) prompt: &'p Prompt,
    pub(super) judgement: Judgement,
    /// How many of its [`COPIES`] were judged alike.
    pub(super) steady: usize,
}

/// How often each prompt is perturbed.
pub(super) const COPIES: usize = 5;

impl<'p> Judged<'p> {
    /// Judges a prompt and its perturbed copies; which these are depends on the prompt's number alone.
    pub(super) fn of(prompt: &'p Prompt, number: usize, judge: impl Fn(&Prompt) -> Judgement) -> Judged<'p> {
        let mut random = Random::new(SEED + 1 + number as u64);
        let judgement = judge(prompt);
        let label = judgement.best().0;
        let steady = (0..COPIES)
            .filter(|_| judge(&perturbed(prompt, &Hand::MEASURED, &mut random)).best().0 == label)
            .count();
        Judged { prompt, judgement, steady }
    }

    fn is_right(&self) -> bool {
        self.judgement.best().0 as usize == self.prompt.label
    }
}

/// Prints the figures; whether they meet the goals.
pub(super) fn print(judged: &[Judged<'_>], errors: bool) -> bool {
    let share = |part: &[&Judged<'_>]| {
        part.iter().filter(|one| one.is_right()).count() as f64 / part.len().max(1) as f64
    };
    let all: Vec<&Judged<'_>> = judged.iter().collect();
    let accuracy = share(&all);
    let mut scores = Vec::new();
    println!("{:>12} {:>9} {:>7} {:>7}  taken for", "label", "precision", "recall", "count");
    for (number, label) in Label::ALL.into_iter().enumerate() {
        let own: Vec<_> = judged.iter().filter(|one| one.prompt.label == number).collect();
        let said = judged.iter().filter(|one| one.judgement.best().0 == label).count() as f64;
        let both = own.iter().filter(|one| one.is_right()).count() as f64;
        let (precision, recall) = (both / said.max(1.0), share(&own));
        scores.push(2.0 * precision * recall / (precision + recall).max(1e-9));
        let taken = Label::ALL.map(|other| own.iter().filter(|one| one.judgement.best().0 == other).count());
        println!("{:>12} {precision:>9.3} {recall:>7.3} {:>7}  {taken:?}", label.name(), own.len());
    }
    let f1 = scores.iter().sum::<f64>() / LABELS as f64;
    let calibration = calibration_error(judged);
    let steady =
        judged.iter().map(|one| one.steady).sum::<usize>() as f64 / (judged.len() * COPIES).max(1) as f64;
    let row = |name: &str, part: &dyn Fn(&Prompt) -> bool| {
        let part: Vec<_> = judged.iter().filter(|one| part(one.prompt)).collect();
        print!("  {name} {:.3} of {}", share(&part), part.len());
    };
    for kind in ["plain", "program", "multi", "adversarial", "frame"] {
        row(kind, &|prompt| prompt.kind == kind);
    }
    println!();
    for lang in ["en", "de", "fr", "es", "zh", "ja", "pt", "ru", "it", "ar", "hi", "pl", "tr"] {
        row(lang, &|prompt| prompt.lang == lang);
    }
    println!();
    for (from, to) in [(0, 40), (40, 120), (120, 400), (400, 1_000), (1_000, usize::MAX)] {
        row(&format!("from {from} bytes"), &|prompt| (from..to).contains(&prompt.view().last.len()));
    }
    println!();
    row("written as a whole", &|prompt| prompt.kind != "frame");
    println!(
        "\naccuracy {accuracy:.4} (goal 0.90), macro-F1 {f1:.4} (goal 0.88), expected calibration error {calibration:.4} (goal at most 0.03)"
    );
    println!("same label under typing errors, case and politeness: {steady:.4} (goal 0.95)");
    if errors {
        judged.iter().filter(|one| !one.is_right()).for_each(print_error);
    }
    accuracy >= 0.9 && f1 >= 0.88 && calibration <= 0.03 && steady >= 0.95
}

fn print_error(one: &Judged<'_>) {
    let text: String = one.prompt.view().last.chars().take(200).collect();
    let (label, share) = one.judgement.best();
    println!(
        "{} not {} ({share:.2}, {}, {}): {}",
        Label::ALL[one.prompt.label].name(),
        label.name(),
        one.prompt.kind,
        one.prompt.file,
        text.replace('\n', " / ")
    );
}

/// Ten bins by confidence: how far each bin's accuracy is from what it claims.
fn calibration_error(judged: &[Judged<'_>]) -> f64 {
    let mut bins = [(0_usize, 0.0_f64, 0_usize); 10];
    for one in judged {
        let share = one.judgement.best().1;
        let bin = &mut bins[((share * 10.0) as usize).min(9)];
        bin.0 += 1;
        bin.1 += f64::from(share);
        bin.2 += usize::from(one.is_right());
    }
    let all = judged.len() as f64;
    bins.iter().filter(|bin| bin.0 > 0).map(|(_, claimed, right)| (claimed - *right as f64).abs() / all).sum()
}
