//! How the clouds are paid: signatures of AWS, checked by AWS' own library with the shapes of our requests; tokens of
//! Google's service accounts and of Microsoft Entra, each fetched once.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::programs::{file, run, variable};
use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Recorded, Script, TestApp};

use crate::dialects::{SCENARIOS, WAYS_IN, path, request};

fn converse() -> Script {
    Script::json(
        200,
        &json!({"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}}),
    )
}

/// Runs the checks of `botocore_check.py` over requests; how many passed.
async fn botocore(requests: &[Recorded]) -> usize {
    let lines: Vec<String> = requests
        .iter()
        .map(|r| {
            json!({"path": r.path(), "headers": r.headers(), "body": STANDARD.encode(r.body())}).to_string()
        })
        .collect();
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command
        .arg(file("clients/botocore_check.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let done = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("Python starts");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(lines.join("\n").as_bytes()).expect("it reads");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    });
    let output = done.await.expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.matches("ok ").count()
}

#[tokio::test]
async fn every_request_to_bedrock_is_one_that_aws_would_send() {
    let upstream = FakeUpstream::start();
    upstream.always(converse());
    let lab = Lab::at("lab", &upstream)
        .set("protocol", "\"bedrock\"")
        .without_key()
        .model("lab/us.anthropic.claude-v1", "1", "2")
        .known_there_as("us.anthropic.claude-v1:0")
        .takes(&["text", "image", "file"]);
    let builder = TestApp::builder().lab(lab).env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    let builder =
        builder.env("AWS_SECRET_ACCESS_KEY", "secret/example+key").env("AWS_REGION", "eu-central-1");
    let app = builder.env("AWS_SESSION_TOKEN", "session==token").start().await;
    let owner = app.owner();
    let model = "lab/us.anthropic.claude-v1";
    for way_in in WAYS_IN {
        for (scenario, word) in SCENARIOS {
            let mut body = request(way_in, model, scenario, word, false);
            if way_in == "chat" {
                body["reasoning"] = json!({"max_tokens": 1500});
                body["temperature"] = json!(0.5);
                body["stop"] = json!(["END"]);
                body["max_tokens"] = json!(4000);
            }
            if way_in == "messages" {
                // Claude is spoken to in its own dialect.
                upstream.push(Script::json(
                    200,
                    &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                    "stop_reason": "end_turn", "content": [{"type": "text", "text": "Hello"}],
                    "usage": {"input_tokens": 3, "output_tokens": 1}}),
                ));
            }
            let request = owner.request("POST", &path(way_in, model, false)).json(&body);
            request.header("anthropic-beta", "context-1m-2025-08-07,unknown-there").send().await.expect(200);
        }
    }
    let own = upstream.requests();
    let invoked = own.iter().find(|r| r.path().ends_with("/invoke")).expect("a call in Claude's own dialect");
    assert_eq!(invoked.json()["anthropic_beta"], json!(["context-1m-2025-08-07"]));
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let structured = json!({"model": model, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "read", "cache_control": {"type": "ephemeral"}},
                {"type": "file", "file": {"filename": "a b.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}], "tool_choice": "required",
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}}});
    owner.chat_request(&structured).send().await.expect(200);
    let requests = upstream.requests();
    assert_eq!(requests.len(), WAYS_IN.len() * SCENARIOS.len() + 1);
    assert!(requests.iter().all(|r| r.header("authorization").is_some()), "each is signed");
    assert_eq!(requests[0].path(), "/v1/model/us.anthropic.claude-v1%3A0/converse");
    assert_eq!(botocore(&requests).await, requests.len());
}

/// A service account's file whose tokens come from `token_uri`.
async fn service_account(folder: &std::path::Path, token_uri: &str) -> String {
    let script = "from cryptography.hazmat.primitives.asymmetric import rsa\n\
        from cryptography.hazmat.primitives import serialization as s\n\
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)\n\
        print(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())";
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.args(["-c", script]);
    let pem = run(command).await;
    let account = json!({"type": "service_account", "project_id": "p", "private_key_id": "k", "private_key": pem,
        "client_email": "robot@p.iam.gserviceaccount.com", "client_id": "1", "auth_uri": token_uri,
        "token_uri": token_uri, "auth_provider_x509_cert_url": token_uri, "client_x509_cert_url": token_uri});
    let path = folder.join("account.json");
    std::fs::write(&path, account.to_string()).expect("the account's file");
    path.display().to_string()
}

fn gemini() -> Script {
    Script::json(
        200,
        &json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]},
        "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}}),
    )
}

/// Asks twice, and tells the paths that were called with what proved the caller.
async fn ask_twice(app: &TestApp, upstream: &FakeUpstream) -> Vec<(String, String)> {
    for _ in 0..2 {
        app.owner().chat("lab/m").await.expect(200);
    }
    let proof = |r: &Recorded| r.header("authorization").unwrap_or_default().to_owned();
    upstream.requests().iter().map(|r| (r.path().to_owned(), proof(r))).collect()
}

