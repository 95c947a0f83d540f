//! What accounts ask about their use: sums, percentiles, the log, traces and exports. Every total is that of the ledger.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp, Tokens, ask};
use types::Money;

struct Office {
    app: TestApp,
    manager: Actor,
    second: Actor,
    /// Ids of the calls, the oldest first.
    ids: Vec<String>,
}

/// Eight calls by two keys at two models, one of which fails, in two sessions and a trace.
async fn office() -> Office {
    let (one, two) = (FakeUpstream::start(), FakeUpstream::start());
    one.always(Script::chat("ab", Tokens::new(20, 10)));
    two.always(Script::chat("ab", Tokens::new(2_000, 7)));
    let app = TestApp::builder()
        .lab(Lab::at("one", &one).model("one/m", "1", "3"))
        .lab(Lab::at("two", &two).model("two/m", "0.37", "1.13"))
        .start()
        .await;
    let (manager, _) = app.new_key(&["--management"]).await;
    let (second, _) = app.new_key(&[]).await;
    let mut ids = Vec::new();
    for n in 0..8 {
        let actor = if n % 2 == 0 { app.owner() } else { second.clone() };
        let mut body = ask(if n % 4 < 2 { "one/m" } else { "two/m" });
        body["user"] = json!(format!("user-{}", n % 3));
        body["session_id"] = json!(format!("session-{}", n / 4));
        if n == 7 {
            body["model"] = json!("one/none");
        }
        let request =
            actor.chat_request(&body).header("x-tollway-meta-team", "=blue").header("x-title", "An, app");
        let request = if n < 2 { request.header("x-tollway-meta-trace_id", "trace 1") } else { request };
        let reply = request.send().await;
        if n < 7 {
            ids.push(reply.expect(200).generation_id());
        }
    }
    for id in &ids {
        app.owner().generation(id).await;
    }
    Office { app, manager, second, ids }
}

async fn query(actor: &Actor, body: &Value) -> Value {
    actor.post("/v1/analytics/query", body).await.expect(200).json()
}

/// A JSON number of the answer's text, to the last digit.
fn money(value: &Value) -> Money {
    match value {
        Value::String(text) => text.parse().expect("an amount"),
        other => other.to_string().parse().expect("an amount"),
    }
}

/// What the ledger says was charged, by key id.
async fn ledger(office: &Office) -> (Money, BTreeMap<String, Money>) {
    let mut all = BTreeMap::new();
    let keys = office.manager.get("/v1/keys").await.expect(200).json();
    for key in keys["data"].as_array().expect("keys") {
        all.insert(key["id"].as_str().expect("an id").to_owned(), money(&key["usage_usd"]));
    }
    let credits = office.app.cli(&["credits", "show"]).await;
    let metered = money(&credits["metered_usd"]);
    assert_eq!(all.values().copied().sum::<Money>(), metered);
    (metered, all)
}

#[tokio::test]
async fn the_first_rows_are_the_same_however_few_are_asked_for() {
    let office = office().await;
    for dimensions in [json!(["user"]), json!(["model"]), json!(["key", "model"]), json!(["tag"])] {
        for (granularity, field) in [("", "total_usage"), ("day", "tokens_total"), ("hour", "request_count")]
        {
            let body = |limit: usize| {
                let order = json!({"field": field, "direction": "desc"});
                json!({"metrics": ["request_count", "total_usage", "tokens_total"], "dimensions": dimensions,
                    "granularity": (!granularity.is_empty()).then_some(granularity), "order_by": order, "limit": limit})
            };
            let whole = query(&office.manager, &body(1_000)).await;
            let rows = whole["data"]["data"].as_array().expect("rows");
            assert_eq!(whole["data"]["metadata"]["truncated"], false, "{whole}");
            for limit in 1..=rows.len() {
                let few = query(&office.manager, &body(limit)).await;
                assert_eq!(
                    few["data"]["data"].as_array().expect("rows"),
                    &rows[..limit],
                    "{dimensions} {limit}"
                );
                assert_eq!(few["data"]["metadata"]["truncated"], limit < rows.len(), "{few}");
            }
        }
    }
}

