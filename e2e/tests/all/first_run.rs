//! The first minute: an empty folder, a key printed once, and a curl that works as printed.

use testkit::{FakeUpstream, Gate, Script, TestApp, sse};

#[tokio::test]
async fn the_key_is_printed_once_and_the_printed_curl_works() {
    let mut app = TestApp::builder().first_start().start().await;
    let greeting = || async { Some(app.stdout()).filter(|printed| printed.contains("curl ")) };
    let printed = testkit::eventually("the greeting", greeting).await;
    let key = keys_in(&printed).pop().unwrap_or_else(|| panic!("no key on standard output:\n{printed}"));
    assert_eq!(keys_in(&printed).iter().filter(|k| **k != key).count(), 0, "one key only:\n{printed}");
    assert!(!app.log().contains(&key), "the key never enters the log");

    let at = printed.find("curl ").unwrap_or_else(|| panic!("no curl in:\n{printed}"));
    let command = shell_command(&printed[at..]);
    let script = command.clone();
    let run =
        tokio::task::spawn_blocking(move || std::process::Command::new("sh").arg("-c").arg(script).output());
    let output = testkit::within("curl", run).await.expect("join").expect("run sh");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    let streamed = sse::events(said.as_bytes());
    let answered = said.contains("\"choices\"") && !said.contains("\"error\"");
    assert!(answered, "an answer without any provider key: {said}");
    assert!(streamed.is_empty() || said.contains("[DONE]"), "{said}");

    app.with_key(&key).chat("sandbox/echo").await.expect(200);
    app.settled().await;
    app.restart().await;
    assert!(keys_in(&app.stdout()).is_empty(), "a second start prints no key:\n{}", app.stdout());
    app.with_key(&key).chat("sandbox/echo").await.expect(200);
}

#[tokio::test]
async fn a_given_key_is_not_printed() {
    let app = TestApp::builder().start().await;
    let both = app.stdout() + &app.log();
    assert!(!both.contains(testkit::app::OWNER_KEY), "{both}");
    app.owner().chat("sandbox/echo").await.expect(200);
}

/// Every word that looks like a key.
fn keys_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    words.filter(|word| word.starts_with("sk-tw-v1-")).map(str::to_owned).collect()
}

/// The command at the start of `text`: its line, and those after a backslash or inside open quotes.
fn shell_command(text: &str) -> String {
    let mut command = String::new();
    for line in text.lines() {
        command.push_str(line);
        command.push('\n');
        let quotes = command.matches('\'').count();
        if !line.trim_end().ends_with('\\') && quotes.is_multiple_of(2) {
            break;
        }
    }
    command
}

#[tokio::test]
async fn health_and_the_first_page_are_open_to_all() {
    let app = TestApp::builder().start().await;
    let anonymous = app.anonymous();
    anonymous.get("/healthz").await.expect(200);
    anonymous.get("/readyz").await.expect(200);
    let page = anonymous.get("/").await.expect(200);
    assert!(page.header("content-type").is_some_and(|v| v.starts_with("text/html")), "{:?}", page.headers);
    assert!(page.header("content-security-policy").is_some(), "{:?}", page.headers);
    let text = page.text();
    for part in ["curl", "catalog.json", "Tollway"] {
        assert!(text.contains(part), "the first page shows {part}");
    }
    assert_ne!(anonymous.get("/metrics").await.status, 200, "metrics are not for everyone");
}

#[tokio::test]
async fn a_bad_configuration_refuses_to_start_and_says_why() {
    let app = TestApp::builder().start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tollway.toml");
    let rows = [
        ("[server]\nlisten = \"127.0.0.1:0\"\nbody_bytes = 5\n", vec!["body_bytes", "body_bytes_max"]),
        ("[billing]\nmode = \"gratis\"\n", vec!["billing.mode", "gratis", "metered", "prepaid"]),
        ("[store]\nredis_url = \"redis://x\"\n", vec!["redis_url"]),
        ("[providers.lab]\nprotocol = \"smoke-signals\"\n", vec!["protocol", "smoke-signals", "openai"]),
    ];
    for (text, words) in rows {
        std::fs::write(&file, text).expect("write");
        let output = app.cli_raw(&["check", "--config", &file.to_string_lossy()]).await;
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{text}");
        for word in words {
            assert!(said.contains(word), "`{word}` is missing in: {said}");
        }
    }
}

#[tokio::test]
async fn a_stop_lets_streams_finish() {
    let upstream = FakeUpstream::start();
    let mut app = TestApp::with(&upstream).await;
    let gate = Gate::new();
    upstream.push(
        Script::words(&["before"])
            .wait_for(&gate)
            .event(&testkit::upstream::chunk_body(serde_json::json!({ "content": " after" }), Some("stop")))
            .done(),
    );
    let mut body = app.owner().stream("lab/tiny").await;
    assert!(body.event().await.is_some());
    app.sigterm();
    let addr = app.addr();
    testkit::eventually("the listener to close", || async {
        tokio::net::TcpStream::connect(addr).await.is_err().then_some(())
    })
    .await;
    gate.open();
    let reply = body.rest().await;
    assert!(reply.text().contains("after") && reply.text().contains("[DONE]"), "{}", reply.text());
    assert!(app.exited().await.success(), "{}", app.log());
}
