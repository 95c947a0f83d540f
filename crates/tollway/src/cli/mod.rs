//! The command line: arguments in, lines on standard output, an exit code out.
//!
//! Exit codes: 0 done, 2 what was asked for can't be (arguments, configuration, an amount), 1 it failed. Errors are lines
//! on standard error that say what, why and what to do. Commands work beside a running server: they use the same store,
//! and the server sees changes within a second.

mod args;
mod audit;
mod byok;
mod catalog;
mod catalog_args;
mod catalog_import;
mod check;
mod credits;
mod docs;
mod export;
mod keys;
mod ledger;
mod ledger_args;
mod load;
mod orgs;
mod output;
mod receipt;
mod reconcile;
mod replay;
mod rerate;
mod route;
mod rules;
#[cfg(test)]
mod tests;
pub(crate) mod users;
mod vouchers;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use store::RuleKind;
use types::{Clock, SystemClock};

use crate::config::{Environment, Problems};

pub use args::{Cli, Command};
pub use gateway::span::Expiry;
pub use keys::{OWNER, generate};
pub use load::{Loaded, load};

use output::Output;

/// What the binary plugs in.
pub struct Parts {
    /// The catalog that was built in.
    pub embedded: fn() -> anyhow::Result<::catalog::Snapshot>,
    /// Serves until it is told to stop.
    pub serve: fn(Loaded, Environment) -> anyhow::Result<()>,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Something in the question; exit code 2.
    BadInput(String),
    /// Something else; exit code 1.
    Failed(String),
}

impl Failure {
    /// What went wrong, a line each.
    pub fn text(&self) -> &str {
        match self {
            Failure::BadInput(text) | Failure::Failed(text) => text,
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::BadInput(problems.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        // The whole chain on one line.
        Failure::Failed(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Failed(format!("can't write the answer: {error}"))
    }
}

/// What a command has at hand.
struct Context<'a> {
    cli: &'a Cli,
    env: &'a Environment,
    parts: &'a Parts,
    clock: &'a dyn Clock,
    out: Output<'a>,
}

/// Runs the program and answers its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>, env: Environment, parts: &Parts) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come here too; clap knows which stream they belong on. A closed pipe is no news.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Not locked: serving prints from its own threads.
    let mut stdout = std::io::stdout();
    match run(&cli, env, parts, &SystemClock, &mut stdout) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (text, code) = match failure {
                Failure::BadInput(text) => (text, 2),
                Failure::Failed(text) => (text, 1),
            };
            let mut stderr = std::io::stderr().lock();
            for line in text.lines() {
                let _ = writeln!(stderr, "error: {line}");
            }
            ExitCode::from(code)
        }
    }
}

/// Runs one command.
///
/// # Errors
/// What the exit code and the lines on standard error are made of.
pub fn run(
    cli: &Cli,
    env: Environment,
    parts: &Parts,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let command = match &cli.command {
        None | Some(Command::Serve) => {
            let loaded = load(cli.config.as_deref(), &env, parts.embedded)?;
            return Ok((parts.serve)(loaded, env)?);
        }
        Some(command) => command,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("can't start the runtime: {error}")))?;
    let out = Output::new(out, cli.json);
    let mut context = Context { cli, env: &env, parts, clock, out };
    runtime.block_on(async {
        let done = dispatch(command, &mut context).await;
        audit::note(command, done.is_ok(), &context).await?;
        done
    })
}

async fn dispatch(command: &Command, context: &mut Context<'_>) -> Result<(), Failure> {
    match command {
        Command::Serve => Ok(()),
        Command::Check => check::check(context),
        Command::Route(args) => route::route(context, args).await,
        Command::Replay(args) => replay::replay(context, args).await,
        Command::Keys(args::Keys::Create(args)) => keys::create(context, args).await,
        Command::Keys(args::Keys::List) => keys::list(context).await,
        Command::Keys(args::Keys::Revoke { selector }) => keys::revoke(context, selector).await,
        Command::Credits(args::Credits::Grant(args)) => credits::grant(context, args).await,
        Command::Credits(args::Credits::Show { account }) => credits::show(context, account).await,
        Command::Credits(args::Credits::Orders { account }) => {
            credits::orders(context, account.as_deref()).await
        }
        Command::Credits(args::Credits::Refund { order, amount }) => {
            credits::refund(context, order, *amount).await
        }
        Command::Vouchers(vouchers) => vouchers::run(context, vouchers).await,
        Command::Users(users) => users::run(context, users).await,
        Command::Orgs(orgs) => orgs::run(context, orgs).await,
        Command::Audit(audit) => audit::run(context, audit).await,
        Command::Byok(byok) => byok::run(context, byok).await,
        Command::Policies(rules) => rules::run(context, RuleKind::Policy, rules).await,
        Command::Presets(rules) => rules::run(context, RuleKind::Preset, rules).await,
        Command::Catalog(args::Catalog::Check { dir }) => catalog::check(context, dir.as_deref()),
        Command::Catalog(args::Catalog::Export(args)) => catalog::export(context, args),
        Command::Catalog(args::Catalog::Import(args)) => catalog_import::import(context, args),
        Command::Catalog(args::Catalog::Diff(args)) => catalog::diff(context, args),
        Command::Ledger(args::Ledger::Verify(args)) => ledger::verify(context, args).await,
        Command::Ledger(args::Ledger::Rerate(args)) => rerate::rerate(context, args).await,
        Command::Ledger(args::Ledger::Reconcile(args)) => reconcile::reconcile(context, args).await,
        Command::Export(args) => export::export(context, args).await,
        Command::Receipt(args::Receipt::Verify(args)) => receipt::verify(context, args).await,
        Command::Docs { dir } => docs::write(context, dir),
        Command::Version => version(context),
    }
}

fn version(context: &mut Context<'_>) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    context
        .out
        .answer(&format!("tollway {version}"), &serde_json::json!({ "name": "tollway", "version": version }))
}
