use std::path::Path;
use std::sync::LazyLock;

use super::*;
use crate::health::Quantiles;
use crate::name::Names;
use crate::wishes::{Cutoffs, MaxPrice, Sort};
use catalog::{Overlay, OverlayModel, OverlayProvider, Protocol};
use types::Rate;

/// The real catalog, so that a virtual model has much to leave out.
static BASE: LazyLock<Snapshot> = LazyLock::new(|| {
    catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap()
});

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(snapshot);

/// Providers `a` to `d` offer `lab/m` at these prices (USD per million tokens in and out); `a` and `b` also offer `lab/n`.
fn snapshot() -> Snapshot {
    let model = |id: &str, price: Option<(&str, &str)>, modalities: &[&str]| OverlayModel {
        id: id.to_owned(),
        context_tokens: Some(1000),
        input_modalities: Some(modalities.iter().map(|m| (*m).to_owned()).collect()),
        price: price.map(|(input, output)| {
            [
                ("input_usd_per_mtok".to_owned(), input.to_owned()),
                ("output_usd_per_mtok".to_owned(), output.to_owned()),
            ]
            .into()
        }),
        ..OverlayModel::default()
    };
    let provider = |slug: &str, models: Vec<OverlayModel>| OverlayProvider {
        slug: slug.to_owned(),
        protocol: Some(Protocol::Openai),
        base_url: Some("http://127.0.0.1:1/v1".to_owned()),
        models,
        ..OverlayProvider::default()
    };
    let overlay = Overlay {
        providers: vec![
            provider(
                "a",
                vec![
                    model("lab/m", Some(("3", "3")), &["text"]),
                    model("lab/n", Some(("9", "9")), &["text", "image"]),
                ],
            ),
            provider(
                "b",
                vec![
                    model("lab/m", Some(("1", "1")), &["text"]),
                    model("lab/n", Some(("8", "8")), &["text", "image"]),
                ],
            ),
            provider("c", vec![model("lab/m", Some(("2", "2")), &["text"])]),
            provider("d", vec![model("lab/m", None, &["text"])]),
        ],
    };
    BASE.clone().with_overlay(&overlay).unwrap()
}

