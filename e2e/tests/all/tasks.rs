//! Embeddings, rerank, images, speech and transcriptions: what they ask, answer and cost.

use std::process::Command;

use serde_json::{Value, json};
use testkit::app::OWNER_KEY;
use testkit::{FakeUpstream, Lab, Script, TestApp};

use crate::dialects::mock_at;
use e2e::programs::{file, run, variable};

fn labs(lab: impl Fn(&str) -> Lab) -> [Lab; 1] {
    [lab("mock")
        .maker("mock/embed", "embeddings", &[("input_usd_per_mtok", "0.02")])
        .maker("mock/draw", "image", &[("image_usd", "0.04")])
        .maker(
            "mock/draw-tokens",
            "image",
            &[("input_usd_per_mtok", "5"), ("image_output_usd_per_mtok", "40")],
        )
        .maker("mock/speak", "audio", &[("characters_usd_per_million", "15")])
        .maker("mock/hear", "transcription", &[("audio_second_usd", "0.0001")])
        .maker("mock/rank", "rerank", &[("search_usd", "0.002")])]
}

async fn app(upstream: &FakeUpstream) -> TestApp {
    let mut builder = TestApp::builder();
    for lab in labs(|slug| Lab::at(slug, upstream)) {
        builder = builder.lab(lab);
    }
    let cohere = Lab::at("co", upstream).set("protocol", "\"cohere\"");
    builder.lab(cohere.maker("co/rank", "rerank", &[("search_usd", "0.002")])).start().await
}

/// Path, request, the provider's answer, the path that it is asked at, the cost, and who counted.
type Bill = (&'static str, Value, Script, &'static str, &'static str, &'static str);

fn bills() -> [Bill; 7] {
    let (image, rank) =
        (json!({"data": [{"b64_json": "AA=="}]}), json!([{"index": 0, "relevance_score": 0.5}]));
    [
        (
            "/v1/embeddings",
            json!({"model": "mock/embed", "input": "hello"}),
            Script::json(
                200,
                &json!({"data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}}),
            ),
            "/v1/embeddings",
            "0.0000001",
            "provider",
        ),
        (
            "/v1/images/generations",
            json!({"model": "mock/draw", "prompt": "a cat", "n": 2}),
            Script::json(200, &json!({"data": [{"b64_json": "AA=="}, {"b64_json": "AA=="}]})),
            "/v1/images/generations",
            "0.08",
            "provider",
        ),
        (
            "/v1/images/generations",
            json!({"model": "mock/draw-tokens", "prompt": "a cat", "quality": "low"}),
            Script::json(200, &image),
            "/v1/images/generations",
            // 272 tokens of a small square and the prompt's two, since the provider reports none.
            "0.01089",
            "estimated",
        ),
        (
            "/v1/audio/speech",
            json!({"model": "mock/speak", "input": "Hello", "voice": "a"}),
            Script::plain(200, &[("content-type", "audio/mpeg")], "ID3"),
            "/v1/audio/speech",
            "0.000075",
            "provider",
        ),
        (
            "/v1/audio/transcriptions",
            json!({"model": "mock/hear", "input_audio": {"data": "UklGRg==", "format": "mp3"}}),
            Script::json(200, &json!({"text": "hi", "usage": {"type": "duration", "seconds": 61}})),
            "/v1/audio/transcriptions",
            "0.0061",
            "provider",
        ),
        (
            "/v1/rerank",
            json!({"model": "mock/rank", "query": "q", "documents": ["a"]}),
            Script::json(200, &json!({"results": rank, "usage": {"total_tokens": 3}})),
            "/v1/rerank",
            "0.002",
            "provider",
        ),
        (
            "/api/v1/rerank",
            json!({"model": "co/rank", "query": "q", "documents": ["a"]}),
            Script::json(200, &json!({"results": rank, "meta": {"billed_units": {"search_units": 3}}})),
            "/v1/v2/rerank",
            "0.006",
            "provider",
        ),
    ]
}

#[tokio::test]
async fn every_task_is_billed_by_its_own_unit() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream).await;
    let owner = app.owner();
    for (path, body, script, asked, cost, source) in bills() {
        upstream.push(script);
        let reply = owner.post(path, &body).await.expect(200);
        assert_eq!(reply.header("x-tollway-cost-usd"), Some(cost), "{path} {}", reply.text());
        let requests = upstream.requests();
        let request = requests.last().expect("a request");
        assert_eq!(request.path(), asked);
        let sent = String::from_utf8_lossy(request.body()).into_owned();
        assert!(sent.contains("tiny") && !sent.contains("mock/"), "{sent}");
        let record = owner.generation(&reply.generation_id()).await;
        assert_eq!(
            (record["total_cost"].as_str(), record["usage_source"].as_str()),
            (Some(cost), Some(source))
        );
    }
}

