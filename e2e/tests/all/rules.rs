//! Policies and presets: written over the API and on the command line, in force with the next request, and kept.

mod presets;

use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::app::Actor;
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens};

/// A provider with two models, a caller's key and a manager's.
pub(crate) struct Shop {
    pub(crate) upstream: FakeUpstream,
    pub(crate) app: TestApp,
    pub(crate) manager: Actor,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        let upstream = FakeUpstream::start();
        upstream.always(Script::chat("Hello", Tokens::new(3, 1)));
        let lab = Lab::at("lab", &upstream).model("lab/one", "1", "2").model("lab/two", "1", "2");
        let app = TestApp::builder().lab(lab).start().await;
        let (manager, _) = app.new_key(&["--management"]).await;
        Shop { upstream, app, manager }
    }

    /// What the provider was asked last.
    pub(crate) fn last_request(&self) -> Value {
        self.upstream.requests().last().expect("a request").json()
    }

    /// Writes a file beside the server.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.app.data_dir().join(name);
        std::fs::write(&path, text).expect("write a file");
        path.to_string_lossy().into_owned()
    }
}

fn chain(model: &str) -> Value {
    json!({"strategy": "fallback", "models": [model]})
}

async fn put(actor: &Actor, path: &str, body: &Value) -> testkit::http::Reply {
    actor.request("PUT", path).json(body).send().await
}

#[tokio::test]
async fn a_policy_is_written_read_edited_and_deleted() {
    let shop = Shop::open().await;
    let (owner, manager) = (shop.app.owner(), &shop.manager);
    let made = manager
        .post("/v1/policies", &json!({"name": "chain", "strategy": "fallback", "models": ["lab/one"]}))
        .await;
    let made = made.expect(201);
    assert_eq!(made.header("etag"), Some("\"1\""));
    let data = made.json()["data"].clone();
    assert_eq!(
        (&data["id"], &data["version"], &data["policy"]),
        (&json!("policy/chain"), &json!(1), &chain("lab/one"))
    );
    let again = manager
        .post("/v1/policies", &json!({"name": "chain", "strategy": "fallback", "models": ["lab/one"]}))
        .await;
    assert_eq!(again.expect(409).json()["error"]["type"], "already_exists");
    for actor in [&owner, manager] {
        let shown = actor.get("/api/v1/policies/chain").await.expect(200);
        assert_eq!(shown.json()["data"], data, "any key of the account reads");
    }
    let edited = put(manager, "/v1/policies/chain", &chain("lab/two")).await.expect(200);
    assert_eq!((edited.json()["data"]["version"].as_u64(), edited.header("etag")), (Some(2), Some("\"2\"")));
    let listed = owner.get("/v1/policies").await.expect(200).json();
    assert_eq!((listed["total_count"].as_u64(), &listed["data"][0]["policy"]), (Some(1), &chain("lab/two")));
    let versions = owner.get("/v1/policies/chain/versions").await.expect(200).json();
    let numbers: Vec<_> =
        versions["data"].as_array().expect("a list").iter().map(|v| v["version"].clone()).collect();
    assert_eq!((numbers, &versions["data"][1]["policy"]), (vec![json!(2), json!(1)], &chain("lab/one")));
    assert_eq!(manager.request("DELETE", "/v1/policies/chain").send().await.expect(200).json()["version"], 3);
    for gone in ["/v1/policies/chain", "/v1/policies/none/versions"] {
        assert_eq!(owner.get(gone).await.expect(404).json()["error"]["type"], "policy_not_found", "{gone}");
    }
    let after = owner.get("/v1/policies/chain/versions").await.expect(200).json();
    assert_eq!((&after["data"][0]["deleted"], &after["data"][0]["policy"]), (&json!(true), &Value::Null));
    let back = put(manager, "/v1/policies/chain", &chain("lab/one")).await;
    assert_eq!(back.json()["data"]["version"], 4, "{}", back.text());
}

#[tokio::test]
async fn an_edit_acts_on_the_next_request() {
    let shop = Shop::open().await;
    let owner = shop.app.owner();
    let unknown = owner.chat("policy/chain").await.expect(404);
    assert_eq!(unknown.json()["error"]["type"], "policy_not_found");
    for model in ["lab/one", "lab/two", "lab/one"] {
        let written = put(&shop.manager, "/v1/policies/chain", &chain(model)).await;
        assert!(written.status < 300, "{}", written.text());
        let reply = owner.chat("policy/chain").await.expect(200);
        assert_eq!(reply.header("x-tollway-model"), Some(model));
    }
    shop.manager.request("DELETE", "/v1/policies/chain").send().await.expect(200);
    owner.chat("policy/chain").await.expect(404);
}

