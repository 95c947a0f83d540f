//! The operator's pages on the real program: what of the catalog wants an eye, jobs, the state, fees, announcements. What a page shows is
//! what the API says, and nobody else reads it.

use std::fs;

use serde_json::{Value, json};
use testkit::{Actor, Client, FakeUpstream, Lab, Script, TestApp, Tokens, ask};

use crate::people::newcomer;

/// A server with a provider that answers, and who runs it.
async fn place() -> (TestApp, Actor, FakeUpstream) {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("ab", Tokens::new(2_000, 1_000)));
    let app = TestApp::builder()
        .set("people.sign_up", "\"open\"")
        .set("fees.byok_percent", "\"2.5\"")
        .set("fees.markup", "{ \"lab/*\" = \"10\" }")
        .lab(Lab::at("lab", &upstream).model("lab/one", "10", "30"))
        .start()
        .await;
    let manager = app.new_key(&["--management"]).await.0;
    (app, manager, upstream)
}

#[tokio::test]
async fn nobody_but_the_operator_reads_them() {
    let (app, manager, _upstream) = place().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    for path in ["catalog", "jobs", "state", "fees", "announcements"] {
        let path = format!("/v1/server/{path}");
        manager.get(&path).await.expect(200);
        ada.get(&path).await.expect(403);
        app.owner().get(&path).await.expect(403);
        app.anonymous().get(&path).await.expect(401);
    }
    ada.post("/v1/server/announcements", &json!({"text": "x"})).await.expect(403);
}

