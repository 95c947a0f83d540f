use std::path::Path;
use std::sync::LazyLock;

use super::*;
use crate::name::Names;
use catalog::{Overlay, OverlayModel, OverlayProvider};

/// The real catalog, so that a virtual model has much to leave out.
static BASE: LazyLock<Snapshot> = LazyLock::new(|| {
    catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap()
});

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
    BASE.with_overlay(&overlay).unwrap()
}

#[derive(Default)]
struct Node {
    off: Vec<&'static str>,
    resting: Vec<&'static str>,
    names: Vec<String>,
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
}

fn decide(name: &str, wishes: &Wishes<'_>, facts: &Facts, mut node: Node) -> (Vec<String>, Plan) {
    let snapshot = snapshot();
    node.names = snapshot.endpoints.iter().map(|e| e.id.to_string()).collect();
    let names = Names { brand: "tollway".into(), accept_peer_slugs: true };
    let targets: Vec<Target> = name.split(',').map(|n| names.resolve(&snapshot, n).unwrap()).collect();
    let plan = plan(&snapshot, &node, &targets, facts, wishes, 6);
    let ids = plan.steps.iter().map(|s| snapshot.endpoints[s.endpoint as usize].id.to_string()).collect();
    (ids, plan)
}

fn any() -> Wishes<'static> {
    Wishes { allow_fallbacks: true, ..Wishes::default() }
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
        (Wishes::default(), &["b/m"]),
        (Wishes { order: list(&["a"]).into(), ..Wishes::default() }, &["a/m"]),
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
    assert!(names.resolve(&snapshot, "policy/x").unwrap_err().to_string().contains("not served yet"));
}
