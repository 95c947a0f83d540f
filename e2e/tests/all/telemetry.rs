//! Traces of generations at a collector: what they say is what the books say, nothing is lost while it is down, and nobody's words
//! are in them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::Command;
use std::sync::Arc;

use e2e::programs::{file, run, variable};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use serde_json::{Value, json};
use testkit::app::OWNER_KEY;
use testkit::{
    Actor, AppBuilder, FakeUpstream, Lab, Recorded, Script, TestApp, Tokens, ask, ask_stream, eventually,
};
use types::Money;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// What a collector says to a request; `None`: it takes it.
type Mood = dyn Fn(&ExportTraceServiceRequest) -> Option<Script> + Send + Sync;

/// A collector that keeps what it took.
struct Collector {
    server: FakeUpstream,
    mood: Arc<Mutex<Arc<Mood>>>,
    taken: Arc<Mutex<Vec<Recorded>>>,
}

impl Collector {
    fn start() -> Collector {
        let server = FakeUpstream::start();
        let mood: Arc<Mutex<Arc<Mood>>> = Arc::new(Mutex::new(Arc::new(|_| None)));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (kept, asked) = (Arc::clone(&taken), Arc::clone(&mood));
        server.answer_with(move |request| {
            let mood = Arc::clone(&asked.lock());
            mood(&decode(request)).unwrap_or_else(|| {
                kept.lock().push(request.clone());
                Script::plain(200, &[("content-type", "application/x-protobuf")], "")
            })
        });
        Collector { server, mood, taken }
    }

    fn says(&self, mood: impl Fn(&ExportTraceServiceRequest) -> Option<Script> + Send + Sync + 'static) {
        *self.mood.lock() = Arc::new(mood);
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// Every span that was taken, by its id. One that was sent twice must have been the same.
    fn spans(&self) -> BTreeMap<Vec<u8>, Span> {
        let mut all: BTreeMap<Vec<u8>, Span> = BTreeMap::new();
        for request in self.taken.lock().iter() {
            for span in spans_of(&decode(request)) {
                let before = all.insert(span.span_id.clone(), span.clone());
                assert!(before.is_none_or(|before| before == span), "{span:?}");
            }
        }
        all
    }

    /// The spans of generations, by the generation's id.
    fn generations(&self) -> BTreeMap<String, Span> {
        let spans = self.spans().into_values().filter(|span| span.kind == SERVER);
        spans.map(|span| (text(&span, "tollway.generation.id"), span)).collect()
    }

    /// Waits until it has these generations and no other, and gives their spans.
    async fn has(&self, ids: &[String]) -> BTreeMap<String, Span> {
        let found = eventually("the collector to have every generation", || async {
            let found = self.generations();
            (found.len() >= ids.len()).then_some(found)
        })
        .await;
        let mut expected = ids.to_vec();
        expected.sort();
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
        found
    }
}

fn decode(request: &Recorded) -> ExportTraceServiceRequest {
    let mut body = request.body().to_vec();
    if request.header("content-encoding") == Some("gzip") {
        let packed = std::mem::take(&mut body);
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut body).expect("gzip");
    }
    match request.header("content-type") {
        Some("application/x-protobuf") => {
            ExportTraceServiceRequest::decode(body.as_slice()).expect("protobuf")
        }
        Some("application/json") => serde_json::from_slice(&body).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

fn spans_of(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

fn find<'s>(all: &'s [KeyValue], name: &str) -> Option<&'s Any> {
    all.iter().find(|pair| pair.key == name)?.value.as_ref()?.value.as_ref()
}

fn text(span: &Span, name: &str) -> String {
    match find(&span.attributes, name) {
        Some(Any::StringValue(text)) => text.clone(),
        other => panic!("{name}: {other:?} of {span:?}"),
    }
}

fn int(span: &Span, name: &str) -> i64 {
    match find(&span.attributes, name) {
        Some(Any::IntValue(number)) => *number,
        other => panic!("{name}: {other:?} of {span:?}"),
    }
}

/// An app whose model `lab/tiny` is at this provider, with a collector that is told of news so often.
fn every(interval_ms: &str, upstream: &FakeUpstream, collector: &Collector) -> AppBuilder {
    TestApp::builder()
        .lab(Lab::at("lab", upstream).model("lab/tiny", "1", "3"))
        .set("telemetry.otlp.endpoint", &format!("\"{}\"", collector.url()))
        .set("telemetry.otlp.interval_ms", interval_ms)
}

fn builder(upstream: &FakeUpstream, collector: &Collector) -> AppBuilder {
    every("50", upstream, collector)
}

/// So many calls; their ids.
async fn call(app: &TestApp, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(app.owner().chat("lab/tiny").await.expect(200).generation_id());
    }
    ids
}

