//! Who is told when the catalog in place becomes another one.

use std::fs;

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp, Tokens, ask};

use crate::people::newcomer;

struct House {
    app: TestApp,
    manager: Actor,
    receiver: FakeUpstream,
    _upstream: FakeUpstream,
}

/// Two models at one provider, and a webhook of the owner's.
async fn house() -> House {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("ab", Tokens::new(20, 10)));
    let app = TestApp::builder()
        .lab(Lab::at("lab", &upstream).model("lab/one", "1", "2").model("lab/two", "3", "4"))
        .set("upstream.fetch_private", "true")
        .set("people.sign_up", "\"open\"")
        .start()
        .await;
    let made = app.cli(&["keys", "create", "--name", "manager", "--management"]).await;
    let manager = app.with_key(made["key"].as_str().expect("a key"));
    testkit::eventually("the management key to be known", || async {
        (manager.get("/v1/keys").await.status == 200).then_some(())
    })
    .await;
    let receiver = FakeUpstream::start();
    receiver.always(Script::error(200, "taken", None));
    let hook = json!({"url": format!("{}/hook", receiver.base_url()), "kinds": ["model.price_changed", "model.deprecated"]});
    manager.post("/v1/webhooks", &hook).await.expect(201);
    House { app, manager, receiver, _upstream: upstream }
}

