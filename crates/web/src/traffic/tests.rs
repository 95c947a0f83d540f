use types::Money;

use super::*;

const TODAY: i64 = 20_000;
const WEEK: Window = Window { today: TODAY, days: 7, charted: 14 };

fn row(value: &str, account: &str, day: i64, requests: u64) -> UseRow {
    let sums =
        UseSums { requests, input: requests * 100, output: requests * 10, charged: Money::from_nanos(1) };
    UseRow { value: value.to_owned(), account: account.to_owned(), day, sums }
}

fn view(viewer: Viewer) -> View {
    View::of(RankingRules::default(), viewer).unwrap()
}

fn ranked(rows: &[UseRow], viewer: Viewer) -> Ranking {
    rank(rows, WEEK, view(viewer), |value| (!value.is_empty()).then(|| value.to_owned()))
}

fn names(ranking: &Ranking) -> Vec<&str> {
    ranking.ranks.iter().map(|rank| rank.name.as_str()).collect()
}

#[test]
fn a_name_needs_accounts_and_requests_behind_it() {
    // Value, account, requests; what the public and the operator see.
    let rows = [
        row("three", "a", TODAY, 4),
        row("three", "b", TODAY - 6, 3),
        row("three", "c", TODAY, 3),
        row("few requests", "a", TODAY, 3),
        row("few requests", "b", TODAY, 3),
        row("few requests", "c", TODAY, 3),
        row("two accounts", "a", TODAY, 500),
        row("two accounts", "b", TODAY, 500),
        row("owner alone", OWNER_ACCOUNT, TODAY, 10),
        row("owner and one", OWNER_ACCOUNT, TODAY, 10),
        row("owner and one", "a", TODAY, 10),
        row("last week", "a", TODAY - 7, 10),
        row("", "a", TODAY, 10),
    ];
    let public = ranked(&rows, Viewer::Anyone);
    assert_eq!(names(&public), ["owner alone", "three"]);
    assert_eq!((public.folded, public.other.as_ref().unwrap().now.requests), (3, 1_029));
    assert_eq!(public.other.as_ref().unwrap().name, "");
    let whole = ranked(&rows, Viewer::Operator);
    assert_eq!(names(&whole), ["two accounts", "owner and one", "owner alone", "three", "few requests"]);
    assert_eq!((whole.folded, whole.other), (0, None));
    assert_eq!((public.total, public.accounts), (whole.total, 4));
}

#[test]
fn a_change_is_told_where_both_periods_are_public() {
    let now = ["a", "b", "c"].map(|account| row("m", account, TODAY, 10));
    let before = |accounts: &[&str], requests| {
        let rows = accounts.iter().map(|account| row("m", account, TODAY - 7, requests));
        let ranking = ranked(&now.iter().cloned().chain(rows).collect::<Vec<_>>(), Viewer::Anyone);
        change(&ranking.ranks[0]).short
    };
    assert_eq!(before(&[], 0), "new");
    assert_eq!(before(&["a", "b"], 10), Shown::unknown().short, "two accounts could be told apart");
    assert_eq!(before(&["a", "b", "c"], 10), "0%");
    assert_eq!(before(&["a", "b", "c"], 20), "−50%");
    assert_eq!(before(&["a", "b", "c"], 9), "+11%");
    let huge = [row("m", OWNER_ACCOUNT, TODAY, 1_000_000), row("m", OWNER_ACCOUNT, TODAY - 8, 10)];
    assert_eq!(change(&ranked(&huge, Viewer::Anyone).ranks[0]).short, "+99,999×");
}

#[test]
fn days_of_the_chart_are_those_of_the_window() {
    let rows = [
        row("m", OWNER_ACCOUNT, TODAY - 14, 50),
        row("m", OWNER_ACCOUNT, TODAY - 13, 1),
        row("m", OWNER_ACCOUNT, TODAY, 10),
        row("m", OWNER_ACCOUNT, TODAY + 1, 50),
    ];
    let ranking = ranked(&rows, Viewer::Anyone);
    let mut days = [0u64; 14];
    (days[0], days[13]) = (110, 1_100);
    assert_eq!(ranking.ranks[0].days, days);
    assert_eq!(ranking.ranks[0].now.requests, 10);
    assert_eq!(WEEK.asked(), 14);
}

#[test]
fn one_app_has_one_slug_however_it_spells_itself() {
    let rows = [
        ("Night Owl", Some("night-owl")),
        ("night  owl!", Some("night-owl")),
        ("owl.example.com", Some("owl-example-com")),
        ("通义 App", Some("通义-app")),
        ("<script>alert(1)</script>", Some("script-alert-1-script")),
        ("!!!", None),
        ("../../etc", Some("etc")),
    ];
    for (name, slug) in rows {
        assert_eq!(app_slug(name).as_deref(), slug, "{name}");
    }
    let rows = [
        row("Night Owl", OWNER_ACCOUNT, TODAY, 9),
        row("night owl", OWNER_ACCOUNT, TODAY, 10),
        row("(other)", OWNER_ACCOUNT, TODAY, 99),
    ];
    let apps = rank(&rows, WEEK, view(Viewer::Anyone), app_slug);
    assert_eq!(
        (apps.ranks[0].key.as_str(), apps.ranks[0].name.as_str(), apps.ranks[0].now.requests),
        ("night-owl", "night owl", 19)
    );
    assert_eq!((apps.ranks.len(), apps.folded), (1, 1), "what has no name of its own has no place");
}

#[test]
fn who_may_look() {
    let rules = |audience, has_spend| RankingRules { audience, has_spend, ..RankingRules::default() };
    let rows = [
        (Audience::Public, Viewer::Anyone, Some((false, false))),
        (Audience::Public, Viewer::Operator, Some((true, true))),
        (Audience::SignedIn, Viewer::Anyone, None),
        (Audience::SignedIn, Viewer::SignedIn, Some((false, false))),
        (Audience::Off, Viewer::SignedIn, None),
        (Audience::Off, Viewer::Operator, Some((true, true))),
    ];
    for (audience, viewer, expect) in rows {
        let view = View::of(rules(audience, false), viewer).ok();
        assert_eq!(view.map(|view| (view.is_whole, view.has_spend)), expect, "{audience:?} {viewer:?}");
    }
    assert!(View::of(rules(Audience::Public, true), Viewer::Anyone).unwrap().has_spend);
}
