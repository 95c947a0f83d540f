//! Every kind of program that pages print, taken from the page and run as it stands, with the key in the variable that the page
//! names and nothing else changed.

use std::path::Path;
use std::process::Command;

use scraper::Html;
use serde_json::json;
use testkit::app::OWNER_KEY;
use testkit::{FakeUpstream, Lab, Recorded, Script, TestApp, Tokens};

use super::page::{all, text, within};
use e2e::programs::{node_dir, run, variable};

/// A program of a page.
struct Program {
    /// `python-openai`.
    id: String,
    code: String,
}

/// What a page prints, and the variable that holds the key.
fn programs(page: &str) -> (String, Vec<Program>) {
    let html = Html::parse_document(page);
    let variable = all(&html, "#api .sub code").last().map(|code| text(*code)).expect("a variable");
    let programs = all(&html, "#api details[id]").into_iter().map(|one| {
        let code = within(one, "pre code")[0].text().collect();
        Program { id: one.attr("id").expect("an id").to_owned(), code }
    });
    (variable, programs.collect())
}

/// What the provider of every kind answers.
fn answer(request: &Recorded) -> Script {
    let path = request.path();
    let ends = |end: &str| path.ends_with(end);
    match () {
        () if ends("/embeddings") => {
            let vector = |at: u32| json!({"object": "embedding", "index": at, "embedding": [0.5, -1.0]});
            let usage = json!({"prompt_tokens": 5, "total_tokens": 5});
            Script::json(200, &json!({"object": "list", "data": [vector(0), vector(1)], "usage": usage}))
        }
        () if ends("/rerank") => Script::json(
            200,
            &json!({"results": [{"index": 0, "relevance_score": 0.9}, {"index": 1, "relevance_score": 0.1}]}),
        ),
        () if ends("/images/generations") => {
            Script::json(200, &json!({"created": 1, "data": [{"b64_json": "AA=="}]}))
        }
        () if ends("/audio/speech") => Script::plain(200, &[("content-type", "audio/mpeg")], "ID3 a voice"),
        () if ends("/audio/transcriptions") => {
            Script::json(200, &json!({"text": "Guinea pigs", "usage": {"type": "duration", "seconds": 2}}))
        }
        () if request.wants_stream() => Script::chat_stream(&["Hello", " there"], Tokens::new(8, 2)),
        () => Script::chat("Hello there", Tokens::new(8, 2)),
    }
}

fn command(program: &Program, folder: &Path) -> Command {
    let language = program.id.split('-').next().unwrap_or_default();
    let (name, mut command) = match language {
        "curl" => ("call.sh", Command::new("bash")),
        "python" => ("call.py", Command::new(variable("TOLLWAY_E2E_PYTHON"))),
        "typescript" => ("call.mts", Command::new("node")),
        other => panic!("{other:?} is no language that can be run"),
    };
    std::fs::write(folder.join(name), &program.code).expect("write the program");
    command.arg(name).current_dir(folder);
    command
}

/// Runs all programs of a model's page; gives how many.
async fn all_run(app: &TestApp, model: &str, writes: Option<&str>, says: &str) -> usize {
    let page = app.anonymous().get(&format!("/{model}")).await.expect(200).text();
    let (key_variable, programs) = programs(&page);
    for program in &programs {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(node_dir().join("node_modules"), folder.path().join("node_modules"))
            .expect("a link");
        if writes.is_none() {
            std::fs::write(folder.path().join("speech.mp3"), "ID3 a voice").expect("a recording");
        }
        let mut command = command(program, folder.path());
        command.env(&key_variable, OWNER_KEY);
        let said = run(command).await;
        assert!(!said.contains("\"error\""), "{model}, {}: {said}", program.id);
        let written = writes.filter(|_| program.id != "curl" || model.ends_with("speak"));
        match written {
            Some(file) => {
                let bytes = std::fs::metadata(folder.path().join(file)).map_or(0, |file| file.len());
                assert!(bytes > 0, "{model}, {}: {file} is not there: {said}", program.id);
            }
            None if program.id == "curl" && model.ends_with("embed") => {
                let answer: serde_json::Value = serde_json::from_str(&said).expect("an answer");
                assert_eq!(answer["data"].as_array().map(Vec::len), Some(2), "{model}: {said}");
            }
            None => assert!(said.contains(says), "{model}, {}: {said}", program.id),
        }
    }
    programs.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_run_as_they_are_printed() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(answer);
    let lab = Lab::at("lab", &upstream)
        .model("lab/tiny", "1", "2")
        .maker("lab/embed", "embeddings", &[("input_usd_per_mtok", "1")])
        .maker("lab/rank", "rerank", &[("search_usd", "0.002")])
        .maker("lab/draw", "image", &[("image_usd", "0.04")])
        .maker("lab/speak", "audio", &[("characters_usd_per_million", "15")])
        .maker("lab/hear", "transcription", &[("audio_second_usd", "0.0001")]);
    let app = TestApp::builder().lab(lab).start().await;
    let rows = [
        ("lab/tiny", None, "ello", 6),
        ("lab/embed", None, "2", 3),
        ("lab/rank", None, "0.9", 3),
        ("lab/draw", Some("image.png"), "b64_json", 3),
        ("lab/speak", Some("speech.mp3"), "", 3),
        ("lab/hear", None, "Guinea pigs", 3),
    ];
    for (model, writes, says, expected) in rows {
        assert_eq!(all_run(&app, model, writes, says).await, expected, "programs of {model}");
    }
    let asked = upstream.request_count();
    assert_eq!(asked, 21, "each program called once");
}

#[tokio::test]
async fn the_sandbox_answers_its_own_page() {
    let app = TestApp::builder().start().await;
    assert!(all_run(&app, "sandbox/echo", None, "").await >= 6);
}
