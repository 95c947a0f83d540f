use std::path::Path;
use std::sync::LazyLock;

use catalog::{Overlay, OverlayModel, OverlayProvider, Protocol, Snapshot};

use super::*;
use crate::name::Names;

static BASE: LazyLock<Snapshot> = LazyLock::new(|| {
    catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap()
});

/// The catalog with models of `lab`.
fn with(models: &[&str]) -> Snapshot {
    let models = models.iter().map(|id| OverlayModel { id: format!("lab/{id}"), ..OverlayModel::default() });
    let overlay = Overlay {
        providers: vec![OverlayProvider {
            slug: String::from("lab"),
            protocol: Some(Protocol::Openai),
            base_url: Some(String::from("http://127.0.0.1:1/v1")),
            models: models.collect(),
            ..OverlayProvider::default()
        }],
    };
    BASE.clone().with_overlay(&overlay).unwrap()
}

fn names() -> Names {
    Names { brand: String::from("tollway"), accept_peer_slugs: true }
}

fn list(models: &[&str]) -> AccessList {
    let text = serde_json::json!({ "models": models, "auto_approve": true }).to_string();
    freeze_list(&text, &names(), &with(&["one", "two", "three"])).unwrap()
}

fn group(members: &[&str], lists: &[&str]) -> Group {
    let text = serde_json::json!({ "members": members, "access_lists": lists }).to_string();
    Group::read(&text).unwrap()
}

#[test]
fn the_nearest_rule_decides_within_what_is_approved() {
    let lists = [("ones", list(&["lab/one"])), ("twos", list(&["lab/two"])), ("all", list(&["*"]))];
    let groups = [
        ("first", group(&["usr_a", "usr_b"], &["ones"])),
        ("second", group(&["usr_b", "sa_c"], &["twos"])),
        ("talk", group(&["usr_a", "usr_d"], &[])),
        ("lost", group(&["usr_e"], &["gone"])),
    ];
    let approve = |models: &[&str]| {
        let models = models.iter().map(|id| (*id).to_owned()).collect();
        Approval { models: Some(models), auto_approve: true, ..Approval::default() }
    };
    // What is approved, the key's lists, who holds it, and which of one, two and three it may call.
    type Row<'a> = (Option<&'a [&'a str]>, &'a [&'a str], Option<&'a str>, &'a str);
    let rows: [Row<'_>; 19] = [
        (None, &[], None, "one two three"),
        (None, &[], Some("usr_d"), "one two three"),
        (None, &[], Some("usr_nobody"), "one two three"),
        (None, &[], Some("usr_a"), "one"),
        (None, &[], Some("usr_b"), "one two"),
        (None, &[], Some("sa_c"), "two"),
        (None, &[], Some("usr_e"), ""),
        (None, &["twos"], None, "two"),
        (None, &["twos"], Some("usr_a"), "two"),
        (None, &["ones", "twos"], Some("usr_a"), "one two"),
        (None, &["all"], Some("usr_a"), "one two three"),
        (None, &["gone"], Some("usr_a"), ""),
        (None, &["gone", "ones"], None, "one"),
        (Some(&["lab/two", "lab/three"]), &[], None, "two three"),
        (Some(&["lab/two", "lab/three"]), &[], Some("usr_a"), ""),
        (Some(&["lab/two", "lab/three"]), &[], Some("usr_b"), "two"),
        (Some(&["lab/two", "lab/three"]), &["all"], Some("usr_a"), "two three"),
        (Some(&["lab/t*"]), &["ones"], None, ""),
        (Some(&[]), &["all"], None, ""),
    ];
    for (approved, key_lists, holder, expect) in rows {
        let approval = approved.map(approve);
        let governance = Governance::new(
            approval.as_ref().map(Some),
            lists.iter().map(|(name, list)| (*name, Some(list))),
            groups.iter().map(|(name, group)| (*name, Some(group))),
        );
        let own: Vec<String> = key_lists.iter().map(|name| (*name).to_owned()).collect();
        let access = governance.of(&own, holder);
        let may: Vec<&str> =
            ["one", "two", "three"].into_iter().filter(|id| access.holds(&format!("lab/{id}"))).collect();
        assert_eq!(may.join(" "), expect, "{approved:?} {key_lists:?} {holder:?}");
        assert_eq!(
            access.bounds(),
            expect != "one two three" || !key_lists.is_empty(),
            "{key_lists:?} {holder:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_lets_nobody_do_more() {
    let closed = Governance::new(Some(None), [], []).of(&[], None);
    assert_eq!(closed.refuses("lab/one"), Some(Refusal::NotApproved));
    let lists = [("ones", None)];
    let own = [String::from("ones")];
    assert!(!Governance::new(None, lists, []).of(&own, None).holds("lab/one"));
    let unreadable = Governance::new(None, [], [("first", None)]);
    assert!(!unreadable.of(&[], Some("usr_a")).holds("lab/one"), "who knows whether they are in it");
    assert!(unreadable.of(&[], None).holds("lab/one"));
}

#[test]
fn a_new_release_waits_unless_the_list_says_otherwise() {
    let (before, after) = (with(&["one"]), with(&["one", "new"]));
    let read = |text: &str| freeze_list(text, &names(), &before).unwrap();
    let waits = read(r#"{"models":["lab/*"]}"#);
    assert!(waits.models().holds("lab/one") && !waits.models().holds("lab/new"));
    assert_eq!((waits.waiting(&before), waits.waiting(&after)), (vec![], vec!["lab/new"]));
    let takes = read(r#"{"models":["lab/*"],"auto_approve":true}"#);
    assert!(takes.models().holds("lab/new") && takes.waiting(&after).is_empty());
    // What somebody claims was approved is worked out anew.
    let forged = read(r#"{"models":["lab/*"],"approved_ids":["lab/new"]}"#);
    assert_eq!(forged, waits);
    let approval = freeze_approval(r#"{"models":["*"]}"#, &names(), &before).unwrap();
    assert_eq!(approval.waiting(&after), ["lab/new"]);
    assert!(freeze_approval(r#"{"regions":["eu"]}"#, &names(), &before).unwrap().models().is_none());
}

#[test]
fn names_are_looked_up_and_mistakes_are_told() {
    let snapshot = with(&["one"]);
    let read = |text: &str| freeze_list(text, &names(), &snapshot);
    assert_eq!(read(r#"{"models":["  LAB/One "]}"#).unwrap().models, ["lab/one"]);
    let rows = [
        (r#"{"models":[]}"#, "`models` is empty"),
        (r#"{"models":["lab/onee"]}"#, "did you mean `lab/one`"),
        (r#"{"models":["lab/one:free"]}"#, "names a variant"),
        (r#"{"models":["tollway/auto"]}"#, "is a virtual model"),
        (r#"{"models":["nolab/*"]}"#, "fits no model"),
        (r#"{"models":["lab/one", 3]}"#, "is refused"),
        (r#"{"model":["lab/one"]}"#, "unknown field `model`"),
    ];
    for (text, expect) in rows {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expect), "{text}: {error}");
    }
    let error = freeze_approval(r#"{"providers":["nobody"]}"#, &names(), &snapshot).unwrap_err();
    assert_eq!(error.path, "providers[0]");
}
