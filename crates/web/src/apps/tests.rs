use types::OWNER_ACCOUNT;

use crate::testing::{Answer, Records, SMALL, Still, Used, see};

const HOSTILE: &str = "\"><img src=x onerror=alert(1)>";

async fn ask(path: &str) -> Answer {
    let of = |model, app, account, days_ago, requests| Used {
        model,
        app,
        account,
        days_ago,
        requests,
        ..Used::default()
    };
    let used = vec![
        of("mistralai/small-4", "Night Owl", OWNER_ACCOUNT, 0, 40),
        of("mistralai/large-3", "night-owl", OWNER_ACCOUNT, 3, 60),
        of("mistralai/small-4", "通义", OWNER_ACCOUNT, 0, 30),
        of("acme/bare", HOSTILE, OWNER_ACCOUNT, 0, 20),
        of("mistralai/small-4", "Alone", "acct_b", 0, 500),
    ];
    see(Still::new(&SMALL, &["mistral"]).recorded(Records { used, ..Records::default() }), path).await
}

#[tokio::test]
async fn an_app_is_one_under_all_its_spellings() {
    let list = ask("/apps").await;
    list.holds("<a href=\"/apps/night-owl\">night-owl</a>");
    list.lacks("Alone");
    let page = ask("/apps/night-owl").await;
    assert_eq!(page.status, 200);
    page.holds("<h1>night-owl</h1>");
    page.holds("<a href=\"/mistralai/small-4\">");
    page.holds("<a href=\"/mistralai/large-3\">");
    page.holds("title=\"11,000\"");
    let json: serde_json::Value = serde_json::from_str(&ask("/apps/night-owl.json").await.text).unwrap();
    assert_eq!((&json["total"]["tokens"], &json["models"][0]["tokens"]), (&11_000.into(), &6_600.into()));
    assert_eq!(json["models"][0]["model"], "mistralai/large-3");
}

#[tokio::test]
async fn every_listed_app_has_its_page_and_no_other_has_one() {
    let list = ask("/apps").await;
    let paths: Vec<&str> =
        list.text.split("href=\"/apps/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(paths.len(), 3);
    for path in paths {
        let page = ask(&format!("/apps/{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.text.matches("<h1").count(), 1);
        page.lacks("<img src=x");
    }
    for path in ["/apps/alone", "/apps/alone.json", "/apps/nobody", "/apps/(other)", "/apps/NIGHT-OWL"] {
        assert_eq!(ask(path).await.status, 404, "{path}");
    }
}
