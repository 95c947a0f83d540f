//! Applications.

use super::{Client, Kind, Step, Tried};

const ON: &str = "2026-11-22";

pub(super) const CLIENTS: &[Client] = &[
    Client {
        slug: "open-webui",
        name: "Open WebUI",
        kind: Kind::App,
        about: "A chat site that a team runs for itself. A connection of kind OpenAI speaks chat completions.",
        steps: &[
            Step {
                text: "Start it with the address and the key.",
                place: "Terminal",
                code: "export OPENAI_API_BASE_URL={base}/v1\nexport OPENAI_API_KEY=${VAR}\nopen-webui serve --port 3000",
            },
            Step {
                text: "Or add it later: Admin Settings, Connections, OpenAI, a new connection with the URL `{base}/v1` and your key.",
                place: "",
                code: "",
            },
        ],
        works: &[
            "It fetches its list of models from `/v1/models`, which tells a key only what it may call: narrow the key, and the list is short.",
        ],
        limits: &[
            "In a container, `127.0.0.1` is the container itself; give it an address of the host.",
            "Everybody who signs in there calls with the same key: cap it, and set budgets.",
        ],
        tried: Tried::Not("it brings several gigabytes along."),
        version: "",
        on: ON,
    },
    Client {
        slug: "n8n",
        name: "n8n",
        kind: Kind::App,
        about: "Workflows by drawing. Its OpenAI credential takes another base URL.",
        steps: &[
            Step {
                text: "Credentials, New, OpenAI: your key as the API key, and `{base}/v1` as the base URL.",
                place: "",
                code: "",
            },
            Step {
                text: "Add an `OpenAI Chat Model` to an AI Agent or a chain, choose the credential, and give the model `{auto}` by its id.",
                place: "",
                code: "",
            },
        ],
        works: &["Nodes that take a chat model, as others describe them."],
        limits: &["A container doesn't reach `127.0.0.1` of its host; give it an address that it reaches."],
        tried: Tried::Not(
            "version 2.41.3 could not be installed, since the registry lacked a package that it asks for.",
        ),
        version: "",
        on: ON,
    },
];
