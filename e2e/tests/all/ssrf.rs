//! Addresses that lead where no caller has any business: a table of them, sent to every field that takes an address. A listener on
//! the machine itself writes down who comes; nobody may.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::app::Actor;
use testkit::{FakeUpstream, Lab, Script, TestApp};

/// Counts connections to one port, on every address of the machine.
struct Trap {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Trap {
    fn set() -> Trap {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let trap = Trap { port, seen: Arc::default() };
        trap.watch(listener);
        // Not every machine has IPv6.
        if let Ok(listener) = TcpListener::bind(("::1", port)) {
            trap.watch(listener);
        }
        trap
    }

    fn watch(&self, listener: TcpListener) {
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        });
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn table(&self) -> Vec<String> {
        let table = include_str!("ssrf/urls.txt");
        let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let urls: Vec<String> = lines.map(|line| line.replace("{port}", &self.port.to_string())).collect();
        assert!(urls.len() >= 200, "{} addresses", urls.len());
        urls
    }
}

async fn app(upstream: &FakeUpstream) -> (TestApp, Actor) {
    upstream.always(Script::json(
        200,
        &json!({"output": {"message": {"role": "assistant", "content": [{"text": "seen"}]}},
            "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}}),
    ));
    // A protocol that takes bytes only, so that addresses have to be fetched.
    let lab = Lab::at("lab", upstream)
        .set("protocol", "\"bedrock\"")
        .model("lab/m", "1", "2")
        .takes(&["text", "image", "file", "video"]);
    let app = TestApp::builder().lab(lab).start().await;
    let (manager, _) = app.new_key(&["--management"]).await;
    (app, manager)
}

fn asks(part: Value) -> Value {
    json!({"model": "lab/m", "messages": [{"role": "user", "content": [{"type": "text", "text": "q"}, part]}]})
}

#[tokio::test]
async fn no_image_file_or_video_is_fetched_from_within() {
    let (upstream, trap) = (FakeUpstream::start(), Trap::set());
    let (app, _) = app(&upstream).await;
    let owner = app.owner();
    type Part = fn(&str) -> Value;
    let fields: [(&str, Part); 4] = [
        ("image_url", |url| json!({"type": "image_url", "image_url": {"url": url}})),
        ("file_url", |url| json!({"type": "file", "file": {"filename": "a.pdf", "file_url": url}})),
        ("file_data", |url| json!({"type": "file", "file": {"filename": "a.pdf", "file_data": url}})),
        ("video_url", |url| json!({"type": "video_url", "video_url": {"url": url}})),
    ];
    for (field, part) in fields {
        for url in trap.table() {
            let reply = owner.chat_request(&asks(part(&url))).send().await;
            // A text that is no address at all may be taken for data.
            assert!(reply.status == 400 || !url.contains("://"), "{field} {url}: {}", reply.text());
            assert_eq!(trap.seen(), 0, "{field} {url} was called");
        }
    }
    std::net::TcpStream::connect(("127.0.0.1", trap.port)).expect("the trap");
    testkit::eventually("the trap to work", || async { (trap.seen() == 1).then_some(()) }).await;
}

#[tokio::test]
async fn no_provider_address_of_an_account_leads_within() {
    let (upstream, trap) = (FakeUpstream::start(), Trap::set());
    let (_app, manager) = app(&upstream).await;
    for url in trap.table() {
        for path in ["/v1/byok", "/v1/byok?force=true"] {
            for url in [url.clone(), url.replacen("http://", "https://", 1)] {
                let body = json!({"provider": "mistral", "key": "sk-mine-aaaaaaaaaaaaaaaa", "base_url": url});
                let reply = manager.post(path, &body).await;
                assert_eq!(reply.status, 400, "{url}: {}", reply.text());
                assert_eq!(trap.seen(), 0, "{url} was called");
            }
        }
    }
    assert_eq!(manager.get("/v1/byok").await.json()["total_count"], 0);
    std::net::TcpStream::connect(("127.0.0.1", trap.port)).expect("the trap");
    testkit::eventually("the trap to work", || async { (trap.seen() == 1).then_some(()) }).await;
}

#[tokio::test]
async fn no_notice_can_be_asked_for_from_within() {
    let (upstream, trap) = (FakeUpstream::start(), Trap::set());
    let (_app, manager) = app(&upstream).await;
    for url in trap.table() {
        let reply = manager.post("/v1/webhooks", &json!({"url": url})).await;
        assert_eq!(reply.status, 400, "{url}: {}", reply.text());
        assert!(reply.text().contains("`url`"), "{url}: {}", reply.text());
    }
    assert_eq!((manager.get("/v1/webhooks").await.json()["data"].clone(), trap.seen()), (json!([]), 0));
    std::net::TcpStream::connect(("127.0.0.1", trap.port)).expect("the trap");
    testkit::eventually("the trap to work", || async { (trap.seen() == 1).then_some(()) }).await;
}
