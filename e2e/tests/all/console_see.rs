//! The console's pages of what happened, on the real program: who signs in by the form sees what was spent, by whom, and why a call went
//! where it went; what a page shows is what the API says.

use serde_json::{Value, json};
use testkit::Client;
use testkit::{Actor, FakeUpstream, Lab, Reply, Script, TestApp, Tokens, ask};

use crate::people::newcomer;

/// Somebody in a browser.
struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    /// Signs in by the form.
    async fn sign_in(app: &TestApp, email: &str) -> Browser {
        let client = Client::new(app.addr());
        let form = format!("email={}&password=plum+kettle+orbit+sandal", email.replace('@', "%40"));
        let reply = client
            .request("POST", "/sign-in")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .expect(303);
        let cookie =
            reply.header("set-cookie").expect("a cookie").split(';').next().unwrap_or_default().to_owned();
        Browser { client, cookie }
    }

    async fn get(&self, path: &str) -> Reply {
        self.client.get(path).header("cookie", &self.cookie).send().await
    }

    async fn post(&self, path: &str, form: &str) -> Reply {
        self.client
            .request("POST", path)
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned())
            .send()
            .await
    }
}

#[track_caller]
fn holds(reply: &Reply, text: &str) {
    let page = reply.text();
    assert!(page.contains(text), "no `{text}` in:\n{page}");
}

/// A place where Ada made calls at two providers with a key of hers.
async fn place() -> (TestApp, Actor, Vec<String>, String) {
    let (one, two) = (FakeUpstream::start(), FakeUpstream::start());
    one.always(Script::chat("ab", Tokens::new(2_000, 1_000)));
    two.always(Script::chat("ab", Tokens::new(1_000, 500)));
    let app = TestApp::builder()
        .set("people.sign_up", "\"open\"")
        .lab(Lab::at("one", &one).model("one/m", "10", "30"))
        .lab(Lab::at("two", &two).model("two/m", "1", "3"))
        .start()
        .await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let made = ada.post("/v1/keys", &json!({"name": "Night job", "tags": ["blue"]})).await.expect(201).json();
    let key = app.with_key(made["key"].as_str().expect("a key"));
    let mut ids = Vec::new();
    for n in 0..3 {
        let mut body = ask(if n < 2 { "one/m" } else { "two/m" });
        body["session_id"] = json!("s/1");
        body["trace"] = json!({"trace_id": "t 1"});
        ids.push(key.chat_request(&body).send().await.expect(200).generation_id());
    }
    for id in &ids {
        key.generation(id).await;
    }
    (app, ada, ids, made["data"]["hash"].as_str().expect("a hash").to_owned())
}

#[tokio::test]
async fn what_was_spent_and_by_whom_is_a_click_away() {
    let (app, ada, ids, _) = place().await;
    let browser = Browser::sign_in(&app, "ada@example.com").await;
    let told = ada.get("/v1/analytics/query?metrics=total_usage,request_count").await.expect(200).json();
    // 2 x (2,000 x 10 + 1,000 x 30) + 1,000 x 1 + 500 x 3 of a million, in dollars.
    assert_eq!(told["data"]["data"][0], json!({"total_usage": 0.1025, "request_count": 3}));
    let page = browser.get("/console?period=today").await.expect(200);
    for text in ["$0.103", "one/m", "two/m", "Night job", "dimensions=member"] {
        holds(&page, text);
    }
    let of_one = browser.get("/console?model=one%2Fm").await.expect(200);
    holds(&of_one, "$0.10");
    let csv = browser
        .get("/v1/analytics/query?metrics=total_usage,request_count&dimensions=model&order_by=total_usage&format=csv")
        .await
        .expect(200);
    assert_eq!(csv.text(), "model,total_usage,request_count\r\none/m,0.1,2\r\ntwo/m,0.0025,1\r\n");
    let log = browser.get("/console/logs?model=two%2Fm").await.expect(200);
    holds(&log, &ids[2]);
    assert!(!log.text().contains(&ids[0]));
    // Who is not signed in is asked to, and led back.
    let away = Client::new(app.addr()).get("/console/logs?model=two%2Fm").send().await.expect(303);
    assert_eq!(away.header("location"), Some("/sign-in?next=%2Fconsole%2Flogs%3Fmodel%3Dtwo%252Fm"));
}