#[tokio::test]
async fn every_total_is_that_of_the_ledger() {
    let office = office().await;
    let (spent, keys) = ledger(&office).await;
    assert!(spent > Money::ZERO);
    for dimensions in [
        json!([]),
        json!(["model"]),
        json!(["provider", "key"]),
        json!(["user"]),
        json!(["metadata.team"]),
        json!(["app", "key"]),
    ] {
        for granularity in ["hour", "day", "week", "month"] {
            let body = json!({"metrics": ["total_usage", "request_count"], "dimensions": dimensions, "granularity": granularity});
            if granularity == "hour" && dimensions == json!(["app", "key"]) {
                let refused = office.manager.post("/v1/analytics/query", &body).await.expect(400).text();
                assert!(refused.contains("of the whole account only"), "{refused}");
                continue;
            }
            let answer = query(&office.manager, &body).await;
            let rows = answer["data"]["data"].as_array().expect("rows");
            let sum: Money = rows.iter().map(|row| money(&row["total_usage"])).sum();
            assert_eq!(sum, spent, "{body}: {answer}");
            let requests: i64 = rows.iter().map(|row| row["request_count"].as_i64().expect("a count")).sum();
            assert_eq!(requests, 7, "{body}: {answer}");
        }
    }
    let second = office.second.get("/v1/key").await.expect(200).json()["data"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let own = query(&office.second, &json!({"metrics": ["total_usage"]})).await;
    assert_eq!(money(&own["data"]["data"][0]["total_usage"]), keys[&second], "a key sees its own use");
    let activity = office.manager.get("/v1/activity").await.expect(200).json();
    let rows = activity["data"].as_array().expect("rows");
    assert_eq!(rows.iter().map(|row| money(&row["charged_usd"])).sum::<Money>(), spent);
    let sheet = office.manager.get("/v1/activity?format=csv&granularity=month").await.expect(200).text();
    assert_eq!(column(&sheet, "charged_usd"), spent);

    let usage =
        office.manager.get("/v1/manage/org/usage?start=2020-01-01&end=2020-02-01").await.expect(200).json();
    assert_eq!(usage["usage"], json!({}));
    let start = lately();
    let path = format!("/v1/manage/org/usage?start={start}&group_by=model_used&resolution=hour");
    let usage = office.manager.get(&path).await.expect(200).json();
    let buckets: Vec<&Value> = usage["usage"].as_object().expect("buckets").values().collect();
    assert_eq!(buckets.iter().map(|bucket| money(&bucket["spend"])).sum::<Money>(), spent, "{usage}");
    let grouped = buckets.iter().flat_map(|bucket| bucket["grouped_data"].as_array().expect("groups"));
    assert_eq!(grouped.map(|group| money(&group["spend"])).sum::<Money>(), spent, "{usage}");
    let own = office
        .second
        .get(&format!("/v1/manage/apikey/self/usage?start={start}&resolution=month"))
        .await
        .expect(200)
        .json();
    let bucket = own["usage"].as_object().expect("buckets").values().next().expect("a bucket").clone();
    assert_eq!((money(&bucket["spend"]), &bucket["completions_requests"]), (keys[&second], &json!(3)));
    let owner = keys.keys().find(|id| **id != second && keys[*id] > Money::ZERO).expect("the owner's key");
    let path = |id: &str| format!("/v1/manage/apikey/{id}/usage?start={start}");
    office.second.get(&path(owner)).await.expect(404);
    office.manager.get(&path(owner)).await.expect(200);
    office.second.get(&format!("/v1/manage/org/usage?start={start}")).await.expect(403);
}

/// Two days ago.
fn lately() -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48)).to_string()
}

