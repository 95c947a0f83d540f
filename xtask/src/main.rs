//! `cargo xtask`: what whoever works on Tollway runs. Each command is one file.

mod bench;
mod chaos;
mod conformance;
mod docs;
mod eval;
mod fuzz;
mod opinions;
mod paths;
mod postgres;
mod screens;
mod sh;
mod style;
mod test;
mod tools;
mod train;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tests, measurements and generated files of Tollway")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything: formatting, lints, style, docs, unit, integration and browser tests, short fuzzing
    Test(test::Args),
    /// The house rules that a program can check: crate edges, sizes, words, links, bans
    Style,
    /// Writes the generated pages of docs/
    Docs {
        /// Writes nothing; fails when a page is stale
        #[arg(long)]
        check: bool,
    },
    /// Measures Tollway beside a direct connection and plain nginx
    Bench(bench::Args),
    /// One measurement, printed as JSON: what `bench` runs on its own core
    #[command(hide = true)]
    Load(bench::load::Args),
    /// Kills Tollway under load, again and again, and checks the books
    Chaos(chaos::Args),
    /// Every way in to every way out; writes docs/conformance.md
    Conformance,
    /// Measures correctness and quality at full count
    Eval {
        #[command(subcommand)]
        what: eval::What,
    },
    /// Trains the task classifier on our own prompts, and measures it on those kept apart
    Train(train::Args),
    /// Fuzzes every target, or the named ones
    Fuzz(fuzz::Args),
    /// Takes pictures of the pages, and fails on console errors and foreign requests
    Screens,
}

fn main() -> ExitCode {
    match sh::catch_interrupts().and_then(|()| run(Cli::parse().command)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Each command says whether all was well; an error means that it could not find out.
fn run(command: Command) -> Result<bool> {
    match command {
        Command::Test(args) => test::run(&args),
        Command::Style => style::run(),
        Command::Docs { check } => docs::run(check),
        Command::Bench(args) => bench::run(&args),
        Command::Load(args) => bench::load::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Conformance => conformance::run(),
        Command::Eval { what } => eval::run(&what),
        Command::Train(args) => train::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Screens => screens::run(),
    }
}