#[tokio::test]
async fn a_service_account_opens_vertex_with_one_token() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(|request| match request.path() {
        "/token" => {
            Script::json(200, &json!({"access_token": "ya29.t", "expires_in": 3600, "token_type": "Bearer"}))
        }
        _ => gemini(),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let origin = upstream.base_url().trim_end_matches("/v1").to_owned();
    let account = service_account(folder.path(), &format!("{origin}/token")).await;
    let lab = Lab::at_url("lab", &format!("{origin}/v1/projects/p/locations/eu"))
        .set("protocol", "\"vertex\"")
        .without_key()
        .model("lab/m", "1", "2");
    let app = TestApp::builder().lab(lab).env("GOOGLE_APPLICATION_CREDENTIALS", &account).start().await;
    let called = ask_twice(&app, &upstream).await;
    let model = "/v1/projects/p/locations/eu/publishers/google/models/tiny:generateContent";
    assert_eq!(called.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/token", model, model]);
    assert!(called.iter().skip(1).all(|(_, proof)| proof == "Bearer ya29.t"), "{called:?}");
    let grant = String::from_utf8_lossy(upstream.requests()[0].body()).into_owned();
    assert!(grant.contains("jwt-bearer") && grant.contains("assertion="), "{grant}");
}

#[tokio::test]
async fn an_application_of_entra_opens_azure_with_one_token() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(|request| match request.path().ends_with("/oauth2/v2.0/token") {
        true => {
            Script::json(200, &json!({"access_token": "eyJ.t", "expires_in": 3600, "token_type": "Bearer"}))
        }
        false => Script::chat("Hello", testkit::Tokens::new(3, 1)),
    });
    let origin = upstream.base_url().trim_end_matches("/v1").to_owned();
    let lab = Lab::at_url("lab", &format!("{origin}/openai"))
        .set("protocol", "\"azure\"")
        .without_key()
        .model("lab/m", "1", "2");
    let builder =
        TestApp::builder().lab(lab).env("AZURE_TENANT_ID", "tenant").env("AZURE_CLIENT_ID", "client");
    let builder = builder.env("AZURE_CLIENT_SECRET", "s3cret&more").env("AZURE_AUTHORITY_HOST", &origin);
    let app = builder.start().await;
    let called = ask_twice(&app, &upstream).await;
    let deployment = "/openai/deployments/tiny/chat/completions";
    let paths: Vec<&str> = called.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths.first(), Some(&"/tenant/oauth2/v2.0/token"));
    assert!(paths.iter().skip(1).all(|path| path.starts_with(deployment)) && paths.len() == 3, "{paths:?}");
    assert!(called.iter().skip(1).all(|(_, proof)| proof == "Bearer eyJ.t"), "{called:?}");
    let form = String::from_utf8_lossy(upstream.requests()[0].body()).into_owned();
    assert!(form.contains("client_secret=s3cret%26more") && form.contains("client_credentials"), "{form}");
}

#[tokio::test]
async fn credentials_that_are_refused_are_said_without_being_told() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::json(
        401,
        &json!({"error": "invalid_client", "error_description": "s3cret is wrong"}),
    ));
    let origin = upstream.base_url().trim_end_matches("/v1").to_owned();
    let lab = Lab::at_url("lab", &format!("{origin}/openai/v1"))
        .set("protocol", "\"azure\"")
        .without_key()
        .model("lab/m", "1", "2");
    let builder =
        TestApp::builder().lab(lab).env("AZURE_TENANT_ID", "tenant").env("AZURE_CLIENT_ID", "client");
    let app = builder.env("AZURE_CLIENT_SECRET", "s3cret").env("AZURE_AUTHORITY_HOST", &origin).start().await;
    let reply = app.owner().chat("lab/m").await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    let body: Value = reply.json();
    let message = body["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("Entra") && message.contains("401") && !message.contains("s3cret"), "{message}");
}

#[tokio::test]
async fn claude_on_vertex_is_named_by_the_path_and_not_by_the_body() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::json(
        200,
        &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 3, "output_tokens": 1}}),
    ));
    let origin = upstream.base_url().trim_end_matches("/v1").to_owned();
    // At the provider that has Gemini, too, Claude is spoken to in its own dialect.
    for protocol in ["\"vertex-anthropic\"", "\"vertex\""] {
        let lab = Lab::at_url("lab", &format!("{origin}/v1/projects/p/locations/eu"))
            .set("protocol", protocol)
            .model("lab/m", "1", "2")
            .known_there_as("claude-sonnet-4@20260101");
        let app = TestApp::builder().lab(lab).start().await;
        for way_in in WAYS_IN {
            let body = request(way_in, "lab/m", "text", "hello", false);
            app.owner().request("POST", &path(way_in, "lab/m", false)).json(&body).send().await.expect(200);
            let requests = upstream.requests();
            let sent = requests.last().expect("a request");
            let model = "/publishers/anthropic/models/claude-sonnet-4@20260101:rawPredict";
            assert!(sent.path().ends_with(model), "{protocol}: {}", sent.path());
            let body = sent.json();
            assert_eq!((&body["anthropic_version"], body.get("model")), (&json!("vertex-2023-10-16"), None));
            assert_eq!(sent.header("anthropic-version"), None);
        }
    }
}