/// The sum of a column of amounts.
fn column(csv: &str, name: &str) -> Money {
    let rows = cells(csv);
    let at = rows[0].iter().position(|cell| cell == name).expect("the column");
    rows[1..].iter().map(|row| row[at].parse::<Money>().expect("an amount")).sum()
}

/// Cells of CSV: quotes as RFC 4180 has them.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => (),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty(), "the last line is whole");
    rows
}

#[tokio::test]
async fn exports_come_to_what_the_ledger_says() {
    let office = office().await;
    let (spent, keys) = ledger(&office).await;
    let export = |format: &str| format!("/v1/exports/generations?format={format}");
    let csv = office.manager.get(&export("csv")).await.expect(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(column(&csv.text(), "charged_total_usd"), spent);
    let rows = cells(&csv.text());
    assert_eq!(rows.len(), 8);
    let at = |name: &str| rows[0].iter().position(|cell| cell == name).expect("the column");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_eq!(rows[1][at("id")], office.ids[0], "the oldest first");
    assert_eq!((rows[1][at("app")].as_str(), rows[1][at("trace_id")].as_str()), ("An, app", "trace 1"));
    let lines = office.manager.get(&export("jsonl")).await.expect(200).text();
    let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.iter().map(|one| money(&one["charged_usd"])).sum::<Money>(), spent);
    let focus = office.manager.get(&export("focus")).await.expect(200).text();
    for name in ["BilledCost", "EffectiveCost", "ContractedCost", "ListCost"] {
        assert_eq!(column(&focus, name), spent, "{name}");
    }
    let charges = cells(&focus);
    assert_eq!(charges.len(), 1 + 7 * 2, "a charge for input and one for output");
    assert!(charges[0].iter().all(|name| name.starts_with("x_") || name.chars().all(char::is_alphanumeric)));
    let own = office.second.get(&export("csv")).await.expect(200).text();
    let id = office.second.get("/v1/key").await.json()["data"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(column(&own, "charged_total_usd"), keys[&id], "a key exports its own use");
    let told = office.app.cli_raw(&["export", "--format", "focus"]).await;
    assert_eq!(String::from_utf8_lossy(&told.stdout), focus, "the command writes the same");
    let none =
        office.manager.get("/v1/exports/generations?from=2020-01-01&to=2020-01-02").await.expect(200).text();
    assert_eq!(cells(&none).len(), 1, "the names alone");
    office.manager.get("/v1/exports/generations?format=xlsx").await.expect(400);
    office.manager.get("/v1/exports/generations?from=2020-01-02&to=2020-01-01").await.expect(400);
    // A sheet takes it for a text.
    assert!(csv.text().contains("{\"\"team\"\":\"\"=blue\"\""), "{}", csv.text());
}

#[tokio::test]
async fn the_log_is_searched_and_paged() {
    let office = office().await;
    let list = async |actor: &Actor, query: &str| {
        let reply = actor.get(&format!("/v1/generations?{query}")).await.expect(200).json();
        let ids = reply["data"].as_array().expect("rows").iter();
        let ids: Vec<String> = ids.map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
        (ids, reply)
    };
    let newest: Vec<String> = office.ids.iter().rev().cloned().collect();
    let (all, _) = list(&office.manager, "limit=100").await;
    let found: Vec<&String> = all.iter().filter(|id| office.ids.contains(id)).collect();
    assert_eq!(found, newest.iter().collect::<Vec<_>>());
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let (ids, reply) = list(&office.manager, &format!("limit=2&status=ok{cursor}")).await;
        assert!(ids.len() <= 2);
        paged.extend(ids);
        let Some(next) = reply["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, newest);
    for (query, expect) in [
        ("model=one/m", 4),
        ("provider=two", 3),
        ("user=user-0", 3),
        ("session_id=session-0", 4),
        ("min_input_tokens=1000", 3),
        ("max_cost_usd=0", 0),
        ("finish_reason=stop", 7),
        ("app=An,%20app", 7),
        ("feedback=any", 0),
        ("to=2020-01-01", 0),
    ] {
        let (ids, reply) = list(&office.manager, query).await;
        let known = ids.iter().filter(|id| office.ids.contains(id)).count();
        assert_eq!(known, expect, "{query}: {reply}");
    }
    let (own, _) = list(&office.second, "status=ok").await;
    assert_eq!(own.len(), 3, "a key sees its own calls");
    let (_, session) = list(&office.manager, "session_id=session-0").await;
    let rows = session["data"].as_array().expect("rows");
    assert_eq!(
        money(&session["totals"]["charged_usd"]),
        rows.iter().map(|row| money(&row["charged_usd"])).sum::<Money>()
    );
    let trace = office.manager.get("/v1/traces/trace%201").await.expect(200).json();
    assert_eq!(
        (&trace["data"]["totals"]["requests"], &trace["data"]["generations"][0]["id"]),
        (&json!(2), &json!(office.ids[0]))
    );
    office.second.get("/v1/traces/none").await.expect(404);
    let told = json!({"id": office.ids[2], "rating": "down", "comment": "no"});
    office.app.owner().post("/v1/feedback", &told).await.expect(200);
    let (ids, reply) = list(&office.manager, "feedback=down").await;
    assert_eq!(ids, [office.ids[2].clone()]);
    assert_eq!(reply["data"][0]["feedback"]["comment"], "no");
    assert!(list(&office.manager, "feedback=up").await.0.is_empty());
    let bad = office.manager.get("/v1/generations?colour=blue").await.expect(400).text();
    assert!(bad.contains("`colour` is nothing that generations are found by"), "{bad}");
}

#[tokio::test]
async fn percentiles_rates_and_bounds_are_answered() {
    let office = office().await;
    let body = json!({
        "metrics": ["request_count", "p50_duration", "p99_duration", "avg_duration", "error_rate", "cache_hit_rate", "p50_latency", "tokens_prompt"],
        "dimensions": ["model"],
        "filters": [{"field": "request_count", "operator": "gte", "value": 4}],
        "order_by": {"field": "request_count", "direction": "desc"},
        "made_up": 1,
    });
    let answer = query(&office.manager, &body).await;
    let rows = answer["data"]["data"].as_array().expect("rows");
    assert_eq!(
        (rows.len(), &rows[0]["model"], &rows[0]["tokens_prompt"]),
        (1, &json!("one/m"), &json!(80)),
        "{answer}"
    );
    let (p50, p99) = (rows[0]["p50_duration"].as_f64(), rows[0]["p99_duration"].as_f64());
    assert!(p50 > Some(0.0) && p50 <= p99, "{answer}");
    assert_eq!(
        (&rows[0]["error_rate"], &rows[0]["p50_latency"]),
        (&json!(0), &Value::Null),
        "nothing was streamed"
    );
    assert!(answer["data"]["warnings"][0].as_str().is_some_and(|warning| warning.contains("made_up")));
    for (body, expect) in [
        (json!({"metrics": ["nonsense"]}), "is no metric; there are request_count"),
        (
            json!({"metrics": ["request_count"], "dimensions": ["model", "user"]}),
            "`user` can be asked for by itself",
        ),
        (json!({"metrics": ["request_count"], "granularity": "minute"}), "kept by the hour"),
    ] {
        let refused = office.manager.post("/v1/analytics/query", &body).await.expect(400).text();
        assert!(refused.contains(expect), "{refused}");
    }
}

/// Asks, waits until the texts are there, and reads them.
async fn kept(actor: &Actor, id: &str) -> Value {
    let path = format!("/v1/generation/content?id={id}");
    testkit::eventually("prompt and answer to be kept", || async {
        let reply = actor.get(&path).await;
        (reply.status == 200).then(|| reply.json()["data"].take())
    })
    .await
}

fn secret(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "canary-of-the-prompt"}]})
}

