//! Every way in to every way out, against providers that nobody here wrote: aimock speaks each provider's own dialect.
//!
//! `cargo xtask conformance` runs this and writes `docs/conformance.md` from it.

mod judge;
mod requests;

use judge::{judge, judge_error, read};
use std::fmt::Write as _;
use std::process::Command;

pub(crate) use requests::{path, request};

use e2e::amount;
use e2e::programs::{Server, node_dir};
use testkit::{Actor, Client, Lab, TestApp};

const FIXTURES: &str = r#"{"fixtures":[
  {"match":{"userMessage":"weather"},"response":{"toolCalls":[{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}]}},
  {"match":{"userMessage":"both"},"response":{"toolCalls":[{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"},{"name":"get_time","arguments":"{\"zone\":\"CET\"}"}]}},
  {"match":{"userMessage":"think"},"response":{"content":"42 it is","reasoning":"six times seven"}},
  {"match":{"userMessage":"picture"},"response":{"content":"a red square"}},
  {"match":{"userMessage":"object"},"response":{"content":"{\"a\":\"b\"}"}},
  {"match":{"userMessage":"endless"},"response":{"content":"and so on","finishReason":"length"}},
  {"match":{"userMessage":"forbidden"},"response":{"content":"I can't","finishReason":"content_filter"}},
  {"match":{"userMessage":"wrong"},"response":{"error":{"message":"Not like this","type":"invalid_request_error"},"status":400}},
  {"match":{"endpoint":"image"},"response":{"image":{"b64Json":"iVBORw0KGgo="}}},
  {"match":{"endpoint":"speech"},"response":{"audio":"SUQzBAAAAAAA"}},
  {"match":{"endpoint":"transcription"},"response":{"transcription":{"text":"hello there"}}},
  {"match":{"userMessage":"hello"},"response":{"content":"Hello from a mock, in a few words.",
    "usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"input_tokens":11,"output_tokens":7,
      "promptTokenCount":11,"candidatesTokenCount":7,"totalTokenCount":18}}}]}"#;
/// What "hello" costs everywhere: 11 tokens at $1 and 7 at $2 per million.
const HELLO_COSTS: &str = "0.000025";

/// Name, protocol, the path under which aimock serves it, and what the model is called there.
const WAYS_OUT: [(&str, &str, &str, &str); 11] = [
    ("openai", "openai", "/v1", "mock"),
    ("openai-responses", "openai-responses", "/v1", "mock"),
    ("anthropic", "anthropic", "/v1", "mock"),
    ("gemini", "gemini", "/v1beta", "mock"),
    ("vertex", "vertex", "/v1/projects/p/locations/l", "mock"),
    ("bedrock", "bedrock", "", "mock"),
    ("bedrock-claude", "bedrock", "", "anthropic.claude-sonnet-4-20250514-v1:0"),
    ("cohere", "cohere", "", "mock"),
    ("mistral", "mistral", "/v1", "mock"),
    ("azure", "azure", "/openai", "mock"),
    ("ollama", "ollama", "", "mock"),
];
pub(crate) const WAYS_IN: [&str; 5] = ["chat", "completions", "responses", "messages", "gemini"];

/// What the model is to do: its name, and the word that makes aimock do it.
pub(crate) const SCENARIOS: [(&str, &str); 13] = [
    ("text", "hello"),
    ("tools", "weather"),
    ("parallel tools", "both"),
    ("tool results", "hello"),
    ("reasoning", "think"),
    ("image", "picture"),
    ("PDF", "picture"),
    ("structured", "object"),
    ("cache", "hello"),
    ("stop", "hello"),
    ("length", "endless"),
    ("refusal", "forbidden"),
    ("error", "wrong"),
];

/// How a cell is to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// With the answer of the scenario.
    Answer,
    /// The caller's dialect has no field to ask by.
    NoField,
    /// The provider's dialect has no place for it: the caller is told so, and no call is made.
    Refused,
    /// The mock can't play it; the translators have golden tests for it.
    Golden,
}

fn expect(way_in: &str, way_out: &str, scenario: &str) -> Expect {
    match (way_in, way_out, scenario) {
        // The mock says in these dialects that a response failed, or that it stopped.
        (_, "openai-responses" | "ollama", "refusal") | (_, "ollama", "length") => Expect::Golden,
        ("completions", _, "text" | "stop" | "length" | "refusal" | "error") => Expect::Answer,
        ("completions", ..) | ("responses", _, "stop") | ("gemini", _, "cache") => Expect::NoField,
        (_, "cohere" | "ollama", "PDF") => Expect::Refused,
        ("responses", "openai" | "azure", "refusal") => Expect::Golden,
        (_, "mistral" | "azure" | "cohere" | "ollama" | "bedrock", "reasoning") => Expect::Golden,
        _ => Expect::Answer,
    }
}

