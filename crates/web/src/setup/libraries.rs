//! Libraries.

use super::{Client, Kind, Step, Tried};

const ON: &str = "2026-11-22";

pub(super) const CLIENTS: &[Client] = &[
    Client {
        slug: "langchain",
        name: "LangChain",
        kind: Kind::Library,
        about: "Chains and agents in Python. `ChatOpenAI` speaks chat completions.",
        steps: &[
            Step {
                text: "Install its package for OpenAI's dialect.",
                place: "Terminal",
                code: "pip install langchain-openai",
            },
            Step {
                text: "Give the model an address and a key.",
                place: "Python",
                code: "import os\nfrom langchain_openai import ChatOpenAI\n\nllm = ChatOpenAI(\n    base_url=\"{base}/v1\",\n    api_key=os.environ[\"{VAR}\"],\n    model=\"{auto}\",\n)\nanswer = llm.invoke(\"Say hello\")\nprint(answer.content, answer.response_metadata[\"token_usage\"][\"cost\"])",
            },
        ],
        works: &[
            "`invoke`, `stream` and `bind_tools`.",
            "What a call cost is in `response_metadata[\"token_usage\"][\"cost\"]`, in dollars.",
        ],
        limits: &["Body fields that OpenAI doesn't have, such as `provider`, go into `extra_body`."],
        tried: Tried::Once,
        version: "(langchain-openai 1.7.3)",
        on: ON,
    },
    Client {
        slug: "llamaindex",
        name: "LlamaIndex",
        kind: Kind::Library,
        about: "Retrieval and agents in Python. `OpenAILike` speaks chat completions with models that OpenAI doesn't have.",
        steps: &[
            Step { text: "Install it.", place: "Terminal", code: "pip install llama-index-llms-openai-like" },
            Step {
                text: "Say that the model converses, how much it reads, and whether it takes tools: `OpenAILike` knows none of it by itself.",
                place: "Python",
                code: "import os\nfrom llama_index.llms.openai_like import OpenAILike\n\nllm = OpenAILike(\n    model=\"{auto}\",\n    api_base=\"{base}/v1\",\n    api_key=os.environ[\"{VAR}\"],\n    is_chat_model=True,\n    is_function_calling_model=True,\n    context_window=128_000,\n)\nprint(llm.complete(\"Say hello\"))",
            },
        ],
        works: &["`complete` and `stream_complete`."],
        limits: &["This version wants the `openai` package below 3: give it an environment of its own."],
        tried: Tried::Once,
        version: "(llama-index-llms-openai-like 0.8.1)",
        on: ON,
    },
    Client {
        slug: "ai-sdk",
        name: "Vercel AI SDK",
        kind: Kind::Library,
        about: "Models in TypeScript. Its providers for OpenAI and Anthropic take another address.",
        steps: &[
            Step {
                text: "Install it with one of both providers.",
                place: "Terminal",
                code: "npm install ai @ai-sdk/openai @ai-sdk/anthropic",
            },
            Step {
                text: "Make a provider: `.chat(...)` takes chat completions, the provider itself Responses.",
                place: "TypeScript",
                code: "import { createOpenAI } from \"@ai-sdk/openai\";\nimport { streamText } from \"ai\";\n\nconst provider = createOpenAI({ baseURL: \"{base}/v1\", apiKey: process.env.{VAR} });\nconst answer = streamText({ model: provider.chat(\"{auto}\"), prompt: \"Say hello\" });\nfor await (const part of answer.textStream) process.stdout.write(part);",
            },
        ],
        works: &[
            "`generateText`, `streamText` and tools, by chat completions, Responses and Anthropic Messages (`createAnthropic` with the same address).",
        ],
        limits: &["Its `usage` has tokens; the cost is in `GET /v1/generation`."],
        tried: Tried::Always("cargo xtask test"),
        version: "7.0.173 (@ai-sdk/openai 4.0.118, @ai-sdk/anthropic 4.0.105)",
        on: ON,
    },
    Client {
        slug: "pydantic-ai",
        name: "Pydantic AI",
        kind: Kind::Library,
        about: "Typed agents in Python. `OpenAIChatModel` speaks chat completions.",
        steps: &[
            Step { text: "Install it.", place: "Terminal", code: "pip install \"pydantic-ai-slim[openai]\"" },
            Step {
                text: "Give the model a provider with an address and a key.",
                place: "Python",
                code: "import os\nfrom pydantic_ai import Agent\nfrom pydantic_ai.models.openai import OpenAIChatModel\nfrom pydantic_ai.providers.openai import OpenAIProvider\n\nprovider = OpenAIProvider(base_url=\"{base}/v1\", api_key=os.environ[\"{VAR}\"])\nagent = Agent(OpenAIChatModel(\"{auto}\", provider=provider))\nprint(agent.run_sync(\"Say hello\").output)",
            },
        ],
        works: &["`run_sync`, and the tokens in `usage`."],
        limits: &["Its streams and tools were not tried."],
        tried: Tried::Once,
        version: "2.68.0",
        on: ON,
    },
    Client {
        slug: "litellm",
        name: "LiteLLM",
        kind: Kind::Library,
        about: "One function for many providers in Python, and a proxy. `openai/` before a name takes any address.",
        steps: &[
            Step {
                text: "In Python:",
                place: "Python",
                code: "import os\nimport litellm\n\nanswer = litellm.completion(\n    model=\"openai/{auto}\",\n    api_base=\"{base}/v1\",\n    api_key=os.environ[\"{VAR}\"],\n    messages=[{\"role\": \"user\", \"content\": \"Say hello\"}],\n)\nprint(answer.choices[0].message.content, answer.usage.cost)",
            },
            Step {
                text: "Or as a model of its proxy:",
                place: "config.yaml",
                code: "model_list:\n  - model_name: auto\n    litellm_params:\n      model: openai/{auto}\n      api_base: {base}/v1\n      api_key: os.environ/{VAR}",
            },
        ],
        works: &["`completion`, plain and streamed; `usage.cost` is what was charged."],
        limits: &["Its proxy was not run here."],
        tried: Tried::Once,
        version: "1.106.2",
        on: ON,
    },
];