async fn metric(app: &TestApp, name: &str) -> u64 {
    let value = app.metric(&format!("tollway_telemetry_{name}")).await;
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}"))
}

/// An app at work, and what it served.
struct Busy {
    collector: Collector,
    good: FakeUpstream,
    app: TestApp,
    second: Actor,
    second_id: String,
    ids: Vec<String>,
}

/// Nine calls by two keys at two models, of which the first provider of one is broken; canaries wherever words are.
async fn busy() -> Busy {
    let (collector, broken, good) = (Collector::start(), FakeUpstream::start(), FakeUpstream::start());
    broken.always(Script::error(500, "canary-of-the-error", None));
    good.answer_with(|request| {
        let tokens = Tokens::new(1_200, 30);
        if request.wants_stream() {
            Script::chat_stream(&["canary-", "of-the-answer"], tokens)
        } else {
            Script::chat("canary-of-the-answer", tokens)
        }
    });
    let app = TestApp::builder()
        .lab(Lab::at("broken", &broken).model("lab/both", "0.1", "0.1"))
        .lab(Lab::at("good", &good).model("lab/both", "0.37", "1.13").model("lab/one", "1", "3"))
        .set("telemetry.otlp.endpoint", &format!("\"{}\"", collector.url()))
        .set("telemetry.otlp.headers", "{ authorization = \"Bearer canary-of-the-header\" }")
        .set("telemetry.otlp.resource_attributes", "{ \"deployment.environment.name\" = \"lab\" }")
        .start()
        .await;
    let (second, second_id) = app.new_key(&[]).await;
    let mut ids = Vec::new();
    for n in 0..9 {
        let actor = if n % 2 == 0 { app.owner() } else { second.clone() };
        let model = if n % 3 == 0 { "lab/both" } else { "lab/one" };
        let mut body = if n % 4 == 1 { ask_stream(model) } else { ask(model) };
        body["messages"][0]["content"] = json!("canary-of-the-prompt");
        body["user"] = json!("canary-of-the-user");
        body["session_id"] = json!("session-1");
        let request = actor.chat_request(&body).header("x-tollway-meta-team", "canary-of-the-label");
        ids.push(request.send().await.expect(200).generation_id());
    }
    Busy { collector, good, app, second, second_id, ids }
}

#[tokio::test]
async fn spans_come_to_what_the_ledger_says() {
    let Busy { collector, app, second_id, ids, .. } = &busy().await;
    let spans = collector.has(ids).await;
    // Spans may be told before the books have them.
    for id in ids {
        app.owner().generation(id).await;
    }
    let credits = app.cli(&["credits", "show"]).await;
    let metered: Money = credits["metered_usd"].as_str().expect("an amount").parse().expect("an amount");
    let charged: i64 = spans.values().map(|span| int(span, "tollway.cost.charged_nano_usd")).sum();
    assert_eq!(Money::from_nanos(charged), metered);
    let (mut input, mut output) = (0, 0);
    for id in ids {
        let record = app.owner().generation(id).await;
        input += record["tokens_prompt"].as_i64().expect("a count");
        output += record["tokens_completion"].as_i64().expect("a count");
        let span = &spans[id];
        assert_eq!(text(span, "gen_ai.response.model"), record["model"]);
        let length = span.end_time_unix_nano - span.start_time_unix_nano;
        assert_eq!(length / 1_000_000, record["duration_ms"].as_f64().expect("a time") as u64);
    }
    let sum = |name: &str| spans.values().map(|span| int(span, name)).sum::<i64>();
    assert_eq!((sum("gen_ai.usage.input_tokens"), sum("gen_ai.usage.output_tokens")), (input, output));
    assert!(input >= 9 * 1_200);
    let others = spans.values().filter(|span| text(span, "tollway.key.id") == *second_id).count();
    assert_eq!(others, 4);
    assert_eq!(metric(app, "generations_total").await, ids.len() as u64);
}