#[tokio::test]
async fn a_generation_says_why_it_went_where_it_went() {
    let (app, ada, ids, _) = place().await;
    let browser = Browser::sign_in(&app, "ada@example.com").await;
    let plan = ada.get(&format!("/v1/generation/plan?id={}", ids[0])).await.expect(200).json();
    let data = &plan["data"];
    assert_eq!(data["planned"][0]["endpoint"], data["again"]["plan"][0]["endpoint"], "{plan}");
    assert!(data["facts"]["input_tokens"].is_u64() && data["why_not_again"].is_null(), "{plan}");
    let path = format!("/console/logs/{}", ids[0]);
    let page = browser.get(&path).await.expect(200);
    for text in [
        "Received",
        "Attempt 1: one/m",
        "Decided once more",
        "Settled",
        "$0.05",
        "tollway receipt verify",
        "Night job",
    ] {
        holds(&page, text);
    }
    let said = browser.post(&path, "rating=down&comment=%3Cb%3Ewrong").await.expect(303);
    assert_eq!(said.header("location"), Some(format!("{path}?done=said").as_str()));
    let record = ada.get(&format!("/v1/generation?id={}", ids[0])).await.expect(200).json();
    assert_eq!(record["data"]["feedback"], json!({"rating": "down", "comment": "<b>wrong"}));
    holds(&browser.get(&path).await, "&#60;b&#62;wrong");
    let session = browser.get("/console/sessions/s%2F1").await.expect(200);
    let trace = browser.get("/console/traces/t%201").await.expect(200);
    for id in &ids {
        holds(&session, id);
        holds(&trace, id);
    }
    // Nobody else sees it, nor learns that it is there.
    let (eve, _) = newcomer(&app, "eve@example.com").await;
    eve.get(&format!("/v1/generation/plan?id={}", ids[0])).await.expect(404);
    let other = Browser::sign_in(&app, "eve@example.com").await;
    other.get(&path).await.expect(404);
    holds(&other.get("/console").await.expect(200), "No calls yet");
}

#[tokio::test]
async fn acts_and_alerts_are_seen_by_those_who_govern() {
    let (app, _, _, hash) = place().await;
    let browser = Browser::sign_in(&app, "ada@example.com").await;
    let audit = browser.get("/console/audit").await.expect(200);
    holds(&audit, "POST /v1/keys");
    assert!(!audit.text().contains("of=server"), "{hash}");
    holds(&browser.get("/console/alerts").await.expect(200), "Nothing to report");
    browser.get("/console/server/people").await.expect(403);
}

#[tokio::test]
async fn who_runs_the_server_sees_all_of_it_and_nobody_else_does() {
    let (app, ada, _, _) = place().await;
    let manager = app.new_key(&["--management"]).await.0;
    let users = manager.get("/v1/server/users").await.expect(200).json();
    let her = &users["data"][0];
    assert_eq!((&her["email"], &her["disabled_at"]), (&json!("ada@example.com"), &Value::Null));
    let margin = manager.get("/v1/server/margin?by=provider").await.expect(200).json();
    let rows: Vec<(&Value, &Value)> = margin["data"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (&row["value"], &row["charged_usd"]))
        .collect();
    assert_eq!(rows, [(&json!("one"), &json!("0.1")), (&json!("two"), &json!("0.0025"))]);
    assert_eq!(margin["data"]["total"]["requests"], 3);
    let organizations = manager.get("/v1/server/organizations").await.expect(200).json();
    let own =
        organizations["data"].as_array().expect("rows").iter().find(|one| one["id"] == her["organization"]);
    assert_eq!(own.expect("hers")["metered_usd"], "0.1025", "{organizations}");
    let providers = manager.get("/v1/server/providers").await.expect(200).json();
    let one = providers["data"].as_array().expect("rows").iter().find(|one| one["id"] == "one").expect("one");
    assert_eq!((&one["is_on"], &one["recent"]["answered"]), (&json!(true), &json!(2)), "{one}");
    for path in ["users", "organizations", "margin", "providers"] {
        ada.get(&format!("/v1/server/{path}")).await.expect(403);
    }
    // Out, and in again.
    let path = format!("/v1/server/users/{}", her["id"].as_str().expect("an id"));
    let out =
        manager.request("PATCH", &path).json(&json!({"disabled": true})).send().await.expect(200).json();
    assert!(out["data"]["disabled_at"].is_string(), "{out}");
    ada.get("/v1/auth/me").await.expect(401);
    manager.request("PATCH", &path).json(&json!({"disabled": false})).send().await.expect(200);
    Browser::sign_in(&app, "ada@example.com").await.get("/console").await.expect(200);
    manager
        .request("PATCH", "/v1/server/users/usr_none")
        .json(&json!({"disabled": true}))
        .send()
        .await
        .expect(404);
}
