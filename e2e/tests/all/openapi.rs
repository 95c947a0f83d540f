//! `GET /openapi.json` is true: each operation is called with its example as whoever may call it, and its answer is judged by its schema,
//! which here allows no field that it does not name.

mod factors;
mod identities;
mod others;
mod prepare;
mod strangers;
mod team;

use std::collections::{BTreeMap, BTreeSet};

use e2e::webhooks::{FakeStripe, SECRET, deliver, now, signature};
use gateway::router::ROUTES;
use serde_json::{Map, Value, json};
use testkit::{Actor, FakeUpstream, Lab, Recorded, Reply, Script, TestApp, Tokens};

use self::prepare::{PASSWORD, Shop};
use self::team::come_in;
use crate::people::mailed;

/// The document, closed: an object has the fields that its schema names and no other.
struct Document {
    paths: Map<String, Value>,
    components: Value,
}

/// One operation of it.
struct Operation<'d> {
    method: String,
    path: &'d str,
    told: &'d Value,
}

impl Document {
    async fn of(app: &TestApp) -> Document {
        let mut whole = app.anonymous().get("/openapi.json").await.expect(200).json();
        close(&mut whole);
        let paths = whole["paths"].as_object().cloned().expect("paths");
        Document { paths, components: whole["components"].take() }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let items = self.paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, told)| Operation { method: method.to_uppercase(), path, told })
        });
        items.collect()
    }

    /// What of a value does not follow a schema.
    fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut whole = schema.clone();
        whole["components"] = self.components.clone();
        let judge = match jsonschema::validator_for(&whole) {
            Ok(judge) => judge,
            Err(error) => return vec![format!("no schema: {error}")],
        };
        judge.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// What of an answer the operation does not tell.
    fn judge(&self, operation: &Operation<'_>, reply: &Reply) -> Vec<String> {
        let responses = &operation.told["responses"];
        let status = reply.status.to_string();
        let Some(told) = responses.get(&status) else { return vec![format!("status {status} is not told")] };
        let kind = reply.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let Some(content) = told["content"].as_object() else { return Vec::new() };
        let fits = |name: &String| {
            name == kind || name.strip_suffix('*').is_some_and(|family| kind.starts_with(family))
        };
        let Some((_, told)) = content.iter().find(|(name, _)| fits(name)) else {
            return vec![format!("`{kind}` is not told")];
        };
        match kind {
            "application/json" => self.faults(&told["schema"], &reply.json()),
            _ => Vec::new(),
        }
    }
}

fn close(value: &mut Value) {
    if let Value::Object(map) = value {
        let is_object =
            map.get("type") == Some(&json!("object")) || map.get("type") == Some(&json!(["object", "null"]));
        if is_object && map.get("properties").is_some_and(Value::is_object) {
            map.entry("additionalProperties").or_insert(json!(false));
        }
        map.values_mut().for_each(close);
    } else if let Value::Array(items) = value {
        items.iter_mut().for_each(close);
    }
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn body(&self) -> Option<&Value> {
        self.told["requestBody"]["content"]["application/json"].as_object().map(|told| &told["example"])
    }

    /// Schema and example of a form.
    fn form(&self) -> Option<&Value> {
        self.told["requestBody"]["content"].get("application/x-www-form-urlencoded")
    }

    /// Whether someone without a key may call it.
    fn is_open(&self) -> bool {
        let ways = self.told["security"].as_array().expect("security");
        ways.is_empty() || ways.contains(&json!({}))
    }

    fn takes(&self, scheme: &str) -> bool {
        self.told["security"].as_array().into_iter().flatten().any(|way| way.get(scheme).is_some())
    }

    /// Its address with what was prepared, else with the examples.
    fn url(&self, prepared: &BTreeMap<String, String>) -> String {
        let (mut url, mut query) = (self.path.to_owned(), Vec::new());
        for parameter in self.told["parameters"].as_array().into_iter().flatten() {
            let Some(name) = parameter["name"].as_str() else { continue };
            let example = parameter["example"].as_str().filter(|_| parameter["required"] == true);
            let Some(value) = prepared.get(name).map(String::as_str).or(example) else { continue };
            match parameter["in"].as_str() {
                Some("path") => url = url.replace(&format!("{{{name}}}"), value),
                _ => query.push(format!("{name}={value}")),
            }
        }
        if query.is_empty() { url } else { format!("{url}?{}", query.join("&")) }
    }
}

