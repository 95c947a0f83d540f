use types::OWNER_ACCOUNT;

use crate::testing::{Answer, Records, SMALL, Still, Used, see};
use crate::{Audience, RankingRules, Viewer};

const HOSTILE: &str = "<script>alert(1)</script>\"' onload=x";

fn used() -> Vec<Used> {
    let of = |model, app, task, account, days_ago, requests| Used {
        model,
        app,
        task,
        account,
        days_ago,
        requests,
    };
    let mut all = vec![
        of("mistralai/small-4", "Night Owl", "code", OWNER_ACCOUNT, 0, 40),
        of("mistralai/small-4", "Night Owl", "code", "acct_a", 1, 30),
        of("mistralai/small-4", "night owl", "", "acct_b", 2, 30),
        of("mistralai/small-4", "", "", OWNER_ACCOUNT, 8, 50),
        of("mistralai/large-3", "Secret plan", "chat", "acct_b", 0, 900),
        of("acme/bare", HOSTILE, "chat", OWNER_ACCOUNT, 0, 20),
    ];
    // A model that the catalog no longer has.
    all.extend(["acct_a", "acct_b", "acct_c"].map(|account| of("gone/model", "", "", account, 0, 20)));
    all
}

async fn ask(viewer: Viewer, rules: RankingRules, path: &str) -> Answer {
    let records = Records { used: used(), viewer, rules, ..Records::default() };
    see(Still::new(&SMALL, &["mistral"]).recorded(records), path).await
}

async fn public(path: &str) -> Answer {
    ask(Viewer::Anyone, RankingRules::default(), path).await
}

#[tokio::test]
async fn the_public_sees_tokens_and_shares_but_no_spend_and_no_name_of_few() {
    for path in [
        "/rankings",
        "/rankings.json",
        "/rankings?by=app",
        "/rankings.json?by=app&span=month",
        "/apps",
        "/apps.json",
    ] {
        let page = public(path).await;
        assert_eq!(page.status, 200, "{path}");
        for hidden in ["large-3", "Large 3", "Secret plan", "spend", "Spend", "acct_", "2.5"] {
            page.lacks(hidden);
        }
    }
    let page = public("/rankings").await;
    page.holds("<a href=\"/mistralai/small-4\">");
    // 100 requests of 110 tokens, of 1,080 in all; and the change against 50 of the owner alone.
    page.holds("title=\"11,000\">11K</span>");
    page.holds("title=\"118,800\"");
    page.holds(">+100%<");
    page.holds("gone/model");
    page.holds("class=\"quiet\">Not shown by name<").lacks("class=\"quiet\">Other<");
    page.holds("when at least 3 accounts and 10 requests stand behind it");
    page.holds("What was spent is shown only to who runs this place");
    assert_eq!(page.text.matches("<h1").count(), 1);
}

#[tokio::test]
async fn who_runs_the_place_sees_names_and_spend() {
    let page = ask(Viewer::Operator, RankingRules::default(), "/rankings").await;
    page.holds("<a href=\"/mistralai/large-3\">");
    page.holds("$7.50");
    page.lacks(">Not shown by name<");
    assert_eq!(page.header("cache-control"), "private, no-store");
    let open = RankingRules { has_spend: true, ..RankingRules::default() };
    ask(Viewer::Anyone, open, "/rankings").await.holds("$7.50");
}

#[tokio::test]
async fn numbers_are_the_same_in_table_chart_and_json() {
    let json: serde_json::Value =
        serde_json::from_str(&public("/rankings.json?span=week").await.text).unwrap();
    assert_eq!(json["window"], serde_json::json!({"from": "2026-06-27", "to": "2026-07-03", "days": 7}));
    let first = &json["data"][0];
    assert_eq!(
        (&first["id"], &first["tokens"], &first["requests"]),
        (&"mistralai/small-4".into(), &11_000.into(), &100.into())
    );
    assert_eq!((&first["accounts"], &first["before"]["tokens"]), (&3.into(), &5_500.into()));
    assert_eq!((&json["other"]["tokens"], &json["total"]["tokens"]), (&99_000.into(), &118_800.into()));
    let page = public("/rankings").await;
    page.holds("title=\"99,000\"");
    page.holds("3 Jul 2026");
}