#[derive(Default)]
struct Node {
    off: Vec<&'static str>,
    resting: Vec<&'static str>,
    names: Vec<String>,
    /// What is known, by endpoint.
    figures: Vec<(&'static str, Figures)>,
    load: Vec<(&'static str, f64)>,
    sticky: Option<(&'static str, bool)>,
    seed: u64,
}

impl Node {
    fn is(&self, list: &[&'static str], endpoint: usize) -> bool {
        list.iter().any(|provider| self.names[endpoint].split_once('/').unwrap().0 == *provider)
    }
}

impl Conditions for Node {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.is(&["a", "b", "c", "d"], endpoint) && !self.is(&self.off, endpoint)
    }

    fn healthy(&self, endpoint: usize) -> bool {
        !self.is(&self.resting, endpoint)
    }

    fn figures(&self, endpoint: usize, _: Size) -> Figures {
        let name = &self.names[endpoint];
        self.figures.iter().find(|(id, _)| id == name).map(|(_, figures)| *figures).unwrap_or_default()
    }

    fn load(&self, endpoint: usize) -> f64 {
        let name = &self.names[endpoint];
        self.load.iter().find(|(id, _)| id == name).map_or(0.0, |(_, load)| *load)
    }
}

fn decide(name: &str, wishes: &Wishes<'_>, facts: &Facts, mut node: Node) -> (Vec<String>, Plan) {
    let snapshot = &*SNAPSHOT;
    node.names = snapshot.endpoints.iter().map(|e| e.id.to_string()).collect();
    let names = Names { brand: "tollway".into(), accept_peer_slugs: true };
    let targets: Vec<Target> = name.split(',').map(|n| names.resolve(snapshot, n).unwrap()).collect();
    let question = Question {
        snapshot,
        conditions: &node,
        targets: &targets,
        retries: &[],
        facts,
        wishes,
        sticky: node.sticky.map(|(id, named)| Sticky {
            endpoint: node.names.iter().position(|name| name == id).unwrap() as u32,
            named,
        }),
        guide: None,
        seed: node.seed,
        explore: 0.02,
        attempts_max: 6,
    };
    let plan = plan(&question);
    let ids = plan.steps.iter().map(|s| snapshot.endpoints[s.endpoint as usize].id.to_string()).collect();
    (ids, plan)
}

fn any() -> Wishes<'static> {
    Wishes { allow_fallbacks: true, sort: Some(Sort::Price), ..Wishes::default() }
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn facts() -> Facts {
    Facts { input_tokens: 100, ..Facts::default() }
}

#[test]
fn the_cheapest_comes_first_and_the_unpriced_never() {
    let (ids, plan) = decide("lab/m", &any(), &facts(), Node::default());
    assert_eq!(ids, ["b/m", "c/m", "a/m"]);
    assert_eq!(plan.steps[0].reason, "cheapest for this request");
    let funnel: Vec<_> = plan.funnel.iter().map(|line| (line.step, line.endpoint_count)).collect();
    assert_eq!(funnel, [("Initial Endpoints", 4), ("Filter by Known Price", 3)]);
}

#[test]
fn wishes_about_providers_hold() {
    let rows: [(Wishes<'_>, &[&str]); 6] = [
        (Wishes { order: list(&["a", "C"]).into(), ..any() }, &["a/m", "c/m", "b/m"]),
        (Wishes { only: Some(list(&["a", "c"]).into()), ..any() }, &["c/m", "a/m"]),
        (Wishes { ignore: list(&["b"]).into(), ..any() }, &["c/m", "a/m"]),
        (Wishes { allow_fallbacks: false, ..any() }, &["b/m"]),
        (Wishes { order: list(&["a"]).into(), allow_fallbacks: false, ..any() }, &["a/m"]),
        (Wishes { only: Some(list(&["z"]).into()), ..any() }, &[]),
    ];
    for (wishes, expect) in rows {
        assert_eq!(decide("lab/m", &wishes, &facts(), Node::default()).0, expect, "{wishes:?}");
    }
}

#[test]
fn the_resting_come_late_and_the_switched_off_not_at_all() {
    let node = Node { resting: vec!["b"], off: vec!["c"], ..Node::default() };
    assert_eq!(decide("lab/m", &any(), &facts(), node).0, ["a/m", "b/m"]);
}

#[test]
fn fallback_models_come_after_the_first_in_their_order() {
    assert_eq!(
        decide("lab/n,lab/m", &any(), &facts(), Node::default()).0,
        ["b/n", "a/n", "b/m", "c/m", "a/m"]
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_the_step_named() {
    let image = Facts { image: true, ..facts() };
    let (ids, plan) = decide("lab/m", &any(), &image, Node::default());
    assert!(ids.is_empty());
    assert_eq!(plan.without.len(), 3, "what there would be without the filter");
    assert_eq!(plan.funnel.last().unwrap().step, "Filter by Input Modalities");
    let long = Facts { input_tokens: 1001, ..facts() };
    assert_eq!(
        decide("lab/m", &any(), &long, Node::default()).1.funnel.last().unwrap().step,
        "Filter by Context Length"
    );
}

#[test]
fn pins_variants_and_virtual_models() {
    assert_eq!(decide("lab/m@c", &any(), &facts(), Node::default()).0, ["c/m"]);
    assert!(decide("lab/m:free", &any(), &facts(), Node::default()).0.is_empty());
    assert_eq!(decide("lab/m:floor", &any(), &facts(), Node::default()).0[0], "b/m");
    for name in ["tollway/auto", "openrouter/auto", "tollway/cheap"] {
        assert_eq!(decide(name, &any(), &facts(), Node::default()).0[0], "b/m", "{name}");
    }
}

#[test]
fn names_that_mean_nothing() {
    let snapshot = snapshot();
    let names = Names { brand: "acme".into(), accept_peer_slugs: false };
    for name in ["openrouter/auto", "tollway/auto", "lab/m:odd", "nobody/nothing", "", "acme/nope"] {
        assert!(
            matches!(names.resolve(&snapshot, name), Err(crate::name::NameError::Unknown { .. })),
            "{name}"
        );
    }
    assert!(names.resolve(&snapshot, "acme/auto").is_ok());
    assert!(matches!(names.resolve(&snapshot, "policy/x"), Err(crate::name::NameError::NoModel { .. })));
}

fn balanced() -> Wishes<'static> {
    Wishes { allow_fallbacks: true, ..Wishes::default() }
}

#[test]
fn without_a_wish_the_first_is_drawn_by_the_inverse_square_of_its_price() {
    let mut first = std::collections::HashMap::<String, f64>::new();
    for seed in 0..3_000 {
        let (ids, plan) = decide("lab/m", &balanced(), &facts(), Node { seed, ..Node::default() });
        *first.entry(ids[0].clone()).or_default() += 1.0 / 3_000.0;
        let odds: f64 = plan.steps.iter().map(|step| step.propensity).sum();
        assert!((odds - 1.0).abs() < 1e-9);
    }
    // 1, 1/4 and 1/9 of their sum.
    for (id, share) in [("b/m", 0.735), ("c/m", 0.184), ("a/m", 0.082)] {
        assert!((first[id] - share).abs() < 0.03, "{id}: {first:?}");
    }
    let again = |seed| decide("lab/m", &balanced(), &facts(), Node { seed, ..Node::default() });
    assert_eq!(again(7), again(7), "the same seed decides the same");
}

#[test]
fn load_moves_the_draw_and_failures_end_it() {
    let counted = |node: &dyn Fn(u64) -> Node| {
        (0..500).filter(|seed| decide("lab/m", &balanced(), &facts(), node(*seed)).0[0] == "b/m").count()
    };
    let calm = counted(&|seed| Node { seed, ..Node::default() });
    let loaded = counted(&|seed| Node {
        seed,
        load: vec![("b/m", 9e6), ("c/m", 1e6), ("a/m", 1e6)],
        ..Node::default()
    });
    assert!(loaded + 50 < calm, "{loaded} of {calm}");
    let failed = Figures { last_failure: Some(Timestamp(990_000_000)), ..Figures::default() };
    let now = Facts { at: Timestamp(1_000_000_000), ..facts() };
    for seed in 0..200 {
        let node = Node { seed, figures: vec![("b/m", failed)], ..Node::default() };
        assert_eq!(decide("lab/m", &balanced(), &now, node).0[2], "b/m");
    }
}

fn known(ttft_ms: f64, tokens_per_s: f64) -> Figures {
    let all = |v| Some(Quantiles { p50: v, p75: v, p90: v, p95: v, p99: v });
    Figures { ttft_ms: all(ttft_ms), tokens_per_s: all(tokens_per_s), samples: 50, ..Figures::default() }
}

#[test]
fn sorts_and_preferences_go_by_what_was_measured() {
    let node = || Node {
        figures: vec![("a/m", known(900.0, 150.0)), ("c/m", known(200.0, 40.0))],
        // One that doesn't try what nobody has measured.
        seed: 1,
        ..Node::default()
    };
    let sorted = |sort| Wishes { sort: Some(sort), ..balanced() };
    let speed = |p50| Wishes { throughput_min: Cutoffs { p50: Some(p50), ..Cutoffs::default() }, ..any() };
    let latency = |p90| Wishes { latency_max: Cutoffs { p90: Some(p90), ..Cutoffs::default() }, ..any() };
    let rows: [(Wishes<'_>, &[&str]); 6] = [
        (sorted(Sort::Throughput), &["a/m", "c/m", "b/m"]),
        (sorted(Sort::Latency), &["c/m", "a/m", "b/m"]),
        (sorted(Sort::Price), &["b/m", "c/m", "a/m"]),
        (speed(100.0), &["a/m", "b/m", "c/m"]),
        (latency(0.5), &["c/m", "b/m", "a/m"]),
        (latency(0.1), &["b/m", "c/m", "a/m"]),
    ];
    for (wishes, expect) in rows {
        assert_eq!(decide("lab/m", &wishes, &facts(), node()).0, expect, "{wishes:?}");
    }
    for (name, expect) in [("lab/m:nitro", "a/m"), ("lab/m:floor", "b/m")] {
        assert_eq!(decide(name, &balanced(), &facts(), node()).0[0], expect);
    }
}

#[test]
fn what_nobody_has_measured_is_tried_now_and_then() {
    let tried = |known: Vec<(&'static str, Figures)>, wishes: &Wishes<'_>| {
        let firsts = (0..3_200).map(|seed| {
            let node = Node { seed, figures: known.clone(), ..Node::default() };
            let (ids, plan) = decide("lab/m", wishes, &facts(), node);
            let odds: f64 = plan.steps.iter().map(|step| step.propensity).sum();
            assert!((odds - 1.0).abs() < 1e-9, "{plan:?}");
            ids.into_iter().next().unwrap()
        });
        let mut firsts: Vec<String> = firsts.collect();
        firsts.sort_unstable();
        ["a/m", "b/m", "c/m"].map(|id| firsts.iter().filter(|first| *first == id).count())
    };
    let latency = Wishes { sort: Some(Sort::Latency), ..balanced() };
    let (a, b, c) = (("a/m", known(900.0, 10.0)), ("b/m", known(100.0, 10.0)), ("c/m", known(200.0, 10.0)));
    let failed = ("b/m", Figures { last_failure: Some(Timestamp(-1)), ..Figures::default() });
    let [of_a, of_b, of_c] = tried(vec![c], &latency);
    assert!((60..140).contains(&of_b) && of_a == 0 && of_b + of_c == 3_200, "always the same: {of_b}");
    let [of_a, of_b, of_c] = tried(vec![b], &latency);
    assert!((60..140).contains(&of_c) && of_b + of_c == 3_200, "{of_a}: three times the price is too much");
    assert_eq!(tried(vec![a, b, c], &latency), [0, 3_200, 0], "all are known");
    assert_eq!(tried(vec![], &latency), [0, 3_200, 0], "none is known");
    assert_eq!(tried(vec![a, c, failed], &latency), [0, 0, 3_200], "it has failed of late");
    let stale = |id, ms| (id, Figures { latest_ttft_ms: Some(ms), ..Figures::default() });
    assert_eq!(tried(vec![stale("a/m", 9.0), c], &latency), [3_200, 0, 0], "who leads need not be tried");
    let [_, of_b, of_c] = tried(vec![stale("b/m", 300.0), a, c], &latency);
    assert!((60..140).contains(&of_b) && of_b + of_c == 3_200, "measured a while ago, so tried again");
    assert_eq!(tried(vec![c], &Wishes { allow_fallbacks: false, ..latency }), [0, 0, 3_200]);
}

#[test]
fn one_order_across_models_where_the_caller_sorts_so() {
    let across = Wishes { across_models: true, ..any() };
    let ids = decide("lab/n,lab/m", &across, &facts(), Node::default()).0;
    assert_eq!(ids, ["b/m", "c/m", "a/m", "b/n", "a/n"]);
}

#[test]
fn a_conversation_stays_where_it_was_while_that_is_well() {
    let stuck = |resting: Vec<&'static str>| Node { sticky: Some(("a/m", true)), resting, ..Node::default() };
    let said = |node| decide("lab/m", &any(), &facts(), node).1.sticky.unwrap();
    assert_eq!(said(stuck(vec![])), "hit");
    assert!(said(stuck(vec!["a"])).contains("not well"));
    let unnamed = Node { sticky: Some(("a/m", false)), ..Node::default() };
    assert!(said(unnamed).contains("cheaper"), "no discount, and three times the price");
    assert_eq!(decide("lab/m", &any(), &facts(), stuck(vec![])).0[0], "a/m");
    let order = Wishes { order: list(&["c"]).into(), ..any() };
    assert_eq!(decide("lab/m", &order, &facts(), stuck(vec![])).0[..2], ["a/m", "c/m"], "it survives order");
    assert_eq!(decide("lab/m", &any(), &facts(), stuck(vec!["a"])).0[0], "b/m");
    let without = Wishes { ignore: list(&["a"]).into(), ..any() };
    assert_eq!(decide("lab/m", &without, &facts(), stuck(vec![])).0, ["b/m", "c/m"]);
}

#[test]
fn those_who_call_tools_badly_come_late() {
    let tools = Facts { tools: true, ..facts() };
    let clumsy = |good, all| Node {
        figures: vec![("b/m", Figures { tool_calls: (good, all), ..Figures::default() })],
        ..Node::default()
    };
    assert_eq!(decide("lab/m", &any(), &tools, clumsy(10, 20)).0[2], "b/m");
    assert_eq!(decide("lab/m", &any(), &tools, clumsy(19, 20)).0[0], "b/m");
    assert_eq!(decide("lab/m", &any(), &tools, clumsy(1, 4)).0[0], "b/m", "four calls say little");
    assert_eq!(decide("lab/m", &any(), &facts(), clumsy(10, 20)).0[0], "b/m");
}

#[test]
fn those_who_write_json_badly_come_late_where_json_is_asked_for() {
    let bad = |good, all| Node {
        figures: vec![("b/m", Figures { json: (good, all), ..Figures::default() })],
        ..Node::default()
    };
    for asks in [Facts { json: true, ..facts() }, Facts { structured_output: true, ..facts() }] {
        assert_eq!(decide("lab/m", &any(), &asks, bad(15, 20)).0[2], "b/m");
        assert_eq!(decide("lab/m", &any(), &asks, bad(16, 20)).0[0], "b/m");
        assert_eq!(decide("lab/m", &any(), &asks, bad(0, 19)).0[0], "b/m", "too few say little");
    }
    assert_eq!(decide("lab/m", &any(), &facts(), bad(0, 20)).0[0], "b/m");
}

#[test]
fn what_the_caller_rules_out_is_out() {
    let price = |text| Some(Rate::parse_per_million(text).unwrap());
    let max = MaxPrice { prompt: price("2"), ..MaxPrice::default() };
    assert_eq!(
        decide("lab/m", &Wishes { max_price: max, ..any() }, &facts(), Node::default()).0,
        ["b/m", "c/m"]
    );
    let rows: [(Wishes<'_>, &str); 6] = [
        (Wishes { quantizations: list(&["fp8"]).into(), ..any() }, "Filter by Quantization"),
        (Wishes { regions: list(&["eu"]).into(), ..any() }, "Filter by Region"),
        (Wishes { no_training: true, ..any() }, "Filter by Training"),
        (Wishes { retention_days_max: Some(0), ..any() }, "Filter by Retention"),
        (Wishes { distillable: true, ..any() }, "Filter by Distillation Rights"),
        (
            Wishes { max_price: MaxPrice { completion: price("0.5"), ..MaxPrice::default() }, ..any() },
            "Filter by Max Price",
        ),
    ];
    for (wishes, step) in rows {
        let (ids, plan) = decide("lab/m", &wishes, &facts(), Node::default());
        assert!(ids.is_empty(), "what nobody says is not promised: {step}");
        assert_eq!((plan.funnel.last().unwrap().step, plan.without.len()), (step, 3));
    }
    let unknown = Wishes { quantizations: list(&["unknown"]).into(), ..any() };
    assert_eq!(decide("lab/m", &unknown, &facts(), Node::default()).0.len(), 3);
}