/// A provider of everything.
fn provider(request: &Recorded) -> Script {
    let body = match request.path().rsplit('/').next().unwrap_or_default() {
        "models" => json!({ "object": "list", "data": [] }),
        "embeddings" => json!({
            "data": [{ "object": "embedding", "index": 0, "embedding": [0.5] }],
            "usage": { "prompt_tokens": 5, "total_tokens": 5 },
        }),
        "rerank" => {
            json!({ "results": [{ "index": 0, "relevance_score": 0.5 }], "usage": { "total_tokens": 3 } })
        }
        "generations" => json!({ "created": 1, "data": [{ "b64_json": "AA==" }] }),
        "transcriptions" => json!({ "text": "hi", "usage": { "type": "duration", "seconds": 61 } }),
        "speech" => return Script::plain(200, &[("content-type", "audio/mpeg")], "ID3"),
        _ => return Script::chat("ab", Tokens::new(20, 10)),
    };
    Script::json(200, &body)
}

async fn open() -> Shop {
    let (stripe, upstream) = (FakeStripe::start(), FakeUpstream::start());
    upstream.answer_with(provider);
    // Under the ids that the examples ask for.
    let lab = Lab::at("lab", &upstream)
        .maker("google/gemini-embedding-001", "embeddings", &[("input_usd_per_mtok", "0.02")])
        .maker("openai/gpt-image-2", "image", &[("image_usd", "0.04")])
        .maker("google/gemini-2.5-flash-tts", "audio", &[("characters_usd_per_million", "15")])
        .maker("qwen/qwen3-asr-flash", "transcription", &[("audio_second_usd", "0.0001")])
        .maker("qwen/qwen3-reranker-4b", "rerank", &[("search_usd", "0.002")]);
    let issuer = identities::issuer();
    let builder = issuer.on(stripe.app()).prepaid().lab(lab).set("people.sign_up", "\"open\"");
    let builder = builder.set("upstream.fetch_private", "true").set("sign_in.main.create", "true");
    Shop::open(builder.start().await, issuer, (stripe, upstream)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_as_the_document_says() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let mut problems = Vec::new();
    let operations = document.operations();
    assert_eq!(operations.len(), ROUTES.len());
    for operation in &operations {
        let name = operation.name();
        let prepared = shop.prepare(&name, operation.body()).await;
        let url = operation.url(&prepared.parameters);
        let caller = match &prepared.caller {
            Some(caller) => caller.clone(),
            None if operation.is_open() => shop.app.anonymous(),
            None => caller(&shop, operation).await,
        };
        if let (Some(body), Some(told)) = (&prepared.body, operation.told.pointer("/requestBody/content")) {
            let faults = document.faults(&told["application/json"]["schema"], body);
            problems.extend(faults.into_iter().map(|fault| format!("{name}: its example: {fault}")));
        }
        if let Some(form) = operation.form() {
            let faults = document.faults(&form["schema"], &form["example"]);
            problems.extend(faults.into_iter().map(|fault| format!("{name}: its form: {fault}")));
        }
        let reply = send(&shop, &caller, operation, &url, prepared.body.as_ref()).await;
        // Where the document sends browsers elsewhere, it says so.
        if reply.status >= 400 {
            problems.push(format!("{name}: {} {}", reply.status, reply.text()));
        }
        let faults = document.judge(operation, &reply);
        problems.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        shop.tidy(&name, &caller).await;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Somebody who may call an operation for which it takes a key or a session.
async fn caller(shop: &Shop, operation: &Operation<'_>) -> Actor {
    match operation {
        owners if owners.told["x-right"] == "own" => shop.team.founder.clone(),
        by_key if by_key.takes("session") && by_key.takes("key") => shop.manager.clone(),
        by_key if by_key.takes("key") => shop.app.owner(),
        _ => shop.visitor(PASSWORD).await,
    }
}

async fn send(
    shop: &Shop,
    caller: &Actor,
    operation: &Operation<'_>,
    url: &str,
    body: Option<&Value>,
) -> Reply {
    if operation.name() == "POST /v1/webhooks/stripe" {
        let event = body.map(Value::to_string).unwrap_or_default();
        return deliver(&shop.app, &event, Some(&signature(SECRET, now(), &event))).await;
    }
    if let Some(reply) = identities::visit(shop, &operation.name()).await {
        return reply;
    }
    let request = caller.request(&operation.method, url);
    match (body, operation.form()) {
        (Some(body), _) => request.json(body).send().await,
        (None, Some(form)) => {
            let fields = form["example"].as_object().into_iter().flatten();
            let fields = fields.map(|(name, value)| (name, value.as_str().expect("a text")));
            let sent = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.body(sent).send().await
        }
        (None, None) => request.send().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_too() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let (mut problems, mut refused) = (Vec::new(), 0);
    for operation in document.operations() {
        let (name, url) = (operation.name(), operation.url(&BTreeMap::new()));
        let mut tries = Vec::new();
        if !operation.is_open() {
            tries.push((shop.app.anonymous(), None, [401, 401]));
            tries.push((shop.app.with_key("sk-tw-v1-wrong"), None, [401, 401]));
        }
        if operation.body().is_some() {
            tries.push((caller(&shop, &operation).await, Some("no JSON"), [400, 404]));
        }
        for (caller, body, allowed) in tries {
            let request = caller.request(&operation.method, &url);
            let reply = match body {
                Some(body) => request.header("content-type", "application/json").body(body).send().await,
                None => request.send().await,
            };
            if !allowed.contains(&reply.status) {
                problems.push(format!("{name}: {} {}", reply.status, reply.text()));
            }
            let faults = document.judge(&operation, &reply);
            problems.extend(faults.into_iter().map(|fault| format!("{name} {}: {fault}", reply.status)));
            refused += 1;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(refused > 200, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_why() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let (viewer, _) = shop.team.viewer(&shop.app, "viewer@example.com").await;
    let (mut problems, mut refused) = (Vec::new(), [0, 0]);
    for operation in document.operations() {
        if operation.is_open() || !operation.takes("session") {
            continue;
        }
        let (name, url) = (operation.name(), operation.url(&BTreeMap::new()));
        let elsewhere = viewer.request(&operation.method, &url).header("x-tollway-organization", "acct_none");
        // Whoever signs out leaves every organization.
        let leaves = operation.path == "/v1/auth/sign-out";
        let mut tries = if leaves { Vec::new() } else { vec![(0, elsewhere, "organization_unknown")] };
        let roles = operation.told["x-roles"].as_str();
        if roles.is_some_and(|roles| !roles.contains("viewer")) {
            tries.push((1, viewer.request(&operation.method, &url), "role_insufficient"));
        }
        for (kind, request, wanted) in tries {
            let reply = request.send().await;
            let (got, told) = (reply.json(), &operation.told["responses"][reply.status.to_string()]);
            if got["error"]["type"] != wanted {
                problems.push(format!("{name}: {} {got}", reply.status));
            }
            if !told["description"].as_str().is_some_and(|told| told.contains(&format!("`{wanted}`"))) {
                problems.push(format!("{name}: {wanted} is not told"));
            }
            let faults = document.judge(&operation, &reply);
            problems.extend(faults.into_iter().map(|fault| format!("{name} {}: {fault}", reply.status)));
            refused[kind] += 1;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(refused[0] > 80 && refused[1] > 40, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_known_here_accepts_as_the_document_says() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let operations = document.operations();
    let accept = operations.iter().find(|one| one.name() == "POST /v1/auth/accept").expect("an operation");
    assert!(accept.takes("session") && accept.is_open());
    let (known, _) = come_in(&shop.app, "known@example.com", &[]).await;
    let asked = json!({ "email": "known@example.com", "role": "developer" });
    shop.team.founder.post("/v1/organization/invitations", &asked).await.expect(201);
    let body = json!({ "token": mailed(&shop.app, "known@example.com").await });
    let told = &accept.told["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(document.faults(told, &body), Vec::<String>::new());
    let reply = known.post("/v1/auth/accept", &body).await.expect(200);
    assert_eq!(reply.json()["data"]["role"], "developer");
    assert_eq!(document.judge(accept, &reply), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_told_as_such() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let operations = document.operations();
    let mut streamed = 0;
    for operation in operations.iter().filter(|one| one.told["tags"] != json!(["Gemini"])) {
        let content = &operation.told["responses"]["200"]["content"];
        let takes = content.get("text/event-stream").is_some() && content.get("application/json").is_some();
        // The provider of this test streams no images and no sound: it is asked for conversations.
        let Some(body) = operation.body().filter(|body| takes && body["model"] == "sandbox/echo") else {
            continue;
        };
        let mut body = body.clone();
        body["stream"] = json!(true);
        let reply = shop.app.owner().post(operation.path, &body).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert!(!reply.events().is_empty(), "{}", operation.name());
        assert_eq!(document.judge(operation, &reply), Vec::<String>::new(), "{}", operation.name());
        streamed += 1;
    }
    assert_eq!(streamed, 4, "chat, text, responses and messages");
}

#[tokio::test]
async fn the_documentation_for_machines_is_public_and_kept_by_who_has_it() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let anybody = app.anonymous();
    for (path, kind) in [("/openapi.json", "application/json"), ("/llms.txt", "text/plain; charset=utf-8")] {
        let reply = anybody.get(path).await.expect(200);
        assert_eq!(reply.header("content-type"), Some(kind));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        let etag = reply.header("etag").expect("an etag").to_owned();
        let again = anybody.request("GET", path).header("if-none-match", &etag).send().await.expect(304);
        assert!(again.body.is_empty());
    }
    let map = anybody.get("/llms.txt").await.text();
    let url = app.url();
    assert!(map.starts_with("# Tollway\n\n> "), "{map}");
    assert!(map.contains(&format!("- [lab/tiny]({url}/v1/models/lab/tiny)")), "{map}");
    let links = map.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    for link in links.collect::<BTreeSet<_>>() {
        let path = link.strip_prefix(&url).unwrap_or_else(|| panic!("{link} leads away"));
        anybody.get(path).await.expect(200);
    }
    let refused = anybody.request("DELETE", "/openapi.json").send().await.expect(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
}
