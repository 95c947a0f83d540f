//! The site in a headless Chromium: pictures of every page, light and dark, narrow and wide, with much, little and no data, on one
//! sheet; and the site used as people use it. What the browser or axe-core complains about on the way is a failure.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{paths, sh, tools};

/// States that the preview shows, in the order of its ports.
const STATES: [&str; 3] = ["little", "much", "none"];
/// Scripts that use the site as people do.
const BROWSED: [&str; 2] = ["site_browse.mjs", "console_see.mjs"];
/// Tries to find ports beside each other.
const TRIES_MAX: usize = 100;

/// What shows the pages.
pub struct Programs {
    /// The product.
    tollway: PathBuf,
    /// The pages with made-up data: `cargo build -p tollway-web --example preview`.
    preview: PathBuf,
}

impl Programs {
    /// Those that a build of everything has left.
    pub fn built() -> Programs {
        let debug = sh::target_dir().join("debug");
        Programs { tollway: debug.join("tollway"), preview: debug.join("examples/preview") }
    }
}

/// Takes the pictures of programs built now.
pub fn run() -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway-web", "--example", "preview"]))?;
    take(&Programs::built(), false)
}

/// Pictures into `target/screens`, all of them on `index.html` and `sheet.png`; true when there was nothing to complain about. A sample shows
/// each page narrow and dark, wide and light.
pub fn take(programs: &Programs, is_sample: bool) -> Result<bool> {
    let out = sh::root().join("target/screens");
    fs::create_dir_all(&out)?;
    drive(programs, |node| {
        node.env("TOLLWAY_SCREENS_SAMPLE", if is_sample { "1" } else { "0" });
        node.arg(sh::root().join("xtask/screens.mjs")).arg(&out)
    })
}

/// Search, filters, sorting and sources with scripts and without, and every page by keyboard; true when all of it worked.
pub fn browse(programs: &Programs) -> Result<bool> {
    let mut is_well = true;
    for script in BROWSED {
        is_well &= drive(programs, |node| node.arg(sh::root().join("xtask").join(script)))?;
    }
    Ok(is_well)
}

/// Journeys that begin at a first start, each at a server of its own: to the first answer and the playground, the pages of what is
/// ruled, and the operator's; and the ways with money; true when all of it worked.
pub fn journeys(programs: &Programs) -> Result<bool> {
    let mut is_well = true;
    for script in ["console_chat.mjs", "console_rule.mjs", "console_ops.mjs"] {
        is_well &= drive(programs, |node| node.arg(sh::root().join("xtask").join(script)))?;
    }
    Ok(is_well & paths::run(&programs.tollway)?)
}

/// Runs a script for Node with the addresses of all places behind its own arguments, and the token that a first start prints for its
/// owner.
fn drive(programs: &Programs, script: impl FnOnce(&mut Command) -> &mut Command) -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let port = sh::free_port()?;
    let mut command = Command::new(&programs.tollway);
    // An empty environment: only the sandbox is on, and every picture is the same everywhere.
    command.current_dir(dir.path()).env_clear().env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}"));
    command.env("TOLLWAY_DATA_DIR", dir.path().join("data"));
    let log = dir.path().join("log");
    let mut server = sh::Server::start(&mut command, "TERM", &log)?;
    let (_console, console_port, made) = console(programs, dir.path())?;
    let first = ports_in_a_row()?;
    let mut command = Command::new(&programs.preview);
    command.current_dir(dir.path()).arg(first.to_string());
    let mut preview = sh::Server::start(&mut command, "TERM", &dir.path().join("preview.log"))?;
    server.wait_until("Tollway", || sh::listens(port) && owner_token(&log).is_ok())?;
    let ports = || (first..).take(STATES.len());
    preview.wait_until("the preview", || ports().all(sh::listens))?;
    let mut node = Command::new(tools::node_bin()?.join("node"));
    script(&mut node).arg(format!("real=http://127.0.0.1:{port}"));
    node.arg(format!("console=http://127.0.0.1:{console_port}")).env("TOLLWAY_CONSOLE_MADE", made);
    node.args(STATES.iter().zip(ports()).map(|(state, port)| format!("{state}=http://127.0.0.1:{port}")));
    node.env("TOLLWAY_OWNER_TOKEN", owner_token(&log)?).env("TOLLWAY_LOG", &log);
    is_well(node)
}

/// Runs a script for Node that drives Chromium; true when it ends well.
pub fn is_well(mut node: Command) -> Result<bool> {
    node.env("TOLLWAY_SCREENS_CHROMIUM", tools::chromium()?);
    node.env("TOLLWAY_SCREENS_NODE_DIR", tools::node_dir()?);
    let (status, _) = sh::tee(&mut node)?;
    Ok(status.success())
}

/// A server whose console has something to show: it, its port, and the file that says how to look at it. Providers of the catalog are
/// answered for by the script while it makes the data.
fn console(programs: &Programs, dir: &Path) -> Result<(sh::Server, u16, PathBuf)> {
    let [port, upstream] = sh::free_ports()?;
    let (log, made) = (dir.join("console.log"), dir.join("console.json"));
    let mut command = Command::new(&programs.tollway);
    command.current_dir(dir).env_clear().env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}"));
    command.env("TOLLWAY_DATA_DIR", dir.join("console")).env("TOLLWAY_UPSTREAM__FETCH_PRIVATE", "true");
    for provider in ["MISTRAL", "GROQ"] {
        command.env(format!("TOLLWAY_PROVIDERS__{provider}__API_KEY"), "made-up");
        command.env(
            format!("TOLLWAY_PROVIDERS__{provider}__BASE_URL"),
            format!("http://127.0.0.1:{upstream}/v1"),
        );
    }
    let mut server = sh::Server::start(&mut command, "TERM", &log)?;
    server.wait_until("Tollway", || sh::listens(port) && owner_token(&log).is_ok())?;
    let mut node = Command::new(tools::node_bin()?.join("node"));
    node.arg(sh::root().join("xtask/console_data.mjs")).arg(format!("http://127.0.0.1:{port}"));
    node.args([&log, &made]).arg(upstream.to_string());
    let (status, _) = sh::tee(&mut node)?;
    ensure!(status.success(), "the console's data could not be made");
    Ok((server, port, made))
}

/// What the greeting of a first start leads its owner in with.
pub fn owner_token(log: &Path) -> Result<String> {
    let said = fs::read_to_string(log).context("reading what the server said")?;
    let (_, after) = said.split_once("accept?token=").context("no token for the owner was printed")?;
    Ok(after.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The first of as many free ports beside each other as the preview has states.
fn ports_in_a_row() -> Result<u16> {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..TRIES_MAX)
        .filter_map(|_| sh::free_port().ok())
        .find(|first| (*first..).take(STATES.len()).all(is_free))
        .context("no free ports beside each other")
}
