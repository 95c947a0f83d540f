//! The real binary, in a folder of its own, on a free port of the loopback.
//!
//! Dropping a [`TestApp`] asserts that nothing was left undone: the process lives, no hold is open, every journal
//! record is folded into the store, and the log shows no panic.

mod actor;
mod binary;
mod config;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

pub use actor::{Actor, ask, ask_stream};
pub use config::{AppBuilder, Lab};

use crate::http::Client;

/// The key of the owner in every [`TestApp`] that doesn't ask for a first start.
pub const OWNER_KEY: &str = "sk-tw-testkit-owner-0123456789";

/// Tries to find a free port before giving up.
const STARTS_MAX: usize = 5;

/// A running gateway.
pub struct TestApp {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
    /// Of the server only, since the last start.
    extra_env: Vec<(String, String)>,
    child: Option<Child>,
    addr: SocketAddr,
    admin: SocketAddr,
    checked_on_drop: bool,
}

impl TestApp {
    /// Begins one.
    pub fn builder() -> AppBuilder {
        AppBuilder::default()
    }

    /// One provider `lab` at this upstream, with the model `lab/tiny` at $1 and $2 per million tokens.
    pub async fn with(upstream: &crate::FakeUpstream) -> TestApp {
        TestApp::builder().lab(Lab::at("lab", upstream).model("lab/tiny", "1", "2")).start().await
    }

    async fn launch(folder: tempfile::TempDir, env: Vec<(String, String)>) -> TestApp {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut app = TestApp {
            folder,
            env,
            extra_env: Vec::new(),
            child: None,
            addr: nowhere,
            admin: nowhere,
            checked_on_drop: true,
        };
        app.start().await;
        app
    }

