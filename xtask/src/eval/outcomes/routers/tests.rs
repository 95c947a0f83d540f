use std::sync::LazyLock;

use routing::random::Random;

use super::*;
use crate::sh;

static SNAPSHOT: LazyLock<Snapshot> =
    LazyLock::new(|| catalog::load_dir(&sh::root().join("catalog")).unwrap());

/// Two kinds of prompts; `by_kind` says how good each of two models of nobody's is at each, and what it costs.
fn made(by_kind: [[(f64, f64); 2]; 2], seed: u64) -> Outcomes {
    let mut random = Random::new(seed);
    let texts =
        ["Write a Python function that sorts list number", "Translate to German: The meeting is at hour"];
    let prompts = (0..1_000).map(|n| {
        let kind = n % 2;
        let outcomes = by_kind[kind].map(|(chance, cost)| Outcome {
            quality: f64::from(u8::from(random.unit() < chance)),
            cost: cost * (0.5 + random.unit()),
        });
        Prompt { text: format!("{} {n}.", texts[kind]), task: None, is_test: None, outcomes: outcomes.into() }
    });
    Outcomes {
        models: vec!["x/cheap".to_owned(), "x/dear".to_owned()],
        prompts: prompts.collect(),
        left_out: 0,
    }
}

fn quality_at(measured: &Measured, name: &str, cost: f64) -> f64 {
    let points = &measured.curves.iter().find(|curve| curve.name == name).unwrap().points;
    let hull = zero::hull(points);
    zero::mix(points, &hull, cost).unwrap().of(|at| points[at].quality)
}

#[test]
fn where_the_kind_of_work_tells_ours_beats_the_zero_router() {
    let measured = measure(&made([[(0.3, 1.0), (0.9, 4.0)], [(0.9, 1.0), (0.9, 4.0)]], 1), &SNAPSHOT);
    let (zero, ours) =
        (quality_at(&measured, "zero router, learned", 2.5), quality_at(&measured, "ours", 2.5));
    assert!(zero < 0.78 && ours > 0.84, "{zero} {ours}");
    assert!(quality_at(&measured, "oracle", 2.5) > ours);
    assert!(measured.open > 0.3 && measured.measured == 1_000, "{}", measured.open);
}

#[test]
fn where_it_tells_nothing_the_zero_router_is_deployed() {
    for seed in 0..3 {
        let measured = measure(&made([[(0.6, 1.0), (0.8, 4.0)]; 2], seed), &SNAPSHOT);
        assert!(measured.open < 0.03, "{}", measured.open);
        for cost in [1.0, 2.0, 3.0, 4.0] {
            let (zero, ours) =
                (quality_at(&measured, "zero router, learned", cost), quality_at(&measured, "ours", cost));
            assert!(ours > zero - 0.002, "{cost}: {zero} {ours}");
        }
    }
}

#[test]
fn a_split_is_kept_and_the_same_text_is_in_one_fold() {
    let mut outcomes = made([[(0.5, 1.0), (0.5, 2.0)]; 2], 1);
    let folded = folds(&outcomes.prompts);
    assert_eq!(folded.len(), 5);
    assert!(folded.iter().all(|(_, measured)| (120..280).contains(&measured.len())));
    for (at, prompt) in outcomes.prompts.iter_mut().enumerate() {
        prompt.is_test = Some(at < 10);
    }
    assert_eq!(folds(&outcomes.prompts)[0].1, (0..10).collect::<Vec<_>>());
}
