use std::path::Path;
use std::sync::LazyLock;

use super::*;

static CATALOG: LazyLock<Snapshot> = LazyLock::new(|| {
    catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap()
});
static ABILITIES: LazyLock<Abilities> = LazyLock::new(|| Abilities::of(&CATALOG));

const CHAT: usize = Label::Chat as usize;

fn gate(table: &Table) -> Gate {
    let served = |_: usize, endpoint: &Endpoint| {
        ["openai/", "anthropic/", "mistral/"].iter().any(|slug| endpoint.id.starts_with(slug))
    };
    Gate::of(table, &CATALOG, &ABILITIES, &served, Timestamp(0))
}

fn model(id: &str) -> usize {
    CATALOG.models.iter().position(|model| &*model.id == id).unwrap()
}

fn rated(id: &str, work: &Work, reward: f64, times: usize) -> Gate {
    let mut table = Table::default();
    (0..times).for_each(|_| table.observe(work, id, reward, 1.0, Timestamp(0)));
    gate(&table)
}

fn seen(gate: &Gate, id: &str, kind: usize) -> Seen {
    gate.row(model(id)).unwrap()[kind]
}

/// Of the hull at a kind of work: two models beside each other, the cheaper one first.
fn neighbours(kind: usize) -> (usize, usize, f64) {
    let table = Table::default();
    let served = |_: usize, endpoint: &Endpoint| endpoint.id.starts_with("openai/");
    let costs = (0..CATALOG.models.len()).map(|at| costs(&CATALOG, at, &served, Timestamp(0))).collect();
    let maker = Maker { table: &table, abilities: &ABILITIES, now: Timestamp(0), costs };
    let points = maker.points(&CATALOG, kind);
    let hull = zero::hull(&points);
    (hull[0], *hull.last().unwrap(), points[hull[0]].cost)
}

#[test]
fn a_gain_is_over_the_best_mix_of_the_others_at_the_same_cost() {
    let point = |cost, quality| Point { cost, quality };
    // The third lies on the line between the others, above it, below it, cheaper than all, dearer than all.
    let rows = [
        (point(2.0, 0.6), 0.0),
        (point(2.0, 0.7), 0.1),
        (point(2.0, 0.5), -0.1),
        (point(0.5, 0.45), 0.0),
        (point(0.5, 0.5), 0.05),
        (point(9.0, 0.8), 0.0),
        (point(9.0, 0.7), -0.1),
    ];
    for (third, expect) in rows {
        let mut points = vec![point(1.0, 0.5), point(3.0, 0.7), third];
        if third.cost > 3.0 {
            points[1].quality = 0.8;
        }
        let before = points.clone();
        let hull = zero::hull(&points);
        let gain = gain_over_others(&mut points, &hull, 2).unwrap();
        // The slope of the others is 0.1 of quality for 1 of cost.
        assert!((gain - expect).abs() < 1e-9, "{third:?}: {gain}");
        assert_eq!(points, before);
    }
    assert_eq!(gain_over_others(&mut [point(1.0, 0.5)], &[0], 0), None);
}

#[test]
fn few_rewards_and_those_at_other_work_leave_the_prior() {
    let works = works();
    let id = "mistralai/mistral-small-2603";
    for (times, reward) in [(1, 0.0), (1, 1.0), (3, 0.0)] {
        let seen = seen(&rated(id, &works[CHAT], reward, times), id, CHAT);
        assert!(!seen.verdict.counts(), "{times} {reward}: {seen:?}");
        assert_eq!(seen.quality().to_bits(), seen.prior.to_bits());
    }
    let gate = rated(id, &works[CHAT], 0.0, 400);
    let code = seen(&gate, id, Label::Code as usize);
    assert_eq!(code.verdict, Verdict::Unseen);
    assert!(code.learned < code.prior - 0.05, "other kinds are heard, and don't count: {code:?}");
    assert_eq!(seen(&gate, id, CHAT).verdict, Verdict::Worse);
    assert_eq!(seen(&gate, id, ROWS).verdict, Verdict::Worse, "all kinds together");
    assert!(gate.row(model("openai/gpt-5-mini")).is_none());
    assert!(gate.quality(model("openai/gpt-5-mini"), &works[CHAT]).is_none());
}

#[test]
fn praise_counts_only_where_two_others_are_not_as_good() {
    let work = &works()[CHAT];
    let (cheap, best, _) = neighbours(CHAT);
    let ids = |at: usize| CATALOG.models[at].id.to_string();
    // The best at its price has nothing above it: praise that is sure makes it better.
    let praised = rated(&ids(best), work, 1.0, 400);
    let told = praised.row(best).unwrap()[CHAT];
    assert!(told.learned > told.prior + 0.02 && told.verdict == Verdict::Better, "{told:?}");
    // A dear model that is praised a little above its prior is no better than cheaper ones that are as good.
    let all = (0..CATALOG.models.len()).filter(|at| *at != best);
    let dear_and_weak = all
        .filter(|at| costs(&CATALOG, *at, &|_, e| e.id.starts_with("openai/"), Timestamp(0))[CHAT] > 0.0)
        .min_by(|a, b| {
            let quality = |at: &usize| ABILITIES.rows(*at)[CHAT];
            quality(a).total_cmp(&quality(b))
        })
        .unwrap();
    let mut table = Table::default();
    let prior = ABILITIES.rows(dear_and_weak)[CHAT];
    (0..600).for_each(|_| table.observe(work, &ids(dear_and_weak), prior + 0.04, 1.0, Timestamp(0)));
    let told = gate(&table).row(dear_and_weak).unwrap()[CHAT];
    assert_eq!(told.verdict, Verdict::NotBetter, "{} {told:?}", ids(dear_and_weak));
    assert_eq!(told.quality().to_bits(), told.prior.to_bits());
    assert_ne!(cheap, best);
}

#[test]
fn work_of_no_known_kind_goes_by_all_rewards_together() {
    let even = Work::Mixture([0.125; LABELS]);
    assert_eq!(kinds(&even).collect::<Vec<_>>(), [(ROWS, 1.0)]);
    assert_eq!(kinds(&Work::Tools).collect::<Vec<_>>(), [(LABELS, 1.0)]);
    let id = "mistralai/mistral-small-2603";
    let gate = rated(id, &even, 0.0, 60);
    assert!(seen(&gate, id, ROWS).verdict.counts());
    let (quality, learned) = (gate.quality(model(id), &even), gate.learned(model(id), &even));
    assert_eq!(quality.map(f64::to_bits), learned.map(f64::to_bits));
    assert_eq!((name(LABELS), name(ROWS), name(CHAT)), ("tool_use", "unknown", "chat"));
}

#[test]
fn the_same_rewards_make_the_same_gate_and_none_makes_none() {
    let id = "mistralai/mistral-small-2603";
    let work = &works()[CHAT];
    assert_eq!(rated(id, work, 0.2, 90), rated(id, work, 0.2, 90));
    assert!(gate(&Table::default()).is_empty());
    assert!(rated("nobody/none", work, 0.0, 90).is_empty(), "of a model that the catalog doesn't know");
    let unserved = rated("google/gemini-2.5-flash", work, 0.0, 90);
    let told = unserved.row(model("google/gemini-2.5-flash")).unwrap()[CHAT];
    assert!(!told.verdict.counts(), "{told:?}");
}