#[tokio::test]
async fn a_stream_of_images_ends_with_its_cost() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream).await;
    let partial = json!({"type": "image_generation.partial_image", "b64_json": "A".repeat(100_000)});
    let end = json!({"type": "image_generation.completed", "b64_json": "BB==", "usage": {"input_tokens": 2, "output_tokens": 10}});
    upstream.push(Script::stream().event(&partial).event(&end).end());
    let body = json!({"model": "mock/draw-tokens", "prompt": "a cat", "stream": true, "partial_images": 1});
    let reply = app.owner().post("/v1/images/generations", &body).await.expect(200);
    let text = reply.text();
    assert!(text.contains(&"A".repeat(100_000)) && text.contains("\"cost\":0.00041,"), "{}", text.len());
    assert!(!text.contains("[DONE]"));
}

#[tokio::test]
async fn a_price_that_fits_no_task_is_refused_not_free() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("mock", &upstream).maker("mock/draw", "image", &[("characters_usd_per_million", "15")]);
    let app = TestApp::builder().lab(lab).start().await;
    let body = json!({"model": "mock/draw", "prompt": "a cat"});
    let reply = app.owner().post("/v1/images/generations", &body).await.expect(404);
    assert!(reply.text().contains("Filter by Known Price"), "{}", reply.text());
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn openai_for_python_beside_conversations() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, url) = mock_at(folder.path()).await;
    let mut builder = TestApp::builder();
    for lab in labs(|slug| Lab::at_url(slug, &format!("{url}/v1"))) {
        builder = builder.lab(lab);
    }
    let app = builder.start().await;
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/tasks_python.py"));
    command.env("BASE_URL", format!("{}/v1", app.url())).env("API_KEY", OWNER_KEY);
    let said = run(command).await;
    assert_eq!(said.matches("ok ").count(), 5, "{said}");
}

#[tokio::test]
async fn who_leaves_before_there_is_an_image_pays_for_none() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream).await;
    upstream.push(Script::hang_before_headers());
    let body = json!({"model": "mock/draw", "prompt": "a cat"});
    let connection = app.owner().request("POST", "/v1/images/generations").json(&body).send_only().await;
    let request = upstream.request(0).await;
    drop(connection);
    assert_eq!(request.over().await, testkit::upstream::Phase::CallerLeft);
    app.settled().await;
    let key = app.owner().get("/v1/key").await.expect(200).json();
    assert_eq!(key["data"]["usage"], json!(0), "{key}");
}

#[tokio::test]
async fn a_provider_that_can_not_be_asked_says_so() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).set("protocol", "\"anthropic\"");
    let app = TestApp::builder()
        .lab(lab.maker("lab/embed", "embeddings", &[("input_usd_per_mtok", "1")]))
        .start()
        .await;
    let body = json!({"model": "lab/embed", "input": "hello"});
    let reply = app.owner().post("/v1/embeddings", &body).await.expect(400);
    assert_eq!(reply.json()["error"]["type"], "not_translatable");
    assert!(reply.text().contains("the request can't be embedded"), "{}", reply.text());
    assert_eq!(upstream.request_count(), 0);
}
