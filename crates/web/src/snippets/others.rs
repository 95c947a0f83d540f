//! Conversations in the shapes of Google, Cohere and Amazon.

use super::literal::{quoted, segment};
use super::openai::post;
use super::{Language, Sdk, Snippet, Target};

const CONTENTS: &str = "{\n    \"contents\": [{\"role\": \"user\", \"parts\": [{\"text\": \"Say hello in one sentence.\"}]}]\n  }";

/// Gemini with an API key.
pub(super) fn gemini(target: &Target<'_>) -> Vec<Snippet> {
    let path = format!("/models/{}:generateContent", segment(target.model));
    let (model, key) = (quoted(target.model), quoted(target.key));
    let python = format!(
        "import os\n\nfrom google import genai\n\nclient = genai.Client(api_key=os.environ[{key}])\n\n\
         answer = client.models.generate_content(model={model}, contents=\"Say hello in one sentence.\")\nprint(answer.text)\n"
    );
    let sdk = Sdk { id: "google", package: "google-genai" };
    vec![
        target.snippet(Language::Curl, None, post(target, &path, "", CONTENTS, "")),
        target.snippet(Language::Python, Some(sdk), python),
    ]
}

/// Cohere's second version.
pub(super) fn cohere(target: &Target<'_>) -> Vec<Snippet> {
    let (model, key) = (quoted(target.model), quoted(target.key));
    let json = format!(
        "{{\n    \"model\": {model},\n    \"messages\": [{{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}}]\n  }}"
    );
    let python = format!(
        "import os\n\nimport cohere\n\nclient = cohere.ClientV2(api_key=os.environ[{key}])\n\n\
         answer = client.chat(\n    model={model},\n    messages=[{{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}}],\n)\n\
         print(next(part.text for part in answer.message.content if part.type == \"text\"))\n"
    );
    let sdk = Sdk { id: "cohere", package: "cohere" };
    vec![
        target.snippet(Language::Curl, None, post(target, "/v2/chat", "", &json, "")),
        target.snippet(Language::Python, Some(sdk), python),
    ]
}

/// Bedrock's Converse with an API key of Bedrock's own.
pub(super) fn bedrock(target: &Target<'_>) -> Vec<Snippet> {
    let path = format!("/model/{}/converse", segment(target.model));
    let json = "{\n    \"messages\": [{\"role\": \"user\", \"content\": [{\"text\": \"Say hello in one sentence.\"}]}]\n  }";
    vec![target.snippet(Language::Curl, None, post(target, &path, "", json, ""))]
}

/// Gemini on Vertex AI, and models of others under their publisher.
pub(super) fn vertex(target: &Target<'_>) -> Vec<Snippet> {
    let (publisher, model) = target.model.split_once('/').unwrap_or(("google", target.model));
    let path = format!("/publishers/{}/models/{}:generateContent", segment(publisher), segment(model));
    vec![target.snippet(Language::Curl, None, post(target, &path, "", CONTENTS, ""))]
}

/// Claude on Vertex AI: its model is in the path, its version in the body.
pub(super) fn vertex_anthropic(target: &Target<'_>) -> Vec<Snippet> {
    let path = format!("/publishers/anthropic/models/{}:rawPredict", segment(target.model));
    let json = "{\n    \"anthropic_version\": \"vertex-2023-10-16\",\n    \"max_tokens\": 1024,\n    \
                \"messages\": [{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}]\n  }";
    vec![target.snippet(Language::Curl, None, post(target, &path, "", json, ""))]
}
