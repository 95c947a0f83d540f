//! The webhook under attack, at full count, against the real program; a kind of attack is a line.

use anyhow::Result;
use e2e::webhooks::{FakeStripe, attack};
use types::Money;

use crate::sh;

/// True when nothing was credited wrongly and the books verify.
pub fn run(count: usize) -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway", "--bin", "tollway"]))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stripe = FakeStripe::start();
        let app = stripe.app().start().await;
        let (manager, _) = app.new_key(&["--management"]).await;
        let lines = attack(&app, &manager, count).await;
        for line in &lines {
            println!(
                "{:<32} {:>6} sent, {} USD credited wrongly: {:?}",
                line.kind, line.sent, line.wrong, line.answers
            );
        }
        let books = app.cli(&["ledger", "verify"]).await;
        println!("books: {books}");
        Ok(lines.iter().all(|line| line.wrong == Money::ZERO) && books["ok"] == true)
    })
}
