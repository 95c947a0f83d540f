use std::path::Path;
use std::sync::LazyLock;

use catalog::{Overlay, OverlayModel, OverlayProvider, Protocol};
use proptest::prelude::*;

use super::*;
use crate::health::Quantiles;
use crate::random::Random;

/// Two providers of `lab/m`, one that can't be cancelled, and two of `lab/n`, which is dearer.
static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let base = catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap();
    let model = |id: &str, usd: &str| OverlayModel {
        id: id.to_owned(),
        price: Some(
            ["input_usd_per_mtok", "output_usd_per_mtok"].map(|key| (key.to_owned(), usd.to_owned())).into(),
        ),
        ..OverlayModel::default()
    };
    let provider = |slug: &str, models: Vec<OverlayModel>| OverlayProvider {
        slug: slug.to_owned(),
        protocol: Some(Protocol::Openai),
        base_url: Some("http://127.0.0.1:1/v1".to_owned()),
        on_disconnect: (slug == "drains").then_some(OnDisconnect::Drain),
        models,
        ..OverlayProvider::default()
    };
    let providers = vec![
        provider("a", vec![model("lab/m", "1"), model("lab/n", "3")]),
        provider("b", vec![model("lab/m", "2"), model("lab/n", "3")]),
        provider("drains", vec![model("lab/m", "1")]),
    ];
    base.clone().with_overlay(&Overlay { providers }).unwrap()
});

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second)
}

fn nanos(n: i64) -> Money {
    Money::from_nanos(n)
}

/// With both budgets full, at requests of 1,000,000 nano-dollars.
fn full() -> Hedges {
    let mut hedges = Hedges::default();
    for _ in 0..1_000 {
        hedges.asked();
        hedges.paid(nanos(1_000_000));
    }
    hedges
}

fn figures(p95: f64, samples: u64) -> Figures {
    let ttft_ms = Some(Quantiles { p50: 100.0, p75: 200.0, p90: 300.0, p95, p99: 4_000.0 });
    Figures { ttft_ms, samples, ..Figures::default() }
}