#[tokio::test]
async fn the_review_counts_what_the_catalog_has() {
    let (app, manager, _upstream) = place().await;
    let told = manager.get("/v1/server/catalog").await.expect(200).json();
    let counts = &told["counts"];
    let sum: u64 = ["contradiction", "stale", "unsourced"]
        .iter()
        .map(|kind| counts[kind].as_u64().expect("a count"))
        .sum();
    assert_eq!(told["total"], sum, "{told}");
    // The whole catalog says the same, counted here from the feed that everybody reads.
    let catalog = app.anonymous().get("/catalog.json").await.expect(200).json();
    let mut disputed = 0;
    for of in ["models", "providers", "endpoints"] {
        for one in catalog[of].as_array().expect("a list") {
            let facts = one["facts"].as_object().expect("facts").values();
            let prices = one["price"].as_object().into_iter().flat_map(|prices| prices.values());
            for claim in facts.chain(prices) {
                let others = claim["dissent"].as_array().into_iter().flatten();
                disputed += u64::from(others.clone().any(|other| other["value"] != claim["value"]));
            }
        }
    }
    assert_eq!(counts["contradiction"], disputed);
    assert!(disputed > 0, "the catalog that comes along has none: nothing is checked here");
    // Page by page all of a filter, each once.
    let mut seen = Vec::new();
    let mut offset = Some(0);
    while let Some(at) = offset {
        let path = format!("/v1/server/catalog?kind=contradiction&provider=mistral&limit=7&offset={at}");
        let page = manager.get(&path).await.expect(200).json();
        for one in page["data"].as_array().expect("findings") {
            assert_eq!((&one["kind"], &one["provider"]), (&json!("contradiction"), &json!("mistral")));
            seen.push(format!("{} {}", one["id"], one["fact"]));
        }
        offset = page["next"].as_u64();
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all);
    let csv =
        manager.get("/v1/server/catalog?kind=contradiction&provider=mistral&format=csv").await.expect(200);
    assert_eq!(csv.text().lines().count(), all + 1);
    for wrong in ["kind=odd", "limit=0", "limit=1000", "offset=x", "format=xml"] {
        manager.get(&format!("/v1/server/catalog?{wrong}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_reload_is_told_and_so_is_one_that_was_refused() {
    let (app, manager, _upstream) = place().await;
    let reload = || async {
        let told = manager.get("/v1/server/catalog?limit=1").await.expect(200).json();
        told["reload"].clone()
    };
    assert_eq!(reload().await, json!({"applied": null, "refused": null}));
    let file = app.data_dir().with_file_name("tollway.toml");
    let good = fs::read_to_string(&file).expect("the configuration");
    fs::write(&file, format!("{good}\n[nonsense]\nodd = 1\n")).expect("write");
    let refused = testkit::eventually("the reload to be refused", || async {
        let refused = reload().await["refused"].clone();
        (!refused.is_null()).then_some(refused)
    })
    .await;
    assert!(refused["why"].to_string().contains("nonsense"), "{refused}");
    let job = manager.get("/v1/server/jobs").await.expect(200).json();
    let of = job["data"]
        .as_array()
        .expect("jobs")
        .iter()
        .find(|job| job["name"] == "reload")
        .expect("reload")
        .clone();
    assert_eq!((&of["outcome"], &of["failures"]), (&json!("failed"), &json!(1)), "{of}");
    fs::write(&file, good.replacen("output_usd_per_mtok = \"30\"", "output_usd_per_mtok = \"31\"", 1))
        .expect("write");
    let applied = testkit::eventually("the reload to be put in place", || async {
        let told = reload().await;
        (told["refused"].is_null() && !told["applied"].is_null()).then(|| told["applied"].clone())
    })
    .await;
    assert_eq!(applied["prices_changed"], json!(["lab/one"]), "{applied}");
}

#[tokio::test]
async fn jobs_and_state_say_what_is_so() {
    let (app, manager, _upstream) = place().await;
    app.owner().chat_request(&ask("lab/one")).send().await.expect(200);
    let fold = testkit::eventually("the record to be in the books", || async {
        let jobs = manager.get("/v1/server/jobs").await.expect(200).json();
        let jobs = jobs["data"].as_array()?.clone();
        let fold = jobs.iter().find(|job| job["name"] == "fold")?.clone();
        let state = manager.get("/v1/server/state").await.expect(200).json();
        let state = state["data"].clone();
        (state["store"]["entry"] == 1
            && state["journal"]["unfolded_records"] == 0
            && fold["outcome"] == "done")
            .then_some((jobs, state))
    })
    .await;
    let (jobs, state) = fold;
    let of = |name: &str| jobs.iter().find(|job| job["name"] == name).expect("a job").clone();
    assert_eq!((&of("telemetry")["is_on"], &of("telemetry")["ended_at"]), (&json!(false), &Value::Null));
    assert_eq!(
        (&of("reload")["runs"], &of("reload")["outcome"], &of("reload")["next_at"]),
        (&json!(0), &Value::Null, &Value::Null)
    );
    assert!(of("poll")["next_at"].is_string() && of("expire")["outcome"] == "done");
    assert_eq!(state["store"]["kind"], "sqlite");
    assert_eq!((&state["failing"], &state["journal"]["is_well"]), (&json!([]), &json!(true)), "{state}");
    for positive in [
        "/process/memory_bytes",
        "/process/workers",
        "/store/bytes",
        "/store/schema",
        "/journal/bytes",
        "/disk/free_bytes",
    ] {
        assert!(
            state.pointer(positive).and_then(Value::as_u64).is_some_and(|count| count > 0),
            "{positive}: {state}"
        );
    }
    // The same head that the proof of the books gives.
    let verified = app.cli(&["ledger", "verify"]).await;
    let head =
        format!("{}:{}", state["store"]["entry"], state["store"]["entry_hash"].as_str().expect("a hash"));
    assert_eq!(verified["head"], head, "{verified}");
}

#[tokio::test]
async fn fees_are_those_of_the_configuration() {
    let (_app, manager, _upstream) = place().await;
    let fees = manager.get("/v1/server/fees").await.expect(200).json();
    let value = |path: &str| {
        let settings = fees["data"]["settings"].as_array().expect("settings");
        settings.iter().find(|one| one["setting"] == path).expect("the setting")["value"].clone()
    };
    assert_eq!(
        (value("fees.byok_percent"), value("fees.markup")),
        (json!("\"2.5\""), json!("{ \"lab/*\" = \"10\" }"))
    );
    let public = manager.get("/v1/fees").await.expect(200).json();
    assert_eq!(fees["data"]["summary"], public["data"]["summary"]);
    assert_eq!(fees["data"]["fees_usd"], "0");
    manager.get("/v1/server/fees?from=2026-02-01&to=2026-01-01").await.expect(400);
}

#[tokio::test]
async fn an_announcement_is_read_by_whom_it_concerns_until_it_ends() {
    let (app, manager, _upstream) = place().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let browser = Client::new(app.addr());
    let new = json!({"text": "We **move** tonight. <script>alert(1)</script>", "level": "warning"});
    let made = manager.post("/v1/server/announcements", &new).await.expect(201).json();
    let (id, path) = (
        made["data"]["id"].clone(),
        format!("/v1/server/announcements/{}", made["data"]["id"].as_str().expect("an id")),
    );
    assert_eq!(
        (&made["data"]["state"], &made["data"]["audience"]),
        (&json!("in_force"), &json!("everybody"))
    );
    // Nobody waits for another look of the server: whoever wrote it sees it at once.
    let page = browser.get("/models").send().await.expect(200).text();
    assert!(page.contains("We <strong>move</strong> tonight.") && !page.contains("<script>alert"), "{page}");
    let told = app.anonymous().get("/v1/announcements").await.expect(200).json();
    assert_eq!(told["data"][0]["id"], id, "{told}");
    // Dismissed, it stays away from this browser; worded anew it comes back.
    let key = page
        .split("name=\"key\" value=\"")
        .nth(1)
        .expect("a form")
        .split('"')
        .next()
        .expect("a key")
        .to_owned();
    let gone = browser
        .request("POST", "/announcements/dismiss")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("key={key}&back=%2Fmodels"))
        .send()
        .await
        .expect(303);
    let cookie = gone.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let seen = |cookie: String| {
        let browser = Client::new(app.addr());
        async move { browser.get("/models").header("cookie", &cookie).send().await.expect(200).text() }
    };
    assert!(!seen(cookie.clone()).await.contains("tonight"));
    manager.request("PATCH", &path).json(&json!({"audience": "signed_in"})).send().await.expect(200);
    assert!(!seen(cookie.clone()).await.contains("tonight"), "it is for people who are signed in now");
    assert_eq!(app.anonymous().get("/v1/announcements").await.expect(200).json()["data"], json!([]));
    assert_eq!(ada.get("/v1/announcements").await.expect(200).json()["data"][0]["id"], id);
    manager.request("PATCH", &path).json(&json!({"audience": "everybody"})).send().await.expect(200);
    assert!(seen(cookie).await.contains("tonight"), "worded anew it is new");
    let wrong = json!({"until": "2020-01-01T00:00:00Z"});
    manager.request("PATCH", &path).json(&wrong).send().await.expect(400);
    let acts = manager.get("/v1/audit").await.expect(200).json();
    let acted = acts["data"].as_array().expect("acts").iter();
    let acted: Vec<(&Value, &Value, &Value)> = acted
        .filter(|act| act["action"].as_str().is_some_and(|action| action.contains("announcements")))
        .map(|act| (&act["action"], &act["object"], &act["status"]))
        .collect();
    let edit = json!("PATCH /v1/server/announcements/{id}");
    assert_eq!(acted.len(), 4, "{acts}");
    assert_eq!(acted[1], (&edit, &id, &json!(200)));
    assert_eq!((acted[0].2, acted[3].0), (&json!(400), &json!("POST /v1/server/announcements")));
    assert!(!acts.to_string().contains("tonight"), "what was told is no business of the log");
    manager.request("DELETE", &path).send().await.expect(200);
    manager.request("DELETE", &path).send().await.expect(404);
    assert_eq!(manager.get("/v1/server/announcements").await.expect(200).json()["data"], json!([]));
    assert!(!browser.get("/models").send().await.text().contains("tonight"));
}
