//! An answer that is found wanting goes on to a better model, once: in every dialect, streamed or whole, within a budget that the
//! operator bears. The caller pays for the answer that it gets.

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Reply, Script, TestApp, Tokens, ask};

const SCHEMA: &str =
    r#"{"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}"#;

struct Place {
    app: TestApp,
    cheap: FakeUpstream,
    good: FakeUpstream,
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("a schema")
}

/// A question that wants JSON, and goes on to the good model.
fn question(stream: bool) -> Value {
    let mut body = ask("cheap/m");
    body["stream"] = json!(stream);
    body["escalate"] = json!("good/m");
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema()}});
    body
}

fn answer(stream: bool, text: &str, tokens: Tokens) -> Script {
    if stream { Script::chat_stream(&[text], tokens) } else { Script::chat(text, tokens) }
}

/// A cheap model and a good one.
async fn place() -> Place {
    let (cheap, good) = (FakeUpstream::start(), FakeUpstream::start());
    let app = TestApp::builder()
        .lab(Lab::at("cheap", &cheap).model("cheap/m", "1", "2"))
        .lab(Lab::at("good", &good).model("good/m", "10", "20"))
        .env("TOLLWAY_ROUTING__EXPLORE_PER_MILLE", "0")
        .start()
        .await;
    Place { app, cheap, good }
}

/// The same with a budget: good answers have filled it for a few escalations of cheap ones.
async fn saved_up() -> Place {
    let place = place().await;
    place.cheap.always(Script::chat("{\"city\":\"Rome\"}", Tokens::new(20_000, 4_000)));
    for _ in 0..130 {
        place.app.owner().chat_request(&question(false)).send().await.expect(200);
    }
    assert_eq!(place.good.request_count(), 0, "good answers stay where they are");
    place
}

async fn record(owner: &Actor, reply: &Reply) -> Value {
    owner.generation(reply.header("x-generation-id").expect("an id")).await
}

fn outcomes(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attempts = record["attempts"].as_array().expect("attempts");
    attempts.iter().map(|one| (text(&one["endpoint"]), text(&one["outcome"]))).collect()
}

fn attempt(endpoint: &str, outcome: &str) -> (String, String) {
    (endpoint.to_owned(), outcome.to_owned())
}

