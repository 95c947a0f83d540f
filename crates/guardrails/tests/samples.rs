//! The labelled samples: what is found in them does not get worse. `cargo xtask eval guardrails` prints all figures.

#![expect(clippy::unwrap_used, reason = "a test may fail by it")]

use std::sync::Arc;

use tollway_guardrails::score::{read, score};
use tollway_guardrails::{Compiled, Kind, Place, Rules, Tally};

fn rules(action: &str) -> Compiled {
    let kinds = serde_json::json!({
        "personal": action, "financial": action, "secrets": action, "prompt_injection": action
    });
    let rules = Rules::read(&serde_json::json!({ "kinds": kinds })).unwrap();
    Compiled::new(&[Arc::new(rules)]).unwrap()
}

/// Each part with the least precision and recall that any kind may have.
const PARTS: [(&str, usize, f64, f64); 2] = [
    (include_str!("../samples/tuned.jsonl"), 2_000, 0.99, 0.99),
    (include_str!("../samples/held_out.jsonl"), 400, 0.97, 0.85),
];

#[test]
fn every_kind_is_found_as_well_as_before() {
    let rules = rules("flag");
    for (lines, count, precision, recall) in PARTS {
        let samples = read(lines).unwrap();
        assert!(samples.len() >= count, "{} samples", samples.len());
        let scores = score(&rules, &samples, &mut |_, _, _| ());
        for (kind, score) in Kind::ALL.iter().zip(scores) {
            let (got_precision, got_recall) = (score.precision().unwrap(), score.recall().unwrap());
            assert!(got_precision >= precision && got_recall >= recall, "{}: {score:?}", kind.name());
        }
    }
}

#[test]
fn what_was_masked_holds_nothing_more_to_mask() {
    let rules = rules("mask");
    for (lines, ..) in PARTS {
        for sample in read(lines).unwrap() {
            let masked = rules.mask(&sample.text, Place::Answer, &mut Tally::default()).into_owned();
            let again = rules.mask(&masked, Place::Answer, &mut Tally::default()).into_owned();
            assert_eq!(again, masked, "{}", sample.text);
        }
    }
}