async fn cell(
    owner: &Actor,
    way_in: &str,
    way_out: &str,
    stream: bool,
    (scenario, word): (&str, &str),
) -> Result<(), String> {
    let model = format!("{way_out}/mock");
    let body = request(way_in, &model, scenario, word, stream);
    let reply = owner.request("POST", &path(way_in, &model, stream)).json(&body).send().await;
    if scenario == "error" {
        return judge_error(way_in, reply.status, &reply.json());
    }
    if expect(way_in, way_out, scenario) == Expect::Refused {
        let told = reply.status == 400 && reply.text().to_lowercase().contains("not_translatable");
        return if told { Ok(()) } else { Err(format!("{} {}", reply.status, reply.text())) };
    }
    if reply.status != 200 {
        return Err(format!("{} {}", reply.status, reply.text()));
    }
    let text = reply.text();
    let cost = amount::cost_in(&text).ok_or_else(|| format!("no cost: {text}"))?;
    // The mock counts nothing as Ollama, streams as Mistral without the usage that the real one always sends, and tells 0 at
    // the end of a stream of Bedrock's Claude.
    let counts = !matches!(
        (way_in, way_out, stream),
        (_, "ollama", _) | (_, "mistral", true) | ("messages", "bedrock-claude", true)
    );
    if word == "hello" && counts && cost.to_string() != HELLO_COSTS {
        return Err(format!("costs {cost} instead of {HELLO_COSTS}: {text}"));
    }
    judge(scenario, way_in, &read(way_in, stream, text.as_bytes())?)
}

pub(crate) async fn mock_at(folder: &std::path::Path) -> (Server, String) {
    let fixtures = folder.join("fixtures.json");
    std::fs::write(&fixtures, FIXTURES).expect("write the fixtures");
    let addr = testkit::upstream::refused_addr();
    let mut command = Command::new(node_dir().join("node_modules/.bin/llmock"));
    command.args(["-p", &addr.port().to_string(), "-f"]).arg(&fixtures);
    let log = folder.join("mock.log");
    let mut server = Server::start(command, &log);
    testkit::eventually("aimock to answer", || {
        assert!(server.is_running(), "aimock ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
        async move { Client::new(addr).get("/v1/models").try_send().await.ok() }
    })
    .await;
    (server, format!("http://{addr}"))
}

#[tokio::test]
async fn every_way_in_reaches_every_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, url) = mock_at(folder.path()).await;
    let mut builder = TestApp::builder();
    for (way_out, protocol, base, known_as) in WAYS_OUT {
        let lab = Lab::at_url(way_out, &format!("{url}{base}"))
            .set("protocol", &format!("\"{protocol}\""))
            .model(&format!("{way_out}/mock"), "1", "2")
            .known_there_as(known_as)
            .takes(&["text", "image", "file"]);
        builder = builder.lab(lab);
    }
    let app = builder.start().await;
    let owner = app.owner();
    let (mut failures, mut table, mut passed) = (Vec::new(), String::new(), 0);
    for way_in in WAYS_IN {
        for (way_out, ..) in WAYS_OUT {
            let _ = write!(table, "| {way_in} | {way_out} |");
            for scenario in SCENARIOS {
                let mark = match expect(way_in, way_out, scenario.0) {
                    Expect::NoField => "n/a",
                    Expect::Golden => "golden",
                    Expect::Refused => "refused",
                    Expect::Answer => "yes",
                };
                let run = [false, true].into_iter().filter(|_| matches!(mark, "yes" | "refused"));
                let mut problems = Vec::new();
                for stream in run {
                    match cell(&owner, way_in, way_out, stream, scenario).await {
                        Ok(()) => passed += 1,
                        Err(problem) => problems
                            .push(format!("{way_in} -> {way_out} {scenario:?} stream={stream}: {problem}")),
                    }
                }
                let _ = write!(table, " {} |", if problems.is_empty() { mark } else { "NO" });
                failures.append(&mut problems);
            }
            table.push('\n');
        }
    }
    if let Ok(file) = std::env::var("TOLLWAY_E2E_CONFORMANCE") {
        std::fs::write(&file, page(&table, passed)).expect("write the page");
    }
    assert!(failures.is_empty(), "{} cells failed:\n{}", failures.len(), failures.join("\n"));
}

fn page(table: &str, passed: usize) -> String {
    let heads: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    format!(
        "# Conformance of the dialects\n\nWritten by `cargo xtask conformance`: every way in to every way out, each cell \
         plain and streamed, against [aimock](https://www.npmjs.com/package/@copilotkit/aimock), which speaks each \
         provider's own dialect. {passed} calls passed in this run.\n\n\
         - yes: plain and streamed; text, calls with their arguments, finish reason and cost to the last digit are as they should be, and the same in both.\n\
         - refused: the provider's dialect has no place for it; the caller gets 400 `not_translatable`, which the run checks.\n\
         - n/a: the caller's own dialect has no field to ask by: text completions have texts only, Responses has no stop \
         texts, Gemini no cache marks.\n\
         - golden: the mock can't play it; the translator's own golden tests cover it.\n\
         - error: a provider's 400 in the caller's own envelope, with the provider's words.\n\n\
         | in | out | {} |\n|{}\n{table}",
        heads.join(" | "),
        " --- |".repeat(heads.len() + 2)
    )
}
