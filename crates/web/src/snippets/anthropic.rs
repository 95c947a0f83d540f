//! Conversations in Anthropic's shape.

use super::literal::{python, quoted, typescript};
use super::openai::post;
use super::{Auth, Language, Sdk, Snippet, Target};

const PYTHON: Sdk = Sdk { id: "anthropic", package: "anthropic" };
const TYPESCRIPT: Sdk = Sdk { id: "anthropic", package: "@anthropic-ai/sdk" };

/// The version of its API that requests name: <https://docs.anthropic.com/en/api/versioning>.
const VERSION: &str = "2023-06-01";

/// The call with curl.
pub(super) fn curl(target: &Target<'_>) -> Snippet {
    let json = format!(
        "{{\n    \"model\": {},\n    \"max_tokens\": 1024,\n    \"messages\": [{{\"role\": \"user\", \"content\": \"Say hello in one \
         sentence.\"}}]\n  }}",
        quoted(target.model)
    );
    let code = post(target, "/messages", &format!("-H \"anthropic-version: {VERSION}\" "), &json, "");
    target.snippet(Language::Curl, None, code)
}

/// The call with both SDKs, which append `/v1` to `host` themselves and send a token as `Authorization: Bearer`, a key as
/// `x-api-key`.
pub(super) fn sdks(target: &Target<'_>, host: &str, is_token: bool) -> Vec<Snippet> {
    let (key_name, key_property) = if is_token { ("auth_token", "authToken") } else { ("api_key", "apiKey") };
    let model = quoted(target.model);
    let (in_python, in_typescript) = (python(host), typescript(host));
    let key = quoted(target.key);
    let code = format!(
        "import os\n\nfrom anthropic import Anthropic\n\nclient = Anthropic(base_url={in_python}, {key_name}=os.environ[{key}])\n\n\
         answer = client.messages.create(\n    model={model},\n    max_tokens=1024,\n    messages=[{{\"role\": \"user\", \"content\": \"Say \
         hello in one sentence.\"}}],\n)\nprint(next(block.text for block in answer.content if block.type == \"text\"))\n"
    );
    let with_python = target.snippet(Language::Python, Some(PYTHON), code);
    let code = format!(
        "import Anthropic from \"@anthropic-ai/sdk\";\n\nconst client = new Anthropic({{\n  baseURL: {in_typescript},\n  {key_property}: \
         process.env.{},\n}});\n\nconst answer = await client.messages.create({{\n  model: {model},\n  max_tokens: 1024,\n  messages: [{{ \
         role: \"user\", content: \"Say hello in one sentence.\" }}],\n}});\n\
         for (const block of answer.content) if (block.type === \"text\") console.log(block.text);\n",
        target.key
    );
    vec![with_python, target.snippet(Language::TypeScript, Some(TYPESCRIPT), code)]
}

/// How the SDKs are pointed at a provider: its address without the `/v1` that they append.
pub(super) fn at_provider(target: &Target<'_>) -> Vec<Snippet> {
    let mut all = vec![curl(target)];
    match (target.base.strip_suffix("/v1"), target.auth) {
        (Some(host), Auth::Header("x-api-key")) => all.extend(sdks(target, host, false)),
        (Some(host), Auth::Bearer) => all.extend(sdks(target, host, true)),
        _ => {}
    }
    all
}
