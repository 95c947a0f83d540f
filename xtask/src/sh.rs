//! Running other programs: where things are, how a child is waited for, and how it is stopped when we are.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on, ctrl-c and SIGTERM end the current child and let destructors stop the servers.
pub fn catch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("setting the signal handler")
}

/// Fails once somebody asked us to stop.
pub fn check_interrupted() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    Ok(())
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Where cargo builds to.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A cargo command in the workspace root, by the cargo that started us.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    from_root(&mut command);
    command
}

/// Makes a command run in the workspace root, without the variables that `cargo run` set for this program: they would
/// make every crate that looks at them compile again.
pub fn from_root(command: &mut Command) {
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let is_ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if name.to_str().is_some_and(|name| is_ours.iter().any(|start| name.starts_with(start))) {
            command.env_remove(&name);
        }
    }
}

/// The first of these programs that is installed.
pub fn which(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    names.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name))).find(|path| path.is_file())
}

/// Runs to the end with our own output; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    let status = wait(&mut spawn(command)?)?;
    ensure!(status.success(), "{} failed: {status}", name(command));
    Ok(())
}

/// Runs to the end and gives its standard output; an error, with what it said, unless it succeeds.
pub fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {}", name(command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {}\n{}", name(command), output.status, said.trim());
    String::from_utf8(output.stdout)
        .with_context(|| format!("{} wrote bytes that are no text", name(command)))
}

/// Runs to the end, shows both outputs as they come, and gives all their lines with the status.
pub fn tee(command: &mut Command) -> Result<(ExitStatus, Vec<String>)> {
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let readers = [
        child.stdout.take().map(|pipe| thread::spawn(move || show_lines(pipe))),
        child.stderr.take().map(|pipe| thread::spawn(move || show_lines(pipe))),
    ];
    let status = wait(&mut child)?;
    let mut lines = Vec::new();
    for reader in readers.into_iter().flatten() {
        lines.extend(reader.join().unwrap_or_default());
    }
    Ok((status, lines))
}

fn show_lines(pipe: impl Read) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        lines.push(line);
    }
    lines
}

fn spawn(command: &mut Command) -> Result<Child> {
    check_interrupted()?;
    command.stdin(Stdio::null()).spawn().with_context(|| format!("starting {}", name(command)))
}

/// Waits in small steps, so that an interrupt ends the child too.
fn wait(child: &mut Child) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if check_interrupted().is_err() {
            // A terminal's ctrl-c reached the child as well; it has a moment to end by itself.
            thread::sleep(Duration::from_millis(500));
            child.kill()?;
            child.wait()?;
            bail!("interrupted");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The program's name, for messages.
pub fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned()
}

/// A server that ends with the guard.
pub struct Server {
    child: Child,
    stop_signal: &'static str,
    log: PathBuf,
}

impl Server {
    /// Starts it with both outputs in `log`. `stop_signal` (`INT`, `TERM`) asks it to end.
    pub fn start(command: &mut Command, stop_signal: &'static str, log: &Path) -> Result<Server> {
        let file = fs::File::create(log)?;
        let child = spawn(command.stdout(file.try_clone()?).stderr(file))?;
        Ok(Server { child, stop_signal, log: log.to_path_buf() })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log_text(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until `ready` says yes; an error with the log when the server ends or the time is over.
    pub fn wait_until(&mut self, what: &str, ready: impl Fn() -> bool) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        while !ready() {
            check_interrupted()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("{what} ended ({status}) before it was ready:\n{}", self.log_text());
            }
            ensure!(Instant::now() < end, "{what} was not ready within 30 s:\n{}", self.log_text());
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Signals from safe code go through the shell's own `kill`.
        let ask = format!("kill -{} {}", self.stop_signal, self.child.id());
        let asked = Command::new("sh").args(["-c", &ask]).stderr(Stdio::null()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while asked.is_ok() && Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    let [port] = free_ports()?;
    Ok(port)
}

/// Several such ports, no two the same.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut listeners = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        // Kept open until all are taken, or the same port could come twice.
        listeners.push(listener);
    }
    Ok(ports)
}

/// True when somebody listens there.
pub fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