    /// Where it serves.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Someone without a key.
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.addr, None)
    }

    /// Someone with this key.
    pub fn with_key(&self, key: &str) -> Actor {
        Actor::new(self.addr, Some(key))
    }

    /// The owner.
    pub fn owner(&self) -> Actor {
        self.with_key(OWNER_KEY)
    }

    /// Makes a key on the command line, with these further arguments, waits until the gateway knows it, and gives
    /// whoever has it and the key's id.
    pub async fn new_key(&self, arguments: &[&str]) -> (Actor, String) {
        let mut words = vec!["keys", "create", "--name", "made by a test"];
        words.extend_from_slice(arguments);
        let made = self.cli(&words).await;
        let field = |name: &str| match made.get(name).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("`keys create --json` gave no `{name}`"),
        };
        let actor = self.with_key(&field("key"));
        crate::eventually("a new key to be known", || async {
            (actor.get("/v1/key").await.status == 200).then_some(())
        })
        .await;
        (actor, field("id"))
    }

    /// Runs a command against the same folder, with `--json`, and gives what it printed.
    pub async fn cli(&self, arguments: &[&str]) -> Value {
        let mut words = arguments.to_vec();
        words.push("--json");
        let output = self.cli_raw(&words).await;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "tollway {words:?} failed: {out}{err}");
        match serde_json::from_str(&out) {
            Ok(value) => value,
            Err(error) => panic!("tollway {words:?} printed no JSON ({error}): {out}{err}"),
        }
    }

    /// Runs a command against the same folder.
    pub async fn cli_raw(&self, arguments: &[&str]) -> Output {
        self.cli_with(arguments, &[]).await
    }

    /// The same with these further environment variables.
    pub async fn cli_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = self.command();
        command.envs(env.iter().copied());
        command.args(arguments).stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output());
        match crate::within_ms(crate::COMMAND_PATIENCE_MS, "a command to end", run).await {
            Ok(Ok(output)) => output,
            failed => panic!("could not run tollway {arguments:?}: {failed:?}"),
        }
    }

    /// Kills it as a power cut would: SIGKILL, nothing is flushed.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM) without waiting.
    pub fn sigterm(&self) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.pid())).status();
        assert!(kill.is_ok_and(|status| status.success()), "could not send SIGTERM");
    }

    /// Waits until the process ends.
    pub async fn exited(&mut self) -> ExitStatus {
        assert!(self.child.is_some(), "the process was not running");
        let ending = async {
            loop {
                if let Some(ended) = self.ended() {
                    return ended;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        // It stays ours until it has ended, so that a test that waits in vain leaves no process behind.
        let ended = crate::within("the process to end", ending).await;
        self.child = None;
        match ended {
            Ok(status) => status,
            Err(error) => panic!("could not wait for the process: {error}"),
        }
    }

    /// Starts it again on the same folder after [`TestApp::kill9`] or [`TestApp::exited`], and waits until it is ready.
    pub async fn restart(&mut self) {
        self.kill9();
        self.start().await;
    }

    /// The same with these further environment variables, for this one life.
    pub async fn restart_with(&mut self, env: &[(&str, &str)]) {
        self.kill9();
        self.extra_env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.start().await;
        self.extra_env.clear();
    }

    /// What it wrote to standard output since the last start.
    pub fn stdout(&self) -> String {
        read(&self.folder.path().join("stdout"))
    }

    /// Everything that it logged (standard error), over all starts.
    pub fn log(&self) -> String {
        read(&self.folder.path().join("stderr"))
    }

    /// The value of a metric without labels, from the admin listener.
    pub async fn metric(&self, name: &str) -> Option<String> {
        let reply = Client::new(self.admin).get("/metrics").try_send().await.ok()?;
        let text = reply.text();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
    }

    /// Waits until every journal record is in the store and no hold is open.
    pub async fn settled(&self) {
        for gauge in ["tollway_holds_open", "tollway_journal_unfolded_records"] {
            crate::eventually(&format!("{gauge} to be 0"), || async {
                (self.metric(gauge).await.as_deref() == Some("0")).then_some(())
            })
            .await;
        }
    }

    /// Leaves out the checks on drop, for tests that end with a dead process.
    pub fn without_checks(&mut self) {
        self.checked_on_drop = false;
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary::tollway());
        command.current_dir(self.folder.path()).env_clear();
        for name in ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn start(&mut self) {
        for _ in 0..STARTS_MAX {
            [self.addr, self.admin] = crate::upstream::refused_addrs();
            if self.spawn_and_wait().await {
                return;
            }
        }
        panic!("tollway doesn't start:\n{}", tail(&self.log()));
    }

    /// False when the port was taken by someone else meanwhile.
    async fn spawn_and_wait(&mut self) -> bool {
        let open = |name: &str| {
            let path = self.folder.path().join(name);
            File::options().create(true).append(true).open(path).expect("open an output file")
        };
        fs::write(self.folder.path().join("stdout"), "").expect("empty the output file");
        let mut command = self.command();
        command
            .envs(self.extra_env.iter().map(|(name, value)| (name, value)))
            .env("TOLLWAY_LISTEN", self.addr.to_string())
            .env("TOLLWAY_SERVER__ADMIN_LISTEN", self.admin.to_string())
            .stdin(Stdio::null())
            .stdout(open("stdout"))
            .stderr(open("stderr"));
        self.child = Some(command.spawn().expect("start tollway"));
        crate::within("/readyz", async {
            while self.ended().is_none() {
                let reply = Client::new(self.addr).get("/readyz").try_send().await;
                if reply.is_ok_and(|reply| reply.status == 200) {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(self.log().contains("in use"), "tollway ended at once:\n{}", tail(&self.log()));
            false
        })
        .await
    }

    /// How the process ended; `None` while it runs.
    fn ended(&mut self) -> Option<std::io::Result<ExitStatus>> {
        self.child.as_mut().and_then(|child| child.try_wait().transpose())
    }

    /// What is wrong at the end of a test, if anything.
    async fn faults(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.log().contains("panicked at") {
            faults.push("a panic in the log".to_owned());
        }
        if self.child.is_none() {
            return faults;
        }
        if let Some(ended) = self.ended() {
            faults.push(format!("the process ended: {ended:?}"));
            return faults;
        }
        for gauge in ["tollway_holds_open", "tollway_journal_unfolded_records"] {
            let mut last = None;
            for _ in 0..crate::PATIENCE_MS / 20 {
                last = self.metric(gauge).await;
                if last.as_deref() == Some("0") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if last.as_deref() != Some("0") {
                faults.push(format!("{gauge} is {last:?} at the end, not 0"));
            }
        }
        faults
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.kill9();
            report(&format!("the log of tollway:\n{}", tail(&self.log())));
            return;
        }
        let faults = if self.checked_on_drop { self.faults_blocking() } else { Vec::new() };
        self.kill9();
        assert!(faults.is_empty(), "left undone: {faults:?}\n{}", tail(&self.log()));
    }
}

impl TestApp {
    /// Drop may run inside a test's runtime, so the questions are asked on a thread of their own.
    fn faults_blocking(&mut self) -> Vec<String> {
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_or_else(|e| vec![e.to_string()], |runtime| runtime.block_on(self.faults()))
            });
            asked.join().unwrap_or_else(|_| vec!["the checks themselves panicked".to_owned()])
        })
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows the log")]
fn report(text: &str) {
    eprintln!("{text}");
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
}