#[tokio::test]
async fn it_is_ranked_by_what_is_asked() {
    let authors = public("/rankings?by=author&span=month").await;
    authors.holds("gone");
    authors.lacks("mistralai/small-4</small>");
    let tasks = public("/rankings?by=task&span=week").await;
    tasks.holds("No name is used by enough accounts");
    public("/rankings?by=task&span=day").await.holds("Today so far");
    let hostile = public("/rankings?by=app").await;
    hostile.lacks("<script>alert");
    hostile.holds("&#60;script&#62;alert(1)");
    // What is unknown is what nobody asked for.
    let same = public("/rankings?by=%3Cscript%3E&span=9&sort=x").await;
    assert_eq!(same.text, public("/rankings").await.text);
    let by_accounts = public("/rankings?sort=accounts").await;
    by_accounts
        .holds("aria-sort=\"descending\"><a href=\"/rankings?by=model&#38;span=week&#38;sort=accounts\">");
}

#[tokio::test]
async fn the_order_tells_nothing_of_spend_and_the_sandbox_has_no_place() {
    let by_spend = public("/rankings.json?sort=spend").await;
    assert_eq!(by_spend.text, public("/rankings.json").await.text);
    let one = RankingRules { accounts_min: 1, ..RankingRules::default() };
    ask(Viewer::Anyone, one, "/rankings").await.holds("when at least 1 account and");
    let model = SMALL.models.iter().find(|model| model.id.starts_with("sandbox/")).unwrap();
    let id: &'static str = Box::leak(model.id.to_string().into_boxed_str());
    let used = vec![Used { model: id, account: OWNER_ACCOUNT, requests: 50, ..Used::default() }];
    for path in ["/rankings", "/rankings?by=author", "/rankings.json"] {
        let records = Records { used: used.clone(), ..Records::default() };
        let world = Still::new(&SMALL, &["sandbox"]).recorded(records);
        see(world, path).await.lacks(id).lacks("title=\"5,500\"").lacks("5500");
    }
}

#[tokio::test]
async fn what_is_not_public_is_not_told() {
    for (audience, viewer, status) in [
        (Audience::SignedIn, Viewer::Anyone, 403),
        (Audience::SignedIn, Viewer::SignedIn, 200),
        (Audience::Off, Viewer::SignedIn, 403),
        (Audience::Off, Viewer::Operator, 200),
    ] {
        let rules = RankingRules { audience, ..RankingRules::default() };
        for path in
            ["/rankings", "/rankings.json", "/apps", "/apps.json", "/apps/night-owl", "/apps/night-owl.json"]
        {
            let page = ask(viewer, rules, path).await;
            assert_eq!(page.status, status, "{path} {audience:?} {viewer:?}");
            if status == 403 {
                page.lacks("small-4");
                page.lacks("Night Owl</");
            }
        }
    }
}

#[tokio::test]
async fn nothing_and_no_store_are_said() {
    let still = || Still::new(&SMALL, &[]);
    see(still(), "/rankings").await.holds("Nothing was used in this time");
    see(still(), "/rankings?by=app").await.holds("X-Title: Night Owl");
    see(still(), "/apps").await.holds("No app has named itself yet");
    let down = || still().recorded(Records { is_down: true, ..Records::default() });
    for path in ["/rankings", "/rankings.json", "/apps", "/apps.json", "/apps/x"] {
        assert_eq!(see(down(), path).await.status, 503, "{path}");
    }
    see(down(), "/rankings").await.holds("The store doesn't answer");
}

#[tokio::test]
async fn nothing_leads_to_what_one_may_not_see() {
    let asked = |audience, viewer, path: &'static str| async move {
        let rules = RankingRules { audience, ..RankingRules::default() };
        let records = Records { rules, viewer, ..Records::default() };
        see(Still::new(&SMALL, &["mistral"]).recorded(records), path).await
    };
    let rows = [
        (Audience::Public, Viewer::Anyone, true),
        (Audience::SignedIn, Viewer::Anyone, false),
        (Audience::SignedIn, Viewer::SignedIn, true),
        (Audience::Off, Viewer::SignedIn, false),
        (Audience::Off, Viewer::Operator, true),
    ];
    for (audience, viewer, expect) in rows {
        for path in ["/", "/models", "/mistralai/small-4", "/nowhere"] {
            let page = asked(audience, viewer, path).await;
            let leads = page.text.contains("href=\"/rankings\"") || page.text.contains("href=\"/apps\"");
            assert_eq!(leads, expect, "{path} for {viewer:?} of {audience:?}");
        }
    }
}
