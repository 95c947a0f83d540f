//! The column of the table of routes that the others leave out: objects that are there and belong to somebody else. One's own are those
//! that the operations are called with, ones that nobody has are in `access.rs`.

use serde_json::json;

use super::team::come_in;
use super::{Document, PASSWORD, Shop, caller, open, send};

/// What a stranger may do with the same address, each to their own: things that every account names itself, the caller's own use; and
/// reporting what everybody reads.
const EACH_THEIR_OWN: [&str; 10] = [
    "PUT /v1/policies/{name}",
    "PUT /v1/presets/{slug}",
    "POST /v1/presets/{slug}/chat/completions",
    "POST /v1/presets/{slug}/messages",
    "POST /v1/presets/{slug}/responses",
    "PUT /v1/access-lists/{name}",
    "PUT /v1/groups/{name}",
    "GET /v1/manage/apikey/{id}/usage",
    "GET /v1/manage/org/usage",
    "POST /v1/ratings/{id}/report",
];

async fn stranger_tries(shop: &Shop, document: &Document) -> (usize, Vec<String>) {
    let (stranger, _) = come_in(&shop.app, "stranger@example.com", &[]).await;
    let (mut tried, mut problems) = (0, Vec::new());
    let mut callers = vec![("a session", stranger.clone())];
    for (who, management) in [("a management key", true), ("an API key", false)] {
        let asked = json!({ "name": who, "management": management, "limit": null });
        let made = stranger.post("/v1/keys", &asked).await.expect(201).json();
        callers.push((who, shop.app.with_key(made["key"].as_str().expect("a key"))));
    }
    for operation in document.operations() {
        let name = operation.name();
        if operation.is_open() {
            continue;
        }
        let prepared = shop.prepare(&name, operation.body()).await;
        // Models are everybody's.
        let names_something = !prepared.parameters.is_empty() && !operation.path.contains("{author}");
        if names_something && !EACH_THEIR_OWN.contains(&name.as_str()) {
            let url = operation.url(&prepared.parameters);
            for (who, actor) in &callers {
                let reply = send(shop, actor, &operation, &url, prepared.body.as_ref()).await;
                if !(400..500).contains(&reply.status) {
                    problems.push(format!("{name} ({url}) by {who}: {} {}", reply.status, reply.text()));
                }
                tried += 1;
            }
        }
        // Whose it is may: with the very same address.
        let own = match &prepared.caller {
            Some(own) => own.clone(),
            None => caller(shop, &operation).await,
        };
        let url = operation.url(&prepared.parameters);
        let reply = send(shop, &own, &operation, &url, prepared.body.as_ref()).await;
        if reply.status >= 400 {
            problems.push(format!("{name} ({url}) by whose it is: {} {}", reply.status, reply.text()));
        }
        shop.tidy(&name, &own).await;
    }
    (tried, problems)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_others_is_not_there() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let (tried, problems) = stranger_tries(&shop, &document).await;
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(tried > 100, "{tried}");
    // They sign in as ever: nothing of this was done to them.
    shop.visitor(PASSWORD).await.get("/v1/auth/me").await.expect(200);
}
