//! Keys planted as canaries: theirs and ours, in everything that a run of the program writes and answers.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::app::Actor;
use testkit::{Script, ask, ask_stream};

use super::{MINE, OURS, Shop, answer, key_of};

const BAD: &str = "sk-bad-canary-dddddddddddd";
const FORCED: &str = "sk-mine-canary-eeeeeeeeee";
const TYPO: &str = "sk-typo-canary-ffffffffff";

/// A text as it stands, in hexadecimal, and in each of the three alignments of base64.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex];
    for skipped in 0..3 {
        // Whole groups of three bytes from here on look the same wherever the text begins.
        let inner = &secret.as_bytes()[skipped..];
        forms.push(base64(&inner[..inner.len() / 3 * 3]));
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]))
    });
    groups.collect()
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push((path.display().to_string(), fs::read(&path).unwrap_or_default())),
        }
    }
}

/// Calls everything that could repeat a key.
async fn call_everything(shop: &Shop, said: &mut Vec<(String, Vec<u8>)>) {
    let (owner, manager) = (shop.app.owner(), &shop.manager);
    let mut note = |what: &str, reply: testkit::Reply| {
        let headers = format!("{:?}", reply.headers);
        said.push((what.to_owned(), [headers.as_bytes(), reply.text().as_bytes()].concat()));
        reply
    };
    let post = async |actor: &Actor, path: &str, body: &Value| actor.post(path, body).await;
    let made = note("bring", post(manager, "/v1/byok", &json!({"provider": "lab", "key": MINE})).await);
    let id = made.json()["data"]["id"].as_str().expect("an id").to_owned();
    note("refused", post(manager, "/v1/byok", &json!({"provider": "lab", "key": BAD})).await);
    note("forced", post(manager, "/v1/byok?force=true", &json!({"provider": "shut", "key": BAD})).await);
    note(
        "sorted",
        post(manager, "/v1/byok", &json!({"provider": "lab", "key": FORCED, "sort_order": 5})).await,
    );
    for wrong in [
        json!({"provider": TYPO, "key": MINE}),
        json!({"provider": "lab", "key": [TYPO]}),
        json!({"provider": "lab", "key": {"api_key": TYPO}}),
        json!({"provider": "lab", "key": MINE, "disabled": TYPO}),
        json!({"provider": "lab", "key": MINE, TYPO: 1}),
        json!({"provider": "lab", "key": format!("{TYPO}\u{0}")}),
        json!({"provider": "lab", "key": MINE, "base_url": format!("https://{TYPO}@127.0.0.1/")}),
        json!([TYPO]),
    ] {
        note("wrong", post(manager, "/v1/byok", &wrong).await);
    }
    let path = format!("/v1/byok/{id}");
    note("edit", manager.request("PATCH", &path).json(&json!({"key": MINE, "name": "n"})).send().await);
    for path in [
        "/v1/byok",
        &path,
        "/v1/byok/strategy",
        "/v1/byok/settings",
        "/v1/key",
        "/v1/credits",
        "/metrics",
        "/v1/activity",
    ] {
        note(path, manager.get(path).await);
    }
    for path in ["/", "/v1/models", "/v1/providers", "/catalog.json", "/api.json", "/v1/policies", "/readyz"]
    {
        note(path, owner.get(path).await);
    }
    for model in ["lab/cent", "shut/cent"] {
        let mut body = ask(model);
        body["debug"] = json!({"echo_upstream_body": true});
        let reply = note(model, owner.chat_request(&body).header("x-tollway-metadata", "1").send().await);
        note("stream", owner.chat_request(&ask_stream(model)).send().await);
        note("route", post(&owner, "/v1/route", &ask(model)).await);
        if reply.status == 200 {
            let record = owner.generation(&reply.generation_id()).await;
            note("record", owner.get(&format!("/v1/generation?id={}", reply.generation_id())).await);
            assert!(record["id"].is_string());
        }
    }
    // A provider that repeats the operator's own key in an error.
    shop.upstream.answer_with(|request| match request.method() {
        "POST" => Script::json(
            401,
            &json!({"error": {"message": format!("bad key {}", key_of(request)), "code": key_of(request)}}),
        ),
        _ => answer(request),
    });
    note("repeated", owner.chat("lab/cent").await);
    note("repeated stream", owner.chat_request(&ask_stream("lab/cent")).send().await);
    shop.upstream.answer_with(answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_ever_written_or_told() {
    let mut shop = Shop::with(|builder| builder.env("TOLLWAY_LOG", "trace")).await;
    let mut said = Vec::new();
    call_everything(&shop, &mut said).await;
    let key = shop.file("canary-in", FORCED);
    for words in [
        &["byok", "add", "lab", "--file", &key][..],
        &["byok", "add", "nobody", "--file", &key],
        &["byok", "list"],
        &["byok", "rotate", "--new-key"],
        &["keys", "list"],
        &["check"],
        &["ledger", "verify"],
    ] {
        let output = shop.app.cli_raw(words).await;
        said.push((words.join(" "), [output.stdout, output.stderr].concat()));
    }
    fs::remove_file(&key).expect("the test's own file");
    shop.app.settled().await;
    // What is only in memory has to be written, too.
    shop.app.sigterm();
    shop.app.exited().await;
    shop.app.restart().await;
    shop.app.owner().chat("lab/cent").await.expect(200);
    shop.app.settled().await;
    said.push(("log".to_owned(), shop.app.log().into_bytes()));
    said.push(("stdout".to_owned(), shop.app.stdout().into_bytes()));
    files(&shop.app.data_dir(), &mut said);
    let said: Vec<(String, String)> =
        said.into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect();
    let names: Vec<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.iter().any(|name| name.ends_with("tollway.db")), "the database was searched: {names:?}");
    assert!(shop.app.log().lines().count() > 3, "the log was a log: {}", shop.app.log());
    let ours = shop.manager.key().expect("a key").to_owned();
    for secret in [MINE, BAD, FORCED, TYPO, OURS, testkit::app::OWNER_KEY, &ours] {
        for form in forms(secret) {
            for (name, text) in &said {
                assert!(!text.contains(&form), "{form} stands in {name}");
            }
        }
    }
    assert!(forms("abc").contains(&"616263".to_owned()) && forms("abc").contains(&"YWJj".to_owned()));
}
