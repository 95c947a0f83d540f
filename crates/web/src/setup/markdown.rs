//! The same table as `docs/clients.md`.

use std::fmt::Write;

use super::{Client, Kind, Names, clients};

const INTRO: &str = "\
Whatever speaks one of the [dialects](dialects.md) needs two things changed: its address and its key. A running server shows the same
with its own address at `/setup`. `$TOLLWAY_KEY` is an [API key](keys.md); give each program one of its own, with a
[limit](how-to/cap-a-key.md).

## SDKs

All of these are run against the gateway by `cargo xtask test`.

| client | address | notes |
| --- | --- | --- |
| OpenAI's SDKs (Python, Node) | `base_url = \"http://127.0.0.1:8080/v1\"` | Chat, Responses, embeddings, images, speech, transcriptions |
| Anthropic's SDKs (Python, Node) | `base_url = \"http://127.0.0.1:8080\"` | any model, not only Claude; `count_tokens`, `models.list` |
| google-genai (Python) | `http_options = {\"base_url\": \"http://127.0.0.1:8080\"}` | any model |
| OpenRouter's SDK (Node) | `serverURL: \"http://127.0.0.1:8080/api/v1\"` | a price that nobody knows is told it as `-1`, since it takes no `null` |
| mistralai (Python) | `server_url = \"http://127.0.0.1:8080\"` | chat and embeddings |
| cohere (Python) | `base_url = \"http://127.0.0.1:8080\"` | `Client.rerank`; its chat is a dialect that goes out only |
";

/// The page without its title; addresses are those of a server as it starts by itself.
pub fn markdown() -> String {
    let names = Names {
        base: String::from("http://127.0.0.1:8080"),
        slug: String::from("tollway"),
        brand: String::from("Tollway"),
    };
    let mut text = String::from(INTRO);
    for kind in Kind::ALL {
        // Writing to a String can't fail, here and below.
        let _ = write!(text, "\n## {}\n", kind.title());
        for client in clients().filter(|client| client.kind == kind) {
            one(&mut text, &names, client);
        }
    }
    text
}

fn one(text: &mut String, names: &Names, client: &Client) {
    let _ = write!(text, "\n### {}\n\n{}\n", client.name, names.fill(client.about));
    for step in client.steps {
        let _ = write!(text, "\n{}\n", names.fill(step.text));
        if !step.code.is_empty() {
            let file = match step.place {
                "Terminal" | "Python" | "TypeScript" => String::new(),
                file => format!("{}:\n", names.fill(file)),
            };
            let _ = write!(text, "\n```text\n{file}{}\n```\n", names.fill(step.code));
        }
    }
    text.push('\n');
    for line in client.works {
        let _ = writeln!(text, "- Works: {}", names.fill(line));
    }
    for line in client.limits {
        let _ = writeln!(text, "- Mind: {}", names.fill(line));
    }
    let _ = writeln!(text, "- {}", client.tried());
}