/// Endpoints with the quality that the plan knows.
type Legs = [(&'static str, Option<f64>)];

fn planned(steps: &Legs) -> Plan {
    let step = |(id, quality): &(&str, Option<f64>)| Step {
        endpoint: SNAPSHOT.endpoints.iter().position(|e| &*e.id == *id).unwrap() as u32,
        reason: "",
        expected: nanos(0),
        quality: *quality,
        propensity: 0.0,
        target: 0,
        own: None,
    };
    Plan { steps: steps.iter().map(step).collect(), ..Plan::default() }
}

fn second(hedges: &Hedges, steps: &Legs, half_open: &str) -> Option<Second> {
    let facts = Facts { input_tokens: 500, ..Facts::default() };
    let is_closed = |endpoint: u32| &*SNAPSHOT.endpoints[endpoint as usize].id != half_open;
    hedges.second(&SNAPSHOT, &facts, &planned(steps), 0, is_closed)
}

#[test]
fn the_first_leg_has_its_own_95th_percentile() {
    assert_eq!(delay(&figures(800.0, SAMPLES_MIN)), Some(Duration::from_millis(800)));
    assert_eq!(delay(&figures(800.0, SAMPLES_MIN - 1)), None);
    assert_eq!(delay(&figures(f64::NAN, SAMPLES_MIN)), None);
    assert_eq!(delay(&Figures { samples: 99, ..Figures::default() }), None);
}

#[test]
fn five_can_be_saved_up_and_none_at_the_start() {
    let mut hedges = full();
    for _ in 0..REQUESTS_SAVED_MAX {
        drop(hedges.fire(nanos(0), at(0)).unwrap());
    }
    assert_eq!(hedges.fire(nanos(0), at(0)).unwrap_err(), Held::Requests);
    assert_eq!(Hedges::default().fire(nanos(0), at(0)).unwrap_err(), Held::Requests);
    assert_eq!(hedges.counts().held_by_requests, 1);
}

#[test]
fn the_second_leg_is_of_another_provider_and_as_good() {
    let hedges = full();
    let rows: [(&str, &Legs, &str, Option<usize>); 9] = [
        ("the same model elsewhere", &[("a/m", None), ("b/m", None)], "", Some(1)),
        ("its own provider is no help", &[("a/m", Some(0.8)), ("a/n", Some(0.8))], "", None),
        ("another model of unknown quality", &[("a/m", None), ("b/n", None)], "", None),
        ("another model as good", &[("a/m", Some(0.8)), ("b/n", Some(0.79))], "", Some(1)),
        ("another model that is worse", &[("a/m", Some(0.8)), ("b/n", Some(0.77))], "", None),
        ("half-open", &[("a/m", None), ("b/m", None)], "b/m", None),
        ("the second drains", &[("a/m", None), ("drains/m", None)], "", None),
        ("the first drains", &[("drains/m", None), ("a/m", None)], "", None),
        ("the next that fits", &[("a/m", None), ("a/n", None), ("b/m", None)], "", Some(2)),
    ];
    for (what, steps, half_open, expect) in rows {
        assert_eq!(second(&hedges, steps, half_open).map(|s| s.step), expect, "{what}");
    }
}

#[test]
fn a_second_leg_fits_what_is_left_to_spend() {
    let hedges = full();
    let found = second(&hedges, &[("a/m", None), ("b/m", None)], "").unwrap();
    assert_eq!(found.reserve, nanos(1_000_000), "the dearer prompt of the two: 500 tokens at $2");
    let mut poor = Hedges::default();
    assert_eq!(second(&poor, &[("a/m", None), ("b/m", None)], ""), None);
    (0..100).for_each(|_| poor.asked());
    assert_eq!(poor.fire(nanos(1), at(0)).unwrap_err(), Held::Spend);
    assert!(poor.fire(nanos(0), at(0)).is_ok(), "what costs nothing needs no budget");
}

#[test]
fn what_a_loser_did_not_cost_comes_back() {
    let mut hedges = full();
    for _ in 0..3 {
        let fired = hedges.fire(nanos(2_000_000), at(0)).unwrap();
        hedges.ended(fired, true, nanos(0));
    }
    let dear = hedges.fire(nanos(2_000_000), at(0)).unwrap();
    assert_eq!(hedges.fire(nanos(1), at(0)).unwrap_err(), Held::Spend);
    hedges.ended(dear, false, nanos(2_500_000));
    (0..27).for_each(|_| hedges.paid(nanos(1_000_000)));
    assert_eq!(hedges.fire(nanos(1), at(0)).unwrap_err(), Held::Spend, "what cost more is a debt");
    hedges.paid(nanos(1_000_000));
    assert!(hedges.fire(nanos(1), at(0)).is_ok());
    let counts = hedges.counts();
    assert_eq!((counts.asked, counts.fired, counts.won), (1_000, 5, 3));
    assert_eq!((counts.wasted, counts.held_by_spend), (nanos(2_500_000), 2));
}

#[test]
fn few_requests_are_no_brown_out() {
    let mut hedges = full();
    (0..JUDGED_MIN - 1).for_each(|_| hedges.waited(true, at(0)));
    assert!(!hedges.is_brown_out(at(0)));
    hedges.waited(true, at(0));
    assert!(hedges.is_brown_out(at(9)) && !hedges.is_brown_out(at(10)));
    assert_eq!(hedges.fire(nanos(0), at(9)).unwrap_err(), Held::BrownOut);
    assert_eq!(hedges.counts().held_by_brown_out, 1);
    let mut calm = full();
    (0..180).for_each(|_| calm.waited(false, at(0)));
    (0..20).for_each(|_| calm.waited(true, at(0)));
    assert!(!calm.is_brown_out(at(0)), "one in ten is not yet one");
    calm.waited(true, at(0));
    assert!(calm.is_brown_out(at(0)));
    (0..148).for_each(|_| calm.waited(false, at(0)));
    assert!(calm.is_brown_out(at(0)), "it ends later than it began: 21 of 349 are late");
    calm.waited(false, at(0));
    assert!(!calm.is_brown_out(at(0)));
}

/// The sums of every run of at least `run` are in no case positive.
fn is_bounded(sums: impl Iterator<Item = i64>, run: usize) -> bool {
    let mut total = 0;
    let mut totals = vec![0];
    let mut least = i64::MAX;
    for (at, sum) in sums.enumerate() {
        total += sum;
        totals.push(total);
        if at + 1 >= run {
            least = least.min(totals[at + 1 - run]);
            if total > least {
                return false;
            }
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever asks when and how often, no run of a thousand requests or more has more than one hedge in twenty.
    #[test]
    fn no_run_of_a_thousand_has_more_than_a_twentieth_hedged(seed: u64, wanting in 0.0..1.0, calm in 0_usize..2_000) {
        let mut random = Random::new(seed);
        let mut hedges = Hedges::default();
        let per_request: Vec<i64> = (0..5_000).map(|n| {
            hedges.asked();
            let mut fired = 0;
            while n > calm && random.unit() < wanting && hedges.fire(nanos(0), at(0)).is_ok() {
                fired += 1;
            }
            fired
        }).collect();
        prop_assert!(is_bounded(per_request.iter().map(|fired| fired * 20 - 1), 1_000));
        prop_assert_eq!(per_request.iter().sum::<i64>(), hedges.counts().fired as i64);
    }

    /// Losers never cost more than a fiftieth of what answers have cost by then, and with requests of one price no run of a
    /// thousand has more.
    #[test]
    fn losers_never_cost_more_than_a_fiftieth(seed: u64, spread in prop_oneof![Just(0.0), 0.0..3.0_f64], base in 0_i64..1_000_000_000, prompt in 0.0..1.0) {
        let mut random = Random::new(seed);
        let mut hedges = Hedges::default();
        let (mut paid, mut under_way) = (0, Vec::new());
        // By the request that they were fired for.
        let mut wasted = vec![0_i64; 4_000];
        for n in 0..4_000 {
            let cost = (base as f64 * (spread * random.unit()).exp()) as i64;
            hedges.asked();
            hedges.paid(nanos(cost));
            paid += cost;
            let reserve = nanos((cost as f64 * prompt) as i64);
            under_way.extend(hedges.fire(reserve, at(0)).ok().map(|fired| (n, fired, reserve)));
            while random.unit() < 0.5 && let Some((n, fired, reserve)) = under_way.pop() {
                let loser = (reserve.nanos() as f64 * random.unit().sqrt().sqrt()) as i64;
                hedges.ended(fired, false, nanos(loser));
                wasted[n] += loser;
            }
            prop_assert!(hedges.counts().wasted.nanos() * 50 <= paid);
        }
        if spread < 1e-9 {
            prop_assert!(is_bounded(wasted.iter().map(|spent| spent * 50 - base), 1_000));
        }
    }

    /// From ten seconds after all became slow until they are quick again nothing fires, and ten seconds later it may.
    #[test]
    fn nothing_fires_from_ten_seconds_into_a_brown_out(seed: u64, per_second in 3_u32..200, slow in 0.6..1.0) {
        let mut random = Random::new(seed);
        let mut hedges = full();
        for second in 0..120 {
            let browned = (30..60).contains(&second);
            for _ in 0..per_second {
                hedges.asked();
                let late = random.unit() < if browned { slow } else { 0.02 };
                hedges.waited(late, at(second));
                let fired = late && hedges.fire(nanos(0), at(second)).is_ok();
                prop_assert!(!(fired && (40..60).contains(&second)), "second {}", second);
            }
        }
        // By then the brown-out itself is out of sight.
        let mut after = hedges.clone();
        (0..20).for_each(|_| after.waited(false, at(130)));
        prop_assert!(!after.is_brown_out(at(130)));
    }
}

#[test]
fn it_recovers_within_ten_seconds() {
    let mut hedges = full();
    (0..1_000).for_each(|n| hedges.waited(true, at(n / 50)));
    assert!(hedges.is_brown_out(at(19)));
    (0..500).for_each(|n| hedges.waited(false, at(20 + n / 50)));
    assert!(!hedges.is_brown_out(at(29)) && hedges.fire(nanos(0), at(29)).is_ok());
}
