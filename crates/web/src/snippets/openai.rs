//! Calls in OpenAI's shape: curl, Python and TypeScript, for every kind of model.

use super::literal::{body, python, quoted, shell, typescript};
use super::{Auth, Kind, Language, Sdk, Snippet, Target};

const PYTHON: Sdk = Sdk { id: "openai", package: "openai" };
const TYPESCRIPT: Sdk = Sdk { id: "openai", package: "openai" };

/// What is read aloud and what is heard.
pub(super) const RECORDING: &str = "speech.mp3";
pub(super) const PICTURE: &str = "image.png";

/// The same call in three languages.
pub(super) fn calls(target: &Target<'_>, kind: Kind) -> Vec<Snippet> {
    [
        target.snippet(Language::Curl, None, curl(target, kind)),
        target.snippet(Language::Python, Some(PYTHON), python_sdk(target, kind)),
        target.snippet(Language::TypeScript, Some(TYPESCRIPT), typescript_sdk(target, kind)),
    ]
    .into_iter()
    .map(|snippet| with_files(snippet, kind))
    .collect()
}

/// A conversation as it comes.
pub(super) fn streamed(target: &Target<'_>) -> Snippet {
    let json = format!(
        "{{\n    \"model\": {},\n    \"messages\": [{{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}}],\n    \
         \"stream\": true\n  }}",
        quoted(target.model)
    );
    let code = post(target, "/chat/completions", "-N ", &json, "");
    let snippet = target.snippet(Language::Curl, None, code);
    Snippet { id: "curl-stream".to_owned(), label: "curl, streamed".to_owned(), ..snippet }
}

fn with_files(snippet: Snippet, kind: Kind) -> Snippet {
    // curl prints what an image call answers; only the SDKs take it apart.
    let writes = match (kind, snippet.language) {
        (Kind::Speech, _) => Some(RECORDING),
        (Kind::Images, Language::Python | Language::TypeScript) => Some(PICTURE),
        _ => None,
    };
    let reads = (kind == Kind::Transcription).then_some(RECORDING);
    Snippet { reads, writes, ..snippet }
}

/// The header lines of a call.
pub(super) fn headers(target: &Target<'_>) -> String {
    match target.auth {
        Auth::Bearer => format!("  -H \"Authorization: Bearer ${}\" \\\n", target.key),
        Auth::Header(name) => format!("  -H \"{name}: ${}\" \\\n", target.key),
        Auth::None => String::new(),
    }
}

/// A POST of JSON; `flags` go before the address, `after` behind the body.
pub(super) fn post(target: &Target<'_>, path: &str, flags: &str, json: &str, after: &str) -> String {
    format!(
        "curl {flags}{} \\\n{}  -H \"Content-Type: application/json\" \\\n  -d {}{after}\n",
        shell(&format!("{}{path}", target.base)),
        headers(target),
        body(json)
    )
}

fn curl(target: &Target<'_>, kind: Kind) -> String {
    let model = quoted(target.model);
    let json = |rest: &str| format!("{{\n    \"model\": {model},\n    {rest}\n  }}");
    match kind {
        Kind::Chat => post(
            target,
            "/chat/completions",
            "",
            &json("\"messages\": [{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}]"),
            "",
        ),
        Kind::Embeddings => {
            post(target, "/embeddings", "", &json("\"input\": [\"a guinea pig\", \"a rodent\"]"), "")
        }
        Kind::Rerank => post(
            target,
            "/rerank",
            "",
            &json(
                "\"query\": \"What do guinea pigs eat?\",\n    \"documents\": [\"They eat hay.\", \"They sleep a lot.\"]",
            ),
            "",
        ),
        Kind::Images => post(
            target,
            "/images/generations",
            "",
            &json("\"prompt\": \"A guinea pig in a field of clover\""),
            "",
        ),
        Kind::Speech => post(
            target,
            "/audio/speech",
            "",
            &json("\"voice\": \"alloy\",\n    \"input\": \"Guinea pigs are not pigs.\""),
            &format!(" \\\n  --output {RECORDING}"),
        ),
        Kind::Transcription => format!(
            "curl {} \\\n{}  -F file=@{RECORDING} \\\n  --form-string {}\n",
            shell(&format!("{}/audio/transcriptions", target.base)),
            headers(target),
            body(&format!("model={}", target.model))
        ),
    }
}