#[tokio::test]
async fn every_attempt_is_a_span_below_its_generation() {
    let Busy { collector, good, ids, .. } = &busy().await;
    let spans = collector.has(ids).await;
    let all = collector.spans();
    for span in spans.values() {
        let below: Vec<&Span> = all.values().filter(|one| one.parent_span_id == span.span_id).collect();
        assert_eq!(below.len() as i64, int(span, "tollway.attempts"));
        assert!(below.iter().all(|one| one.kind == CLIENT && one.trace_id == span.trace_id));
        let answered =
            below.iter().find(|one| text(one, "tollway.attempt.outcome") == "ok").expect("an answer");
        assert_eq!(int(answered, "server.port"), i64::from(good.addr().port()));
        assert_eq!(text(answered, "gen_ai.provider.name"), "good");
        assert!(answered.events.iter().any(|event| event.name == "first_byte"));
    }
    let is_failed = |span: &&Span| span.status.as_ref().is_some_and(|status| status.code == 2);
    let failed: Vec<&Span> = all.values().filter(is_failed).collect();
    assert!(!failed.is_empty(), "the broken provider was tried first, being cheaper");
    assert!(failed.iter().all(|span| int(span, "http.response.status_code") == 500));
}

#[tokio::test]
async fn nobodys_words_and_keys_are_told() {
    let Busy { collector, app, second, ids, .. } = &busy().await;
    collector.has(ids).await;
    let requests = collector.taken.lock().clone();
    for request in &requests {
        assert_eq!((request.method(), request.path()), ("POST", "/v1/traces"));
        assert_eq!(request.header("authorization"), Some("Bearer canary-of-the-header"));
        let resource = decode(request).resource_spans.remove(0).resource.expect("a resource");
        assert_eq!(find(&resource.attributes, "service.name"), Some(&Any::StringValue("tollway".to_owned())));
        assert!(find(&resource.attributes, "deployment.environment.name").is_some());
    }
    for secret in ["canary", OWNER_KEY, second.key().expect("a key"), "sk-lab-secret"] {
        for request in &requests {
            let body = String::from_utf8_lossy(request.body());
            assert!(!body.contains(secret), "{secret} is in {body}");
        }
        assert!(!app.log().contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn the_standard_variables_switch_it_on_and_json_is_spoken() {
    let (upstream, collector) = (FakeUpstream::start(), Collector::start());
    let app = TestApp::builder()
        .lab(Lab::at("lab", &upstream).model("lab/tiny", "1", "3"))
        .set("brand.slug", "\"acme\"")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=a%20b")
        .env("OTEL_RESOURCE_ATTRIBUTES", "team=blue")
        .start()
        .await;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let mut ids = Vec::new();
    for flags in ["01", "00"] {
        let told = format!("00-{trace}-{parent}-{flags}");
        let reply = app.owner().chat_request(&ask("lab/tiny")).header("traceparent", &told).send().await;
        ids.push(reply.expect(200).generation_id());
    }
    let asked = upstream.request(0).await;
    assert_eq!(asked.header("traceparent"), None, "the provider learns nothing of the caller's trace");
    ids.truncate(1);
    collector.has(&ids).await;
    eventually("the other to be left out", || async {
        (metric(&app, "sampled_out_total").await == 1).then_some(())
    })
    .await;
    let request = collector.taken.lock()[0].clone();
    assert_eq!(request.header("x-scope"), Some("a b"));
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&request.body()[..]).read_to_end(&mut body).expect("gzip");
    let plain: Value = serde_json::from_slice(&body).expect("JSON");
    let span = &plain["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(trace), &json!(parent)));
    assert_eq!(span["kind"], json!(SERVER));
    assert!(span["startTimeUnixNano"].is_string(), "{span}");
    let resource = plain["resourceSpans"][0]["resource"]["attributes"].to_string();
    assert!(resource.contains("acme") && resource.contains("blue"), "{resource}");
}

#[tokio::test]
async fn nothing_is_lost_while_the_collector_is_down_or_the_gateway_dies() {
    let (upstream, collector) = (FakeUpstream::start(), Collector::start());
    collector.says(|_| Some(Script::plain(503, &[("retry-after", "0.2")], "")));
    let mut app = builder(&upstream, &collector).start().await;
    let mut ids = call(&app, 4).await;
    collector.server.request(2).await;
    collector.says(|_| Some(Script::reset_before_headers()));
    ids.extend(call(&app, 3).await);
    app.settled().await;
    app.kill9();
    app.restart().await;
    ids.extend(call(&app, 3).await);
    collector.says(|_| Some(Script::plain(401, &[("retry-after", "0.2")], "")));
    let before = collector.server.request_count();
    collector.server.request(before).await;
    app.restart().await;
    assert!(collector.spans().is_empty());
    collector.says(|_| None);
    collector.has(&ids).await;
    assert_eq!(metric(&app, "lost_total").await, 0);
    eventually("nothing to wait", || async { (metric(&app, "waiting_bytes").await == 0).then_some(()) })
        .await;
    // What was told is not told again by the next start.
    let told = collector.taken.lock().len();
    app.restart().await;
    ids.extend(call(&app, 1).await);
    collector.has(&ids).await;
    assert_eq!(collector.taken.lock().len(), told + 1);
}

#[tokio::test]
async fn an_orderly_stop_tells_what_is_left() {
    let (upstream, collector) = (FakeUpstream::start(), Collector::start());
    let mut app = every("60000", &upstream, &collector).start().await;
    let ids = call(&app, 3).await;
    app.sigterm();
    assert!(app.exited().await.success());
    collector.has(&ids).await;
    app.without_checks();
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_goes_and_is_counted() {
    let (upstream, collector) = (FakeUpstream::start(), Collector::start());
    collector.says(|_| Some(Script::plain(503, &[("retry-after", "0.05")], "")));
    let mut app = builder(&upstream, &collector)
        .set("server.workers", "1")
        .set("telemetry.otlp.backlog_bytes_max", "\"64 KiB\"")
        .start()
        .await;
    let long = "x".repeat(250);
    let mut ids = Vec::new();
    for _ in 0..4 {
        for _ in 0..8 {
            let request = (0..16).fold(app.owner().chat_request(&ask("lab/tiny")), |request, n| {
                request.header(&format!("x-tollway-meta-label{n}"), &long)
            });
            ids.push(request.send().await.expect(200).generation_id());
        }
        app.settled().await;
        app.restart().await;
    }
    let lost = eventually("the oldest to go", || async {
        Some(metric(&app, "lost_total").await).filter(|lost| *lost > 0)
    })
    .await;
    collector.says(|_| None);
    eventually("the rest to be told", || async { (metric(&app, "waiting_bytes").await == 0).then_some(()) })
        .await;
    // Restarts before this one counted by themselves; what is left is the youngest, without a gap.
    let told = collector.generations();
    assert!(
        lost >= 8 && !told.is_empty() && told.len() <= ids.len() - lost as usize,
        "{lost} {}",
        told.len()
    );
    let youngest = ids.split_off(ids.len() - told.len());
    assert!(youngest.iter().all(|id| told.contains_key(id)), "the oldest went");
}

#[tokio::test]
async fn what_the_collector_refuses_is_counted_and_what_is_too_large_is_divided() {
    let (upstream, collector) = (FakeUpstream::start(), Collector::start());
    collector.says(|_| Some(Script::plain(400, &[], "")));
    let app = builder(&upstream, &collector).start().await;
    call(&app, 1).await;
    eventually("the refusal to be counted", || async {
        (metric(&app, "lost_total").await == 1).then_some(())
    })
    .await;
    collector.says(|_| Some(Script::plain(429, &[("retry-after", "0.1")], "")));
    let ids = call(&app, 5).await;
    app.settled().await;
    collector.says(|request| {
        let many = spans_of(request).iter().filter(|span| span.kind == SERVER).count() > 1;
        many.then(|| Script::plain(413, &[], ""))
    });
    collector.has(&ids).await;
    collector.says(|_| {
        let partly = b"\x0a\x02\x08\x02".to_vec();
        Some(Script::plain(200, &[("content-type", "application/x-protobuf")], partly))
    });
    call(&app, 1).await;
    eventually("the unwanted to be counted", || async {
        (metric(&app, "spans_rejected_total").await == 2).then_some(())
    })
    .await;
    assert_eq!(metric(&app, "lost_total").await, 1);
}

#[tokio::test]
async fn without_a_collector_nothing_is_kept_for_one() {
    let upstream = FakeUpstream::start();
    let app = TestApp::builder()
        .lab(Lab::at("lab", &upstream).model("lab/tiny", "1", "3"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .start()
        .await;
    call(&app, 1).await;
    assert!(!app.data_dir().join("telemetry").exists());
    assert!(app.log().contains("no traces are exported") && app.log().contains("grpc"), "{}", app.log());
}

#[tokio::test]
async fn opentelemetry_for_python_reads_it() {
    let (upstream, collector) = (FakeUpstream::start(), Collector::start());
    let app = builder(&upstream, &collector).start().await;
    let ids = call(&app, 2).await;
    collector.has(&ids).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/otlp_python.py"));
    for (at, request) in collector.taken.lock().iter().enumerate() {
        let path = folder.path().join(at.to_string());
        std::fs::write(&path, request.body()).expect("write a body");
        command.arg(path);
    }
    let said = run(command).await;
    for id in &ids {
        assert!(said.contains(&format!("ok {id} 12 3")), "{said}");
    }
}
