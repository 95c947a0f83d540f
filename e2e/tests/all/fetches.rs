//! Images that a request names by address: passed on where the provider takes addresses, fetched where it takes bytes only,
//! and never from where the caller has no business.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Recorded, Script, TestApp};

const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n";
const PIXEL_BASE64: &str = "iVBORw0KGgo=";

fn answer(request: &Recorded) -> Script {
    match request.path() {
        "/v1/a.png" => Script::plain(200, &[("content-type", "image/png")], PIXEL),
        "/v1/moved.png" => Script::plain(302, &[("location", "/v1/a.png")], ""),
        "/v1/none.png" => Script::plain(404, &[], ""),
        _ => Script::json(
            200,
            &json!({"output": {"message": {"role": "assistant", "content": [{"text": "a pixel"}]}},
            "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}}),
        ),
    }
}

fn ask(url: &str) -> Value {
    json!({"model": "lab/m", "messages": [{"role": "user", "content": [{"type": "text", "text": "q"},
        {"type": "image_url", "image_url": {"url": url}}, {"type": "image_url", "image_url": {"url": url}}]}]})
}

async fn app(upstream: &FakeUpstream, private: bool) -> TestApp {
    upstream.answer_with(answer);
    let lab = Lab::at("lab", upstream)
        .set("protocol", "\"bedrock\"")
        .model("lab/m", "1", "2")
        .takes(&["text", "image"]);
    TestApp::builder().lab(lab).set("upstream.fetch_private", &private.to_string()).start().await
}

#[tokio::test]
async fn bytes_are_fetched_once_and_nothing_of_the_callers_goes_along() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, true).await;
    let url = format!("{}/a.png", upstream.base_url());
    app.owner().chat_request(&ask(&url)).send().await.expect(200);
    let requests = upstream.requests();
    let fetches: Vec<&Recorded> = requests.iter().filter(|r| r.path() == "/v1/a.png").collect();
    assert_eq!((fetches.len(), requests.len()), (1, 2));
    assert!(fetches.iter().all(|r| r.method() == "GET" && r.header("authorization").is_none()));
    let sent = requests[1].json();
    let image = &sent["messages"][0]["content"][1]["image"];
    assert_eq!(
        (&image["format"], &image["source"]["bytes"]),
        (&json!("png"), &json!(PIXEL_BASE64)),
        "{sent}"
    );
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, false).await;
    let port = upstream.addr().port();
    let hosts =
        ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"];
    for host in hosts {
        let url = format!("http://{host}:{port}/v1/a.png");
        let reply = app.owner().chat_request(&ask(&url)).send().await.expect(400);
        assert_eq!(reply.json()["error"]["type"], "not_translatable", "{host}: {}", reply.text());
    }
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/a.png", "http://user:word@127.0.0.1/a.png"] {
        let reply = app.owner().chat_request(&ask(url)).send().await;
        assert_eq!(reply.status, 400, "{url}: {}", reply.text());
    }
    assert_eq!(upstream.request_count(), 0, "nothing was called");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, true).await;
    for (name, says) in [("none.png", "404"), ("moved.png", "redirects, which is not followed")] {
        let url = format!("{}/{name}", upstream.base_url());
        let reply = app.owner().chat_request(&ask(&url)).send().await.expect(400);
        assert!(reply.text().contains(name) && reply.text().contains(says), "{}", reply.text());
    }
}
