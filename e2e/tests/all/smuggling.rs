//! Requests that two servers could read in two ways. None of them may hide a second request from us.

use testkit::{FakeUpstream, Lab, TestApp, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A gateway that soon closes a connection on which nothing comes.
async fn impatient(upstream: Option<&FakeUpstream>) -> TestApp {
    let builder = TestApp::builder().set("server.header_read_timeout_ms", "500");
    match upstream {
        Some(upstream) => builder.lab(Lab::at("lab", upstream).model("lab/tiny", "1", "2")).start().await,
        None => builder.start().await,
    }
}

/// What a smuggler wants served: a request inside the body of another.
const HIDDEN: &str = "GET /v1/models/count HTTP/1.1\r\nhost: x\r\n\r\n";

/// Writes all of it and reads until the server closes, which it does soon on a connection where nothing more comes.
async fn exchange(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.addr()).await.expect("connect");
    // The server may close while we write: what it said counts.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let what =
        format!("the server to close after {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
    let _ = within(&what, stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test]
async fn ambiguous_requests_are_refused() {
    let upstream = FakeUpstream::start();
    let app = impatient(Some(&upstream)).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n",
        testkit::app::OWNER_KEY
    );
    let hidden = HIDDEN.len();
    let rows: Vec<(&str, String)> = vec![
        (
            "length and chunked",
            format!("content-length: {hidden}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
        ),
        (
            "chunked and length",
            format!("transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{HIDDEN}"),
        ),
        ("two lengths", format!("content-length: 0\r\ncontent-length: {hidden}\r\n\r\n{HIDDEN}")),
        ("a list of lengths", format!("content-length: 0, {hidden}\r\n\r\n{HIDDEN}")),
        ("a signed length", format!("content-length: +{hidden}\r\n\r\n{HIDDEN}")),
        ("a negative length", format!("content-length: -1\r\n\r\n{HIDDEN}")),
        ("a long length", format!("content-length: 18446744073709551617\r\n\r\n{HIDDEN}")),
        ("an unknown coding", format!("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("chunked not last", format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("a space before the colon", format!("content-length : {hidden}\r\n\r\n{HIDDEN}")),
        ("a folded header", format!("x-a: b\r\n content-length: {hidden}\r\n\r\n{HIDDEN}")),
        ("NUL in a value", format!("x-a: b\0c\r\n\r\n{HIDDEN}")),
        ("a bare CR in a value", format!("x-a: b\rcontent-length: {hidden}\r\n\r\n{HIDDEN}")),
        ("a bad chunk size", format!("transfer-encoding: chunked\r\n\r\nzz\r\n{HIDDEN}")),
        ("a long chunk size", format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{HIDDEN}")),
        ("a header without a name", format!(": x\r\ncontent-length: 0\r\n\r\n{HIDDEN}")),
    ];
    for (name, rest) in rows {
        let text = exchange(&app, format!("{head}{rest}").as_bytes()).await;
        assert_eq!(answers(&text), 1, "{name}: one answer and the end:\n{text}");
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('4'), "{name}: {text}");
    }
    assert_eq!(upstream.request_count(), 0);
    app.owner().chat("lab/tiny").await.expect(200);
}

#[tokio::test]
async fn bare_line_feeds_hide_nothing() {
    let upstream = FakeUpstream::start();
    let app = impatient(Some(&upstream)).await;
    let rows = [
        format!("GET /v1/nowhere HTTP/1.1\nhost: x\ncontent-length: {}\n\n{HIDDEN}", HIDDEN.len()),
        format!(
            "GET /v1/nowhere HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\nxx\n0\n\n{HIDDEN}"
        ),
    ];
    for bytes in rows {
        let text = exchange(&app, bytes.as_bytes()).await;
        assert!(answers(&text) <= 1 && !text.contains("200 OK"), "{bytes}\n{text}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let app = impatient(None).await;
    let rows: [(&str, Vec<u8>); 6] = [
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("zeros", vec![0; 4096]),
        ("no version", b"GET /\r\n\r\n".to_vec()),
        ("a strange version", b"GET / HTTP/9.9\r\nhost: x\r\n\r\n".to_vec()),
        ("a strange method", b"G\x00T / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
        ("a path with spaces", b"GET /a b c HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
    ];
    for (name, bytes) in rows {
        let text = exchange(&app, &bytes).await;
        assert!(!text.contains(" 200 "), "{name}: {text}");
    }
    app.anonymous().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let app = impatient(None).await;
    let rows = [
        "",
        "GET /heal",
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\n",
    ];
    for said in rows {
        let text = exchange(&app, said.as_bytes()).await;
        assert_eq!(answers(&text), usize::from(said.contains("\r\n\r\n")), "after {said:?}: {text}");
    }
}

#[tokio::test]
async fn large_heads_are_refused() {
    let app = impatient(None).await;
    let long = "x".repeat(64 * 1024);
    let many: String = (0..5000).map(|n| format!("x-{n}: y\r\n")).collect();
    let rows = [
        ("a header of 64 KB", format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n")),
        ("a path of 64 KB", format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n")),
        ("5,000 headers", format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n")),
    ];
    for (name, bytes) in rows {
        let text = exchange(&app, bytes.as_bytes()).await;
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(["431", "414", "400"].contains(&status), "{name}: {text}");
    }
    app.anonymous().get("/healthz").await.expect(200);
}
