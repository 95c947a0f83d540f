//! Coding agents.

use super::{Client, Kind, Step, Tried};

const ON: &str = "2026-11-22";
const WITH_AGENTS: &str = "cargo xtask test --with-agents";

pub(super) const CLIENTS: &[Client] = &[
    Client {
        slug: "claude-code",
        name: "Claude Code",
        kind: Kind::Agent,
        about: "Anthropic's agent in the terminal. It speaks Anthropic Messages, and any model answers it.",
        steps: &[
            Step {
                text: "Install it where it is not there yet.",
                place: "Terminal",
                code: "npm install -g @anthropic-ai/claude-code",
            },
            Step {
                text: "Say where and as whom. The address stands without `/v1`; the second model is for small tasks in the background.",
                place: "Terminal",
                code: "export ANTHROPIC_BASE_URL={base}\nexport ANTHROPIC_AUTH_TOKEN=${VAR}\nexport ANTHROPIC_MODEL={auto}\nexport ANTHROPIC_DEFAULT_HAIKU_MODEL={slug}/cheap\nclaude",
            },
            Step {
                text: "For good, the same goes into its settings.",
                place: "~/.claude/settings.json",
                code: "{\n  \"env\": {\n    \"ANTHROPIC_BASE_URL\": \"{base}\",\n    \"ANTHROPIC_AUTH_TOKEN\": \"YOUR_KEY\",\n    \"ANTHROPIC_MODEL\": \"{auto}\"\n  }\n}",
            },
        ],
        works: &[
            "Streams, tools and their results, also in front of providers of another dialect.",
            "Any model that takes tools: a virtual one, a policy, or an id such as `anthropic/claude-sonnet-4-5`.",
        ],
        limits: &[
            "A model without tools can't read or write files for it.",
            "What it shows as cost is its own guess; what was charged is in `GET /v1/activity`, by key.",
            "Of `ANTHROPIC_API_KEY` and `ANTHROPIC_AUTH_TOKEN`, set one.",
        ],
        tried: Tried::Always(WITH_AGENTS),
        version: "2.1.329",
        on: ON,
    },
    Client {
        slug: "codex",
        name: "Codex CLI",
        kind: Kind::Agent,
        about: "OpenAI's agent in the terminal. It speaks OpenAI Responses.",
        steps: &[
            Step {
                text: "Install it where it is not there yet.",
                place: "Terminal",
                code: "npm install -g @openai/codex",
            },
            Step {
                text: "Add a provider, and choose it.",
                place: "~/.codex/config.toml",
                code: "model = \"{auto}\"\nmodel_provider = \"{slug}\"\n\n[model_providers.{slug}]\nname = \"{Brand}\"\nbase_url = \"{base}/v1\"\nenv_key = \"{VAR}\"\nwire_api = \"responses\"",
            },
            Step {
                text: "Start it with the key in the variable that `env_key` names.",
                place: "Terminal",
                code: "codex exec --skip-git-repo-check \"Say hello\"",
            },
        ],
        works: &["Streams, tools and their results, in front of providers that know chat completions only."],
        limits: &[
            "It warns that it has no metadata of models whose names it does not know, and assumes some.",
        ],
        tried: Tried::Always(WITH_AGENTS),
        version: "0.169.0",
        on: ON,
    },
    Client {
        slug: "opencode",
        name: "OpenCode",
        kind: Kind::Agent,
        about: "An open agent in the terminal. It speaks chat completions through Vercel's AI SDK.",
        steps: &[
            Step {
                text: "Describe the provider and the models that you want to choose from, in the project or in `~/.config/opencode`.",
                place: "opencode.json",
                code: "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"provider\": {\n    \"{slug}\": {\n      \"npm\": \"@ai-sdk/openai-compatible\",\n      \"name\": \"{Brand}\",\n      \"options\": {\"baseURL\": \"{base}/v1\", \"apiKey\": \"{env:{VAR}}\"},\n      \"models\": {\"{auto}\": {\"name\": \"Auto\"}}\n    }\n  }\n}",
            },
            Step {
                text: "Ask. The name is the provider's, a slash, and the model's.",
                place: "Terminal",
                code: "opencode run -m {slug}/{auto} \"Say hello\"",
            },
        ],
        works: &["Streamed answers; `opencode run` and the models of the file."],
        limits: &["Models are not fetched from here: each that you want stands in the file."],
        tried: Tried::Once,
        version: "1.18.33",
        on: ON,
    },
    Client {
        slug: "cline",
        name: "Cline",
        kind: Kind::Agent,
        about: "An agent for editors and the terminal. Its provider for compatible addresses speaks chat completions.",
        steps: &[
            Step {
                text: "In the terminal:",
                place: "Terminal",
                code: "npm install -g cline\ncline auth -p openai-compatible -k ${VAR} -b {base}/v1 -m {auto}\ncline \"Say hello\"",
            },
            Step {
                text: "In the editor: open Cline's settings, choose the API provider `OpenAI Compatible`, and fill in the base URL `{base}/v1`, your key and the model `{auto}`.",
                place: "",
                code: "",
            },
        ],
        works: &["Streamed answers and the tokens that they took, in the terminal."],
        limits: &[
            "It shows a cost of 0 for models of which it has no price.",
            "The extension for editors was not run here; its fields are those that Cline describes.",
        ],
        tried: Tried::Once,
        version: "3.0.65",
        on: ON,
    },
    Client {
        slug: "cursor",
        name: "Cursor",
        kind: Kind::Agent,
        about: "An editor with an agent. It can send chats to another address than OpenAI's.",
        steps: &[Step {
            text: "In Settings, Models: paste your key as the OpenAI API key, switch on `Override OpenAI Base URL`, give it `{base}/v1`, and add the model `{auto}` by name.",
            place: "",
            code: "",
        }],
        works: &["Chats, as others report."],
        limits: &[
            "Cursor's own servers make the calls: the address has to be https and reachable from the internet, so `localhost` does not work.",
            "Others report that it sends bodies of another dialect to `/chat/completions` for models whose names it knows; a name of your own, such as `policy/<name>`, may go better.",
            "Completions while you type stay with Cursor's own models.",
        ],
        tried: Tried::Not(
            "Cursor is a program with a window and an account of its own, and can't be run in our tests.",
        ),
        version: "",
        on: ON,
    },
    Client {
        slug: "continue",
        name: "Continue",
        kind: Kind::Agent,
        about: "An assistant for editors and the terminal. Its provider `openai` speaks chat completions.",
        steps: &[
            Step {
                text: "Add a model; editors and the terminal read the same file.",
                place: "~/.continue/config.yaml",
                code: "name: {Brand}\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: Auto\n    provider: openai\n    model: {auto}\n    apiBase: {base}/v1\n    apiKey: YOUR_KEY\n    roles: [chat, edit, apply]",
            },
            Step {
                text: "Ask, in the terminal.",
                place: "Terminal",
                code: "npm install -g @continuedev/cli\ncn --config ~/.continue/config.yaml -p \"Say hello\"",
            },
        ],
        works: &["Answers in the terminal with `cn`."],
        limits: &["The extensions for editors were not run here; they read the same file."],
        tried: Tried::Once,
        version: "1.5.47",
        on: ON,
    },
    Client {
        slug: "aider",
        name: "aider",
        kind: Kind::Agent,
        about: "A pair programmer in the terminal. It speaks chat completions through LiteLLM.",
        steps: &[Step {
            text: "`openai/` before the model's name chooses the dialect.",
            place: "Terminal",
            code: "pip install aider-chat\nexport OPENAI_API_BASE={base}/v1\nexport OPENAI_API_KEY=${VAR}\naider --model openai/{auto}",
        }],
        works: &["Answers, and edits that are applied from them."],
        limits: &["It knows no prices and context sizes of names that are not in its list."],
        tried: Tried::Once,
        version: "0.86.2",
        on: ON,
    },
];