#[tokio::test]
async fn who_expects_another_version_changes_nothing() {
    let shop = Shop::open().await;
    let path = "/v1/policies/chain";
    let matched = |version: &'static str, model: &str| {
        shop.manager.request("PUT", path).json(&chain(model)).header("if-match", version).send()
    };
    assert_eq!(matched("*", "lab/one").await.expect(412).json()["error"]["type"], "version_mismatch");
    put(&shop.manager, path, &chain("lab/one")).await.expect(201);
    matched("\"1\"", "lab/two").await.expect(200);
    matched("*", "lab/one").await.expect(200);
    let late = matched("\"2\"", "lab/two").await.expect(412);
    assert!(late.text().contains("at version 3"), "{}", late.text());
    matched("soon", "lab/two").await.expect(400);
    let delete = shop.manager.request("DELETE", path).header("if-match", "\"1\"").send().await;
    delete.expect(412);
    assert_eq!(shop.app.owner().get(path).await.json()["data"]["policy"], chain("lab/one"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place_and_the_remedy() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/policies/chain", &chain("lab/one")).await.expect(201);
    let rows = [
        (
            "/v1/policies/chain",
            json!({"strategy": "fallback", "models": ["lab/onee"]}),
            "models[0]",
            "did you mean `lab/one`",
        ),
        ("/v1/policies/chain", json!({"strategy": "fallback"}), "models", ""),
        ("/v1/policies/chain", json!({"strategy": "best", "models": ["lab/one"]}), "strategy", ""),
        (
            "/v1/policies/chain",
            json!({"name": "other", "strategy": "fallback", "models": ["lab/one"]}),
            "name",
            "must be `chain`",
        ),
        ("/v1/policies/Chain", chain("lab/one"), "", "a-z, 0-9"),
        (
            "/v1/presets/p",
            json!({"config": {"temperature": "hot"}}),
            "config.temperature",
            "must be a number",
        ),
        ("/v1/presets/p", json!({"config": {"model": "lab/onee"}}), "config.model", "did you mean `lab/one`"),
        ("/v1/presets/p", json!({"config": {"messages": []}}), "config.messages", "leave it out"),
        ("/v1/presets/p", json!({"temperature": 1}), "temperature", "it belongs into `config`"),
        ("/v1/presets/p", json!([]), "", "not a JSON object"),
    ];
    for (path, body, place, words) in rows {
        let refused = put(&shop.manager, path, &body).await.expect(400);
        let error = refused.json()["error"].clone();
        assert_eq!(error["metadata"]["path"], place, "{path} {body}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "{body}: {error}");
    }
    let reply = shop.app.owner().chat("policy/chain").await.expect(200);
    assert_eq!(reply.header("x-tollway-model"), Some("lab/one"), "what was refused changed nothing");
    let nameless = shop.manager.post("/v1/presets", &json!({"config": {}})).await.expect(400);
    assert_eq!(nameless.json()["error"]["metadata"]["path"], "slug");
}

#[tokio::test]
async fn writing_takes_a_management_key_and_accounts_are_apart() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/policies/chain", &chain("lab/one")).await.expect(201);
    put(&shop.manager, "/v1/presets/support", &json!({"config": {"model": "lab/one"}})).await.expect(201);
    let owner = shop.app.owner();
    for (method, path) in [
        ("POST", "/v1/policies"),
        ("PUT", "/v1/policies/chain"),
        ("DELETE", "/v1/policies/chain"),
        ("POST", "/v1/presets"),
        ("PUT", "/v1/presets/support"),
        ("DELETE", "/v1/presets/support"),
        ("POST", "/v1/presets/support/chat/completions"),
    ] {
        let refused = owner.request(method, path).json(&chain("lab/two")).send().await.expect(403);
        assert_eq!(refused.json()["error"]["type"], "wrong_key_kind", "{method} {path}");
        shop.app.anonymous().request(method, path).json(&json!({})).send().await.expect(401);
    }
    shop.app.anonymous().get("/v1/policies").await.expect(401);
    let ids = |reply: &testkit::http::Reply| -> Vec<String> {
        let models = reply.json();
        let all = models["data"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect()
    };
    let count = |reply: testkit::http::Reply| reply.json()["data"]["count"].as_u64().unwrap_or(0);
    let (with, without) = (owner.get("/v1/models").await, shop.app.anonymous().get("/v1/models").await);
    for name in ["policy/chain", "@preset/support"] {
        assert!(ids(&with).contains(&name.to_owned()), "{name}");
        assert!(!ids(&without).contains(&name.to_owned()), "{name}");
    }
    assert!(
        with.header("cache-control").is_some_and(|value| value.contains("private")),
        "{:?}",
        with.headers
    );
    let counts = (
        count(owner.get("/v1/models/count").await),
        count(shop.app.anonymous().get("/v1/models/count").await),
    );
    assert_eq!((counts.0, counts.0 - counts.1), (ids(&with).len() as u64, 2));
    let listed = with.json();
    let mine =
        listed["data"].as_array().expect("a list").iter().find(|model| model["id"] == "@preset/support");
    assert_eq!(mine.expect("the preset")["pricing"]["prompt"], "-1");
}

#[tokio::test]
async fn the_command_line_writes_beside_a_running_server() {
    let shop = Shop::open().await;
    let (owner, app) = (shop.app.owner(), &shop.app);
    let file = shop.file("chain.json", &chain("lab/one").to_string());
    let written = app.cli(&["policies", "set", "chain", &file]).await;
    assert_eq!((&written["version"], &written["updated_by"]), (&json!(1), &json!("cli")));
    let model_of = |reply: &testkit::http::Reply| reply.header("x-tollway-model").map(str::to_owned);
    let until = |model: &'static str| {
        let owner = owner.clone();
        async move {
            testkit::eventually("the edit to act", || async {
                let reply = owner.chat("policy/chain").await;
                (model_of(&reply).as_deref() == Some(model)).then_some(())
            })
            .await;
        }
    };
    until("lab/one").await;
    let file = shop.file("chain.json", &chain("lab/two").to_string());
    app.cli(&["policies", "set", "chain", &file]).await;
    until("lab/two").await;
    for (kind, text, words) in [
        ("policies", chain("lab/onee").to_string(), "did you mean `lab/one`"),
        ("policies", "{".to_owned(), "was not written"),
        ("presets", json!({"config": {"stream": true}}).to_string(), "config.stream"),
    ] {
        let file = shop.file("bad.json", &text);
        let output = app.cli_raw(&[kind, "set", "chain", &file]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let shown = app.cli_raw(&["policies", "show", "chain"]).await;
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).expect("as written"), chain("lab/two"));
    assert_eq!(app.cli(&["policies", "list"]).await["policies"][0]["version"], 2);
    app.cli(&["policies", "delete", "chain"]).await;
    testkit::eventually("the policy to be gone", || async {
        (owner.chat("policy/chain").await.status == 404).then_some(())
    })
    .await;
    let versions = app.cli(&["policies", "versions", "chain"]).await;
    assert_eq!(
        (versions["versions"].as_array().map(Vec::len), &versions["versions"][0]["deleted"]),
        (Some(3), &json!(true))
    );
    let nobody = app.cli_raw(&["policies", "list", "--account", "acct_nobody"]).await;
    assert!(nobody.status.success() && String::from_utf8_lossy(&nobody.stdout).contains("no policies yet"));
}

#[tokio::test]
async fn a_restart_keeps_them() {
    let mut shop = Shop::open().await;
    put(&shop.manager, "/v1/policies/chain", &chain("lab/two")).await.expect(201);
    put(&shop.manager, "/v1/presets/support", &json!({"config": {"model": "lab/two", "seed": 7}}))
        .await
        .expect(201);
    shop.app.settled().await;
    shop.app.restart().await;
    let owner = shop.app.owner();
    assert_eq!(owner.chat("policy/chain").await.expect(200).header("x-tollway-model"), Some("lab/two"));
    owner.chat("@preset/support").await.expect(200);
    assert_eq!(shop.last_request()["seed"], 7);
    assert_eq!(
        owner.get("/v1/presets/support").await.expect(200).json()["data"]["designated_version_id"],
        "support@1"
    );
}

#[tokio::test]
async fn the_commands_of_the_documentation_run_as_printed() {
    let shop = Shop::open().await;
    let page = include_str!("../../../docs/presets.md").replace("http://127.0.0.1:8080", &shop.app.url());
    let commands: Vec<String> = page
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect();
    assert_eq!(commands.len(), 6);
    let key = |actor: &Actor| actor.key().unwrap_or_default().to_owned();
    let (manager, owner) = (key(&shop.manager), key(&shop.app.owner()));
    for command in commands {
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(&command).env("TOLLWAY_KEY", &owner).env("TOLLWAY_MANAGEMENT_KEY", &manager);
        let run = tokio::task::spawn_blocking(move || shell.output());
        let output = testkit::within("curl", run).await.expect("join").expect("run sh");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}\n{said}");
    }
    assert_eq!(
        shop.app.owner().get("/v1/presets/support").await.json()["data"]["designated_version"]["version"],
        2
    );
}