async fn nobody_else_reads(app: &TestApp, path: &str) {
    for role in ["viewer", "billing", "developer"] {
        let (member, _) = app.new_key(&["--management", "--role", role]).await;
        let refused = member.get(path).await.expect(403).text();
        assert!(!refused.contains("canary"), "{role}: {refused}");
    }
}

#[tokio::test]
async fn prompts_and_answers_are_kept_only_where_account_and_key_say_so() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("canary-of-the-answer", Tokens::new(20, 10)));
    let app = TestApp::builder().lab(Lab::at("one", &upstream).model("one/m", "1", "3")).start().await;
    let (manager, _) = app.new_key(&["--management", "--role", "owner"]).await;
    let made = manager.post("/v1/keys", &json!({"name": "kept", "logging": true})).await.expect(201).json();
    let kept_key = app.with_key(made["key"].as_str().expect("a key"));
    let ask =
        async |actor: &Actor| actor.chat_request(&secret("one/m")).send().await.expect(200).generation_id();
    let before = ask(&kept_key).await;
    let privacy = manager.get("/v1/account/privacy").await.expect(200).json();
    assert_eq!(
        privacy["data"],
        json!({"keep_days": 0, "zero_retention": false, "zero_retention_since": null})
    );
    let put = async |body: Value, status: u16| {
        manager.request("PUT", "/v1/account/privacy").json(&body).send().await.expect(status).json()
    };
    put(json!({"keep_days": 400}), 400).await;
    put(json!({"keep_days": 7}), 200).await;
    let silent = ask(&app.owner()).await;
    let loud = ask(&kept_key).await;
    let content = kept(&kept_key, &loud).await;
    assert!(
        content["request"].as_str().is_some_and(|text| text.contains("canary-of-the-prompt")),
        "{content}"
    );
    assert!(
        content["answer"].as_str().is_some_and(|text| text.contains("canary-of-the-answer")),
        "{content}"
    );
    assert_eq!((&content["request_is_cut"], &content["answer_is_cut"]), (&json!(false), &json!(false)));
    let mut streamed = secret("one/m");
    streamed["stream"] = json!(true);
    let reply = kept_key.chat_request(&streamed).send().await.expect(200);
    let content = kept(&manager, &reply.generation_id()).await;
    assert_eq!(content["answer"].as_str(), Some(reply.text().as_str()), "a stream as its client got it");
    for id in [&before, &silent] {
        manager.get(&format!("/v1/generation/content?id={id}")).await.expect(404);
    }
    let path = format!("/v1/generation/content?id={loud}");
    nobody_else_reads(&app, &path).await;
    app.owner().get(&path).await.expect(404);
    app.anonymous().get(&path).await.expect(401);
    // Who reads the database reads nothing.
    for entry in std::fs::read_dir(app.data_dir()).expect("the data") {
        let path = entry.expect("a file").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("bytes");
            let found = bytes.windows(9).any(|window| window == b"canary-of");
            assert!(!found, "{}", path.display());
        }
    }
    let refused = put(json!({"zero_retention": true}), 400).await;
    assert!(refused.to_string().contains("irrevocable"), "{refused}");
    let (admin, _) = app.new_key(&["--management"]).await;
    let by_admin = json!({"zero_retention": true, "confirm": "irrevocable"});
    admin.request("PUT", "/v1/account/privacy").json(&by_admin).send().await.expect(403);
    put(json!({"zero_retention": true, "confirm": "irrevocable"}), 200).await;
    manager.get(&path).await.expect(404);
    put(json!({"keep_days": 7}), 400).await;
    put(json!({"zero_retention": false}), 400).await;
    let told = manager.get("/v1/account/privacy").await.expect(200).json();
    assert_eq!((&told["data"]["zero_retention"], &told["data"]["keep_days"]), (&json!(true), &json!(0)));
    let reply = kept_key.chat_request(&secret("one/m")).send().await;
    assert!(
        reply.status >= 400 && reply.text().contains("Retention"),
        "nobody knows that this provider keeps nothing: {}",
        reply.text()
    );
}
