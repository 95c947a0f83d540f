//! Coding agents as their users run them, in front of a provider of another dialect: one round of a tool, then the answer.
//! Run by `cargo xtask test --with-agents`, which installs them and says where in `TOLLWAY_E2E_AGENTS`.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::programs::{run, variable};
use serde_json::{Value, json};
use testkit::app::OWNER_KEY;
use testkit::{FakeUpstream, Recorded, Script, TestApp, Tokens};

/// The agents' tools that run a command, and the arguments of each.
fn tool(request: &Value) -> Option<(&'static str, Value)> {
    let command = "echo the tool ran > proof.txt";
    let known = [
        ("Bash", json!({"command": command, "description": "Leaves a proof"})),
        ("exec_command", json!({"cmd": command})),
    ];
    let declared: Vec<&str> =
        request["tools"].as_array()?.iter().filter_map(|t| t["function"]["name"].as_str()).collect();
    known.into_iter().find(|(name, _)| declared.contains(name))
}

/// Calls the tool once, and says "All done." after its result.
fn answer(request: &Recorded) -> Script {
    let (body, tokens) = (request.json(), Tokens::new(100, 10));
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let has_result = messages.iter().any(|message| message["role"] == "tool");
    match tool(&body).filter(|_| !has_result) {
        Some((name, arguments)) => {
            let text = arguments.to_string();
            let (head, tail) = text.split_at(5);
            Script::tool_call_stream(name, (head, tail), tokens)
        }
        None if request.wants_stream() => Script::chat_stream(&["All", " done", "."], tokens),
        None => Script::chat("All done.", tokens),
    }
}

fn program(package: &str, name: &str) -> PathBuf {
    let folder = variable("TOLLWAY_E2E_AGENTS").join("node_modules").join(package);
    find(&folder, name).unwrap_or_else(|| panic!("no {name} in {}", folder.display()))
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let is_it = |path: &&PathBuf| path.is_file() && path.file_name().is_some_and(|file| file == name);
    let here = entries.iter().find(is_it).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}

struct Desk {
    folder: tempfile::TempDir,
    upstream: FakeUpstream,
    app: TestApp,
}

impl Desk {
    async fn new() -> Desk {
        let upstream = FakeUpstream::start();
        upstream.answer_with(answer);
        let app = TestApp::with(&upstream).await;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("work")).expect("a folder to work in");
        Desk { folder, upstream, app }
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path().join("work")).env("HOME", self.folder.path());
        command
    }

    fn judge(&self, said: &str) {
        assert!(said.contains("All done."), "{said}");
        let proof = std::fs::read_to_string(self.folder.path().join("work/proof.txt"));
        assert_eq!(proof.expect("the tool ran"), "the tool ran\n");
        let requests: Vec<Value> = self.upstream.requests().iter().map(Recorded::json).collect();
        let results = requests.iter().flat_map(|r| r["messages"].as_array().into_iter().flatten());
        assert!(results.filter(|m| m["role"] == "tool").count() > 0, "no result reached the provider");
        let ids = |message: &Value| message["tool_calls"][0]["id"].as_str().map(str::to_owned);
        let last = requests.last().expect("a request")["messages"].as_array().cloned().unwrap_or_default();
        let called = last.iter().find_map(ids).expect("the call is in the history");
        assert!(last.iter().any(|m| m["tool_call_id"] == called.as_str()), "{last:?}");
    }
}

#[tokio::test]
async fn claude_code_runs_a_tool_through_a_provider_of_the_openai_dialect() {
    let desk = Desk::new().await;
    let mut command = desk.command(program("@anthropic-ai/claude-code-linux-x64", "claude"));
    command.args(["-p", "Run the tool", "--allowedTools", "Bash"]);
    command.env("ANTHROPIC_BASE_URL", desk.app.url()).env("ANTHROPIC_AUTH_TOKEN", OWNER_KEY);
    for name in ["ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"] {
        command.env(name, "lab/tiny");
    }
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    desk.judge(&run(command).await);
}

#[tokio::test]
async fn codex_runs_a_tool_through_a_provider_of_the_chat_dialect() {
    let desk = Desk::new().await;
    let home = desk.folder.path().join(".codex");
    std::fs::create_dir(&home).expect("its folder");
    let config = format!(
        "model = \"lab/tiny\"\nmodel_provider = \"tollway\"\napproval_policy = \"never\"\nsandbox_mode = \
         \"danger-full-access\"\n[model_providers.tollway]\nname = \"Tollway\"\nbase_url = \"{}/v1\"\nenv_key = \
         \"TOLLWAY_KEY\"\nwire_api = \"responses\"\n",
        desk.app.url()
    );
    std::fs::write(home.join("config.toml"), config).expect("its configuration");
    let mut command = desk.command(program("@openai/codex-linux-x64", "codex"));
    command.args(["exec", "--skip-git-repo-check", "Run the tool"]);
    command.env("CODEX_HOME", &home).env("TOLLWAY_KEY", OWNER_KEY);
    desk.judge(&run(command).await);
}