#[tokio::test]
async fn the_better_answer_is_paid_and_the_first_is_the_operators() {
    let place = saved_up().await;
    let owner = place.app.owner();
    for stream in [false, true] {
        place.cheap.push(answer(stream, "The city is Rome.", Tokens::new(20, 8)));
        place.good.push(answer(stream, "{\"city\":\"Oslo\"}", Tokens::new(30, 10)));
        let request = owner.chat_request(&question(stream)).header("x-tollway-metadata", "enabled");
        let reply = request.send().await.expect(200);
        let text = reply.text();
        assert!(text.contains("Oslo") && !text.contains("Rome"), "{text}");
        assert_eq!(reply.header("x-tollway-endpoint"), Some("good/m"));
        assert_eq!(reply.header("x-tollway-fallback-reason"), Some("escalated_not_json"));
        let escalated = json!({"from": "cheap/m", "to": "good/m", "why": "not_json"});
        assert!(text.contains(r#""escalated":{"from":"cheap/m","to":"good/m","why":"not_json"}"#), "{text}");
        let told = record(&owner, &reply).await;
        assert_eq!((&told["escalated"], &told["model"]), (&escalated, &json!("good/m")), "{told}");
        assert_eq!(outcomes(&told), [attempt("cheap/m", "escalated"), attempt("good/m", "ok")]);
        // 30 tokens at $10 and 10 at $20 per million; the first: 20 at $1 and 8 at $2.
        assert_eq!(
            (&told["total_cost"], &told["attempts"][1]["cost_usd"]),
            (&json!("0.0005"), &json!("0.0005"))
        );
        assert_eq!(told["attempts"][0]["cost_usd"], "0.000036");
    }
    assert_eq!(place.app.metric("tollway_escalations_total").await.as_deref(), Some("2"));
    assert_eq!(place.app.metric("tollway_escalations_wasted_nano_usd_total").await.as_deref(), Some("72000"));
    place.app.settled().await;
    let verified = place.app.cli(&["ledger", "verify"]).await;
    assert_eq!(verified["problems"], json!([]), "{verified}");
}

#[tokio::test]
async fn a_stream_that_passes_is_told_whole_and_one_that_breaks_off_as_it_broke_off() {
    let place = place().await;
    let owner = place.app.owner();
    place.cheap.push(Script::chat_stream(&["{\"city\":", "\"Rome\"}"], Tokens::new(20, 8)));
    let reply = owner.chat_request(&question(true)).send().await.expect(200);
    assert!(reply.text().contains("Rome") && reply.text().contains("[DONE]"), "{}", reply.text());
    assert_eq!(record(&owner, &reply).await["escalated"], Value::Null);
    place.cheap.push(Script::close_mid_stream(&["{\"city\":"]));
    let reply = owner.chat_request(&question(true)).send().await.expect(200);
    assert!(reply.text().contains("stream_broken") && !reply.text().contains("[DONE]"), "{}", reply.text());
    assert_eq!(record(&owner, &reply).await["status"], "truncated");
    assert_eq!(place.good.request_count(), 0);
}

#[tokio::test]
async fn where_the_better_model_fails_the_first_answer_is_passed_on_and_paid() {
    let place = saved_up().await;
    let owner = place.app.owner();
    place.good.always(Script::error(500, "broken", None));
    for stream in [false, true] {
        place.cheap.push(answer(stream, "The city is Rome.", Tokens::new(20, 8)));
        let reply = owner.chat_request(&question(stream)).send().await.expect(200);
        let text = reply.text();
        assert!(text.contains("The city is Rome.") && text.contains("not_escalated"), "{text}");
        assert!(text.contains("it failed (provider_error)"), "{text}");
        assert_eq!(reply.header("x-tollway-endpoint"), Some("cheap/m"));
        let told = record(&owner, &reply).await;
        assert_eq!((&told["escalated"], &told["total_cost"]), (&Value::Null, &json!("0.000036")), "{told}");
        assert_eq!(outcomes(&told)[0], attempt("cheap/m", "ok"), "{told}");
        assert_eq!(told["attempts"][0]["cost_usd"], "0.000036", "{told}");
    }
    place.app.settled().await;
    let verified = place.app.cli(&["ledger", "verify"]).await;
    assert_eq!(verified["problems"], json!([]), "{verified}");
}

#[tokio::test]
async fn beyond_the_budget_and_where_it_is_switched_off_the_first_answer_is_passed_on() {
    let place = place().await;
    place.cheap.push(Script::chat("The city is Rome.", Tokens::new(20, 8)));
    let reply = place.app.owner().chat_request(&question(false)).send().await.expect(200);
    assert!(reply.text().contains("the budget for it is used up"), "{}", reply.text());
    assert_eq!((reply.header("x-tollway-endpoint"), place.good.request_count()), (Some("cheap/m"), 0));
    let app = TestApp::builder()
        .lab(Lab::at("cheap", &place.cheap).model("cheap/m", "1", "2"))
        .lab(Lab::at("good", &place.good).model("good/m", "10", "20"))
        .set("routing.escalations", "false")
        .start()
        .await;
    place.cheap.push(Script::chat("The city is Rome.", Tokens::new(20, 8)));
    let reply = app.owner().chat_request(&question(false)).send().await.expect(200);
    assert!(reply.text().contains("`routing.escalations`"), "{}", reply.text());
}

/// A request of each dialect with a tool that must be told the city.
fn in_dialects() -> Vec<(&'static str, Value, &'static str)> {
    let tool = |schema: &str| json!({"name": "weather", "description": "Tells it", schema: self::schema()});
    let responses = json!({"type": "function", "name": "weather", "parameters": schema(), "strict": false});
    let gemini = json!({"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema()}]});
    let messages = [json!({"role": "user", "content": "The weather?"})];
    vec![
        (
            "/v1/chat/completions",
            json!({"model": "cheap/m", "messages": messages, "tools": [{"type": "function", "function": tool("parameters")}]}),
            "\"arguments\"",
        ),
        (
            "/v1/messages",
            json!({"model": "cheap/m", "max_tokens": 100, "messages": messages, "tools": [tool("input_schema")]}),
            "tool_use",
        ),
        (
            "/v1/responses",
            json!({"model": "cheap/m", "input": "The weather?", "tools": [responses]}),
            "function_call",
        ),
        (
            "/v1beta/models/cheap/m:streamGenerateContent?alt=sse",
            json!({"contents": [{"role": "user", "parts": [{"text": "The weather?"}]}], "tools": [gemini]}),
            "functionCall",
        ),
    ]
}

#[tokio::test]
async fn every_dialect_goes_on_by_header_and_body() {
    let place = saved_up().await;
    let owner = place.app.owner();
    for (number, (path, mut body, mark)) in in_dialects().into_iter().enumerate() {
        let stream = number % 2 == 1;
        let (tokens, good) = (Tokens::new(20, 8), "{\"city\":\"Oslo\"}");
        place.cheap.push(match stream {
            true => Script::tool_call_stream("weather", ("{\"town\":", "\"Rome\"}"), tokens),
            false => Script::tool_call("weather", "{\"town\":\"Rome\"}", tokens),
        });
        place.good.push(match stream {
            true => Script::tool_call_stream("weather", ("{\"city\":", "\"Oslo\"}"), tokens),
            false => Script::tool_call("weather", good, tokens),
        });
        if stream {
            body["stream"] = json!(true);
        }
        let request = match number {
            0 | 3 => owner.request("POST", path).header("x-tollway-escalate", "good/m"),
            _ => {
                body["escalate"] = json!("good/m");
                owner.request("POST", path)
            }
        };
        let reply = request.json(&body).send().await.expect(200);
        let text = reply.text();
        assert!(text.contains(mark) && text.contains("Oslo") && !text.contains("Rome"), "{path}: {text}");
        let told = record(&owner, &reply).await;
        assert_eq!(told["escalated"]["why"], "tool_arguments", "{path}: {told}");
        let sent = place.good.request(number).await.json();
        assert!(sent.get("escalate").is_none(), "{path}: {sent}");
    }
}

#[tokio::test]
async fn a_policy_names_where_to_and_true_takes_the_next_better_of_a_virtual_model() {
    let place = saved_up().await;
    let owner = place.app.owner();
    let made = place.app.cli(&["keys", "create", "--name", "manager", "--management"]).await;
    let manager = place.app.with_key(made["key"].as_str().expect("a key"));
    testkit::eventually("the management key to be known", || async {
        (manager.get("/v1/policies").await.status == 200).then_some(())
    })
    .await;
    let policy = json!({"models": ["cheap/m"], "escalate_to": "good/m"});
    let reply = manager.request("PUT", "/v1/policies/sure").json(&policy).send().await;
    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
    let unknown = json!({"models": ["cheap/m"], "escalate_to": "good/none"});
    let reply = manager.request("PUT", "/v1/policies/bad").json(&unknown).send().await.expect(400);
    assert!(reply.text().contains("escalate_to"), "{}", reply.text());

    let empty = || Script::chat("", Tokens::new(20, 1));
    let better = || Script::chat("Hello.", Tokens::new(20, 2));
    (0..3).for_each(|_| place.cheap.push(empty()));
    place.good.always(better());
    let reply = owner.chat_request(&ask("policy/sure")).send().await.expect(200);
    let told = record(&owner, &reply).await;
    let escalated = json!({"from": "cheap/m", "to": "good/m", "why": "empty"});
    assert_eq!((&told["escalated"], &told["policy"]), (&escalated, &json!("sure@1")), "{told}");

    let mut off = ask("policy/sure");
    off["escalate"] = json!(false);
    let reply = owner.chat_request(&off).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-endpoint"), Some("cheap/m"), "the request goes before the policy");

    let mut auto = ask("tollway/auto");
    auto["escalate"] = json!(true);
    auto["cost_quality_tradeoff"] = json!(10);
    let reply = owner.chat_request(&auto).send().await.expect(200);
    assert_eq!(record(&owner, &reply).await["escalated"], escalated, "{}", reply.text());
}

#[tokio::test]
async fn what_has_no_effect_is_told_and_what_is_wrong_is_refused() {
    let place = place().await;
    place.cheap.always(Script::chat("Hello.", Tokens::new(20, 2)));
    let owner = place.app.owner();
    let asked = async |escalate: Value| {
        let mut body = ask("cheap/m");
        body["escalate"] = escalate;
        owner.chat_request(&body).send().await
    };
    let reply = asked(json!(true)).await.expect(200);
    assert!(reply.text().contains("`escalate` had no effect: true goes on"), "{}", reply.text());
    let reply = asked(json!("good/none")).await.expect(404);
    assert!(reply.text().contains("no model is called"), "{}", reply.text());
    let reply = asked(json!(7)).await.expect(400);
    assert!(reply.text().contains("`escalate` must be true, false or the name"), "{}", reply.text());
    let request = owner.chat_request(&ask("cheap/m")).header("x-tollway-escalate", "");
    let reply = request.send().await.expect(400);
    assert!(reply.text().contains("true, false or the name of a model"), "{}", reply.text());
}
