//! A real inference server, llama.cpp's own, with a tiny model of random weights. Run by `cargo xtask test --with-llama`,
//! which builds both with `e2e/llama/build.sh` and says where they are in `TOLLWAY_E2E_LLAMA`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use e2e::amount;
use serde_json::{Value, json};
use testkit::sse::{self, Event};
use testkit::{Client, Lab, TestApp, ask, ask_stream};
use types::Money;

use e2e::programs::{Server, variable};

const UPSTREAM_KEY: &str = "sk-llama-0123456789";

async fn llama(binaries: &Path, folder: &Path) -> (Server, SocketAddr) {
    let addr = testkit::upstream::refused_addr();
    let mut command = Command::new(binaries.join("llama-server"));
    command.arg("-m").arg(binaries.join("tiny.gguf")).args([
        "--alias",
        "tiny",
        "--host",
        "127.0.0.1",
        "--port",
    ]);
    command.arg(addr.port().to_string()).args([
        "-c",
        "65536",
        "-np",
        "4",
        "--jinja",
        "--api-key",
        UPSTREAM_KEY,
    ]);
    let log = folder.join("llama.log");
    let mut server = Server::start(command, &log);
    testkit::eventually("llama-server to be healthy", || {
        assert!(server.is_running(), "it ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
        async move {
            let reply = Client::new(addr).get("/health").try_send().await.ok()?;
            (reply.status == 200).then_some(())
        }
    })
    .await;
    (server, addr)
}

/// How many of the server's slots are generating.
async fn busy_slots(addr: SocketAddr) -> Option<usize> {
    let reply = Client::new(addr).get("/slots").bearer(UPSTREAM_KEY).try_send().await.ok()?;
    let slots: Vec<Value> = serde_json::from_slice(&reply.body).ok()?;
    Some(slots.iter().filter(|slot| slot["is_processing"] == true).count())
}

/// $1 for each million tokens in, $2 out.
fn price(usage: &Value) -> Money {
    let tokens = |name: &str| usage[name].as_i64().unwrap_or_default();
    Money::from_nanos(tokens("prompt_tokens") * 1_000 + tokens("completion_tokens") * 2_000)
}

#[tokio::test]
async fn llama_cpp_answers_streams_and_stops() {
    let binaries = variable("TOLLWAY_E2E_LLAMA");
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, addr) = llama(&binaries, folder.path()).await;
    let lab =
        Lab::at_url("llama", &format!("http://{addr}/v1")).set("api_key", &format!("\"{UPSTREAM_KEY}\""));
    let lab = lab.model("lab/llama", "1", "2");
    let app = TestApp::builder().lab(lab).start().await;
    let owner = app.owner();

    let mut body = ask("lab/llama");
    body["max_tokens"] = json!(24);
    let plain = owner.chat_request(&body).send().await.expect(200);
    let usage = plain.json()["usage"].clone();
    assert!(usage["completion_tokens"].as_u64().is_some_and(|n| (1..=24).contains(&n)), "{usage}");
    assert_eq!(amount::cost_in(&plain.text()), Some(price(&usage)), "{usage}");

    let mut body = ask_stream("lab/llama");
    body["max_tokens"] = json!(64);
    body["ignore_eos"] = json!(true);
    let streamed = owner.chat_request(&body).send().await.expect(200);
    let events = streamed.events();
    assert_eq!(events.last(), Some(&Event::Done), "{}", streamed.text());
    assert!(!sse::text(&events).is_empty());
    let chunks: Vec<&Value> = events.iter().filter_map(Event::json).collect();
    let usage = &chunks.last().expect("a chunk")["usage"];
    assert_eq!(usage["completion_tokens"], 64, "{}", streamed.text());
    assert_eq!(amount::cost_in(&streamed.text()), Some(price(usage)));

    body["max_tokens"] = json!(60_000);
    let mut long = owner.chat_request(&body).open().await;
    for _ in 0..5 {
        long.event().await.expect("words");
    }
    assert_eq!(busy_slots(addr).await, Some(1), "it is generating");
    let id = long.header("x-generation-id").expect("an id").to_owned();
    drop(long);
    testkit::eventually("generation to stop", || async { (busy_slots(addr).await == Some(0)).then_some(()) })
        .await;
    assert_eq!(owner.generation(&id).await["status"], "cancelled");
}