fn python_sdk(target: &Target<'_>, kind: Kind) -> String {
    let model = quoted(target.model);
    let key = match target.auth {
        Auth::None => "\"none\"".to_owned(),
        _ => format!("os.environ[{}]", quoted(target.key)),
    };
    let base = python(target.base);
    let imports = match kind {
        Kind::Images => "import base64\nimport os\nfrom pathlib import Path\n",
        // Nothing of the environment is read without a key and without variables in the address.
        _ if target.variables().is_empty() => "",
        _ => "import os\n",
    };
    let gap = if imports.is_empty() { "" } else { "\n" };
    let call = match kind {
        Kind::Chat => format!(
            "answer = client.chat.completions.create(\n    model={model},\n    messages=[{{\"role\": \"user\", \"content\": \
             \"Say hello in one sentence.\"}}],\n)\nprint(answer.choices[0].message.content)\n"
        ),
        Kind::Embeddings => format!(
            "answer = client.embeddings.create(model={model}, input=[\"a guinea pig\", \"a rodent\"])\n\
             print(len(answer.data), \"vectors of\", len(answer.data[0].embedding), \"numbers\")\n"
        ),
        Kind::Rerank => format!(
            "# The SDK has no method for it, so it is posted as it is.\nanswer = client.post(\n    \"/rerank\",\n    \
             cast_to=object,\n    body={{\n        \"model\": {model},\n        \"query\": \"What do guinea pigs eat?\",\n        \
             \"documents\": [\"They eat hay.\", \"They sleep a lot.\"],\n    }},\n)\n\
             for result in answer[\"results\"]:\n    print(result[\"index\"], result[\"relevance_score\"])\n"
        ),
        Kind::Images => format!(
            "answer = client.images.generate(model={model}, prompt=\"A guinea pig in a field of clover\")\n\
             image = answer.data[0]\nif image.b64_json:\n    Path(\"{PICTURE}\").write_bytes(base64.b64decode(image.b64_json))\n    \
             print(\"written to {PICTURE}\")\nelse:\n    print(image.url)\n"
        ),
        Kind::Speech => format!(
            "with client.audio.speech.with_streaming_response.create(\n    model={model},\n    voice=\"alloy\",\n    \
             input=\"Guinea pigs are not pigs.\",\n) as speech:\n    speech.stream_to_file(\"{RECORDING}\")\nprint(\"written to {RECORDING}\")\n"
        ),
        Kind::Transcription => format!(
            "with open(\"{RECORDING}\", \"rb\") as recording:\n    answer = client.audio.transcriptions.create(model={model}, \
             file=recording)\nprint(answer.text)\n"
        ),
    };
    format!(
        "{imports}{gap}from openai import OpenAI\n\nclient = OpenAI(base_url={base}, api_key={key})\n\n{call}"
    )
}

fn typescript_sdk(target: &Target<'_>, kind: Kind) -> String {
    let model = quoted(target.model);
    let key = match target.auth {
        Auth::None => "\"none\"".to_owned(),
        _ => format!("process.env.{}", target.key),
    };
    let base = typescript(target.base);
    let imports = match kind {
        Kind::Images | Kind::Speech => "import { writeFile } from \"node:fs/promises\";\n",
        Kind::Transcription => "import { createReadStream } from \"node:fs\";\n",
        _ => "",
    };
    let call = match kind {
        Kind::Chat => format!(
            "const answer = await client.chat.completions.create({{\n  model: {model},\n  messages: [{{ role: \"user\", content: \
             \"Say hello in one sentence.\" }}],\n}});\nconsole.log(answer.choices[0].message.content);\n"
        ),
        Kind::Embeddings => format!(
            "const answer = await client.embeddings.create({{\n  model: {model},\n  input: [\"a guinea pig\", \"a rodent\"],\n}});\n\
             console.log(answer.data.length, \"vectors of\", answer.data[0].embedding.length, \"numbers\");\n"
        ),
        Kind::Rerank => format!(
            "// The SDK has no method for it, so it is posted as it is.\nconst answer = await client.post(\"/rerank\", {{\n  body: {{\n    \
             model: {model},\n    query: \"What do guinea pigs eat?\",\n    documents: [\"They eat hay.\", \"They sleep a lot.\"],\n  }},\n}});\n\
             for (const result of answer.results) console.log(result.index, result.relevance_score);\n"
        ),
        Kind::Images => format!(
            "const answer = await client.images.generate({{\n  model: {model},\n  prompt: \"A guinea pig in a field of clover\",\n}});\n\
             const image = answer.data[0];\nif (image.b64_json) {{\n  await writeFile(\"{PICTURE}\", Buffer.from(image.b64_json, \"base64\"));\n  \
             console.log(\"written to {PICTURE}\");\n}} else {{\n  console.log(image.url);\n}}\n"
        ),
        Kind::Speech => format!(
            "const speech = await client.audio.speech.create({{\n  model: {model},\n  voice: \"alloy\",\n  input: \"Guinea pigs are not \
             pigs.\",\n}});\nawait writeFile(\"{RECORDING}\", Buffer.from(await speech.arrayBuffer()));\nconsole.log(\"written to {RECORDING}\");\n"
        ),
        Kind::Transcription => format!(
            "const answer = await client.audio.transcriptions.create({{\n  model: {model},\n  file: createReadStream(\"{RECORDING}\"),\n}});\n\
             console.log(answer.text);\n"
        ),
    };
    format!(
        "{imports}import OpenAI from \"openai\";\n\nconst client = new OpenAI({{\n  baseURL: {base},\n  apiKey: {key},\n}});\n\n{call}"
    )
}
