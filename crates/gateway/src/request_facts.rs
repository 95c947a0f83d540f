//! What a record keeps of a decision: what it was made from, in numbers, and the plan's first steps. No text of the prompt.

use catalog::Snapshot;
use ledger::{PLANNED_MAX, Planned, RequestFacts};
use routing::classify::LABELS;
use routing::plan::{Facts, Plan, Step};
use routing::quality::Work;
use types::Task;
use wire::asked::Asked;

use crate::judging::Judged;

/// The facts of a conversation; other tasks are not replayed, so they keep none. `chances`: of a policy that draws, the chance of
/// each target to come first.
pub(crate) fn of(
    snapshot: &Snapshot,
    asked: &Asked<'_>,
    decided: (&Facts, &Plan),
    judged: Option<Judged>,
    chances: &[f64],
) -> Option<RequestFacts> {
    let (facts, plan) = decided;
    if facts.task != Task::Generate {
        return None;
    }
    // An endpoint that is tried with several keys is one choice.
    let mut seen = Vec::new();
    let fresh = |step: &&Step| {
        let fresh = !seen.contains(&step.endpoint);
        seen.push(step.endpoint);
        fresh
    };
    let planned = plan.steps.iter().filter(fresh).take(PLANNED_MAX).filter_map(|step| {
        let endpoint = snapshot.endpoints.get(step.endpoint as usize)?;
        Some(Planned {
            endpoint: endpoint.id.to_string(),
            propensity: decimal(plan.chance(step, chances)),
            quality: step.quality.map(decimal),
        })
    });
    Some(RequestFacts {
        input_tokens: facts.input_tokens,
        max_tokens: facts.max_tokens,
        tools: facts.tools,
        image: facts.image,
        audio: facts.audio,
        file: facts.file,
        structured_output: facts.structured_output,
        streamed: asked.stream,
        planned: planned.collect(),
        shares: judged.and_then(shares),
    })
}

/// What the classifier said, in thousandths; `None` where it was not asked.
fn shares(judged: Judged) -> Option<[u16; LABELS]> {
    judged.confidence?;
    match judged.work {
        // Between 0 and 1,000: a share is a probability.
        Work::Mixture(shares) => Some(shares.map(|share| (share.clamp(0.0, 1.0) * 1_000.0).round() as u16)),
        Work::Tools => None,
    }
}

/// A number from 0 to 1 as decimal text, to the millionth.
fn decimal(number: f64) -> String {
    // The two that nearly every step has.
    if number >= 1.0 {
        return String::from("1");
    }
    if number <= 0.0 {
        return String::from("0");
    }
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_decimal_texts() {
        let rows = [
            (1.0, "1"),
            (0.0, "0"),
            (0.5, "0.5"),
            (31.0 / 32.0, "0.96875"),
            (1.0 / 3.0, "0.333333"),
            (0.000_000_1, "0"),
            (0.999_999_99, "1"),
        ];
        for (number, expect) in rows {
            assert_eq!(decimal(number), expect);
        }
    }

    #[test]
    fn shares_are_told_where_something_was_classified() {
        let mut mixture = [0.0; LABELS];
        (mixture[1], mixture[4]) = (0.7504, 0.2496);
        let judged = |work, confidence| Judged { task: "code", confidence, work };
        let told = shares(judged(Work::Mixture(mixture), Some(0.75)));
        assert_eq!(told, Some([0, 750, 0, 0, 250, 0, 0, 0]));
        assert_eq!(shares(judged(Work::Mixture(mixture), None)), None);
        assert_eq!(shares(judged(Work::Tools, None)), None);
    }
}