impl House {
    /// Changes the configuration under the running server.
    fn edit(&self, from: &str, to: &str) {
        let file = self.app.data_dir().with_file_name("tollway.toml");
        let text = fs::read_to_string(&file).expect("the configuration");
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replacen(from, to, 1)).expect("write");
    }

    async fn alerts(&self, of: &Actor, count: usize) -> Vec<Value> {
        testkit::eventually("alerts to be written down", || async {
            let alerts = of.get("/v1/alerts").await.expect(200).json()["data"].as_array()?.clone();
            (alerts.len() == count).then_some(alerts)
        })
        .await
    }

    /// What the webhook was told, when that was so much: a notice may come twice under its id where the server ended before it knew that it
    /// had come.
    async fn notices(&self, count: usize) -> Vec<Value> {
        let mut told: Vec<(String, Value)> = Vec::new();
        let mut seen = 0;
        while told.len() < count {
            let notice = self.receiver.request(seen).await;
            let id = notice.header("webhook-id").expect("an id").to_owned();
            if !told.iter().any(|(known, _)| *known == id) {
                told.push((id, notice.json()));
            }
            seen += 1;
        }
        told.into_iter().map(|(_, notice)| notice).collect()
    }

    fn mails(&self, subject: &str) -> usize {
        self.app.log().lines().filter(|line| line.contains(" mail: ") && line.contains(subject)).count()
    }

    async fn used(&self, who: &Actor, model: &str) {
        who.chat_request(&ask(model)).send().await.expect(200);
        testkit::eventually("the call to be in the books", || async {
            let activity = self.manager.get("/v1/activity").await.body;
            String::from_utf8_lossy(&activity).contains(model).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn those_who_use_a_model_are_told_of_its_price_once() {
    let mut house = house().await;
    house.used(&house.app.owner(), "lab/one").await;
    // Somebody else, who has used nothing.
    let (stranger, _) = newcomer(&house.app, "ada@example.com").await;
    house.edit("output_usd_per_mtok = \"2\"", "output_usd_per_mtok = \"3\"");
    let alerts = house.alerts(&house.manager, 1).await;
    assert_eq!(alerts[0]["type"], "model.price_changed", "{alerts:?}");
    let data = &alerts[0]["data"];
    assert_eq!((&data["model"], &data["endpoint"]), (&json!("lab/one"), &json!("lab/one")));
    let change = &data["changes"][0];
    assert_eq!(
        (&change["price"], &change["old"], &change["new"], &change["percent"]),
        (&json!("output_usd_per_mtok"), &json!("2"), &json!("3"), &json!("+50.0"))
    );
    house.notices(1).await;
    testkit::eventually("the mail", || async {
        (house.mails("The price of lab/one at lab changed") == 1).then_some(())
    })
    .await;
    // A model that nobody has used changes too; then one that is used again, and the server starts anew with it.
    house.edit("input_usd_per_mtok = \"3\"", "input_usd_per_mtok = \"5\"");
    house.app.restart().await;
    // It listens elsewhere now.
    house.manager = house.app.with_key(house.manager.key().expect("a key"));
    let stranger = house.app.with_key(stranger.key().expect("a session"));
    house.edit("output_usd_per_mtok = \"3\"", "output_usd_per_mtok = \"6\"");
    let alerts = house.alerts(&house.manager, 2).await;
    let old: Vec<&Value> = alerts.iter().map(|alert| &alert["data"]["changes"][0]["old"]).collect();
    assert_eq!(old, [&json!("3"), &json!("2")], "each change once, the newest first");
    let told = house.notices(2).await.remove(1);
    assert_eq!(
        (&told["type"], &told["data"]["changes"][0]["new"]),
        (&json!("model.price_changed"), &json!("6"))
    );
    assert!(house.alerts(&stranger, 0).await.is_empty(), "who doesn't use it is not told");
}

#[tokio::test]
async fn those_who_use_a_model_are_told_that_it_ends() {
    let house = house().await;
    house.used(&house.app.owner(), "lab/two").await;
    // It is another model under another id from now on.
    house.edit("id = \"lab/two\"", "id = \"lab/three\"");
    let alerts = house.alerts(&house.manager, 1).await;
    assert_eq!(
        (&alerts[0]["type"], &alerts[0]["data"]["what"]),
        (&json!("model.deprecated"), &json!("withdrawn"))
    );
    assert_eq!(alerts[0]["data"]["model"], "lab/two");
}

#[tokio::test]
async fn a_retired_model_names_its_successor() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("catalog");
    let app = TestApp::builder().start().await;
    // The built-in catalog, with what a feed says, as the operator's own folder.
    let feed = folder.path().join("feed.json");
    fs::write(
        &feed,
        r#"{"mistral/ministral-3b-latest": {"litellm_provider": "mistral", "input_cost_per_token": 2.5e-07, "deprecation_date": "2025-01-31"}}"#,
    )
    .expect("write");
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let said = app
        .cli(&["catalog", "import", "litellm", &path(&feed), "--dir", &path(&dir), "--as-of", "2026-08-01"])
        .await;
    assert_eq!((&said["written"], &said["report"]["entries"]), (&json!(true), &json!(1)), "{said}");
    let model = dir.join("models/mistralai/ministral-3b-latest.toml");
    let text = fs::read_to_string(&model).expect("the model");
    assert!(
        text.contains("retires = { value = \"2025-01-31\", source = \"litellm\", as_of = \"2026-08-01\" }"),
        "{text}"
    );
    let text = text.replace("retires =", "successor = \"mistralai/mistral-small-2603\"\nretires =");
    fs::write(&model, text).expect("write");
    let app = TestApp::builder().set("catalog.dir", &format!("\"{}\"", path(&dir))).start().await;
    let listed = app.anonymous().get("/v1/models/mistralai/ministral-3b-latest").await.expect(200).json();
    assert_eq!(
        (&listed["data"]["expiration_date"], &listed["data"]["successor"]),
        (&json!("2025-01-31"), &json!("mistralai/mistral-small-2603"))
    );
    let refused =
        app.owner().chat_request(&ask("mistralai/ministral-3b-latest")).send().await.expect(404).json();
    assert_eq!(refused["error"]["type"], "model_retired", "{refused}");
    assert_eq!(refused["error"]["metadata"]["successor"], "mistralai/mistral-small-2603");
    let message = refused["error"]["message"].as_str().expect("a message");
    assert!(message.contains("2025-01-31") && message.contains("mistralai/mistral-small-2603"), "{message}");
}

#[tokio::test]
async fn a_price_that_changed_is_shown_with_what_it_was() {
    let mut house = house().await;
    testkit::eventually("prices to be watched", || async {
        let page = house.app.anonymous().get("/lab/one").await.expect(200).text();
        page.contains("none of these has changed").then_some(())
    })
    .await;
    house.edit("output_usd_per_mtok = \"2\"", "output_usd_per_mtok = \"3\"");
    for _ in 0..2 {
        let anyone = house.app.anonymous();
        testkit::eventually("the feed to tell of it", || async {
            anyone
                .get("/feeds/prices.atom")
                .await
                .text()
                .contains("Output: $2.00 → $3.00 per 1M tokens")
                .then_some(())
        })
        .await;
        let page = anyone.get("/lab/one").await.expect(200).text();
        assert!(page.contains("Price over time: lab, output"), "{page}");
        let twin = anyone.get("/lab/one.json").await.expect(200).json();
        let history = &twin["price_history"][0];
        assert!(history["watched_since"].is_string(), "{history}");
        let changes = history["changes"].as_array().expect("changes");
        assert_eq!(changes.len(), 1, "{history}");
        assert_eq!(
            (&changes[0]["price"], &changes[0]["before"], &changes[0]["after"]),
            (&json!("output_usd_per_mtok"), &json!("2"), &json!("3"))
        );
        let other = anyone.get("/lab/two.json").await.expect(200).json();
        assert_eq!(other["price_history"][0]["changes"], json!([]));
        // It is kept, and the same catalog is no other one.
        house.app.restart().await;
    }
}
