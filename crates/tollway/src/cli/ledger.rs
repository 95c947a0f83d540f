//! `tollway ledger verify`

use std::io::Write;

use serde_json::json;
use store::Store;

use super::args::Verify;
use super::{Context, Failure, keys, load};
use crate::config::StoreUrl;

/// Entries or generations between two lines about the progress.
const ROWS_PER_LINE: u64 = 50_000;

pub(super) async fn verify(context: &mut Context<'_>, args: &Verify) -> Result<(), Failure> {
    let url = match &args.store {
        Some(url) => StoreUrl::new(url.as_str().into()),
        None => {
            load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?.config.store_url()
        }
    };
    let store = Store::open_to_read(url.expose()).await.map_err(|e| keys::failed(&e))?;
    let mut told = 0;
    let mut progress = |what: &'static str, count: u64| {
        if count / ROWS_PER_LINE != told {
            told = count / ROWS_PER_LINE;
            // Whoever closed standard error doesn't want to know.
            let _ = writeln!(std::io::stderr(), "{count} {what} checked");
        }
    };
    let report = store.verify_with(args.noted.as_ref(), &mut progress).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let problems: Vec<String> =
        report.problems.iter().map(|p| format!("{}: {}: {}", p.check, p.subject, p.detail)).collect();
    let good = problems.is_empty();
    let json = json!({
        "ok": good,
        "entries": report.entries,
        "generations": report.generations,
        "corrections": report.corrections,
        "head": report.head,
        "problems": report.problems.iter().map(|p| json!({
            "check": p.check, "subject": p.subject, "detail": p.detail,
        })).collect::<Vec<_>>(),
        "more_problems": report.more_problems,
    });
    let counts = format!(
        "{} entries, {} generations, {} corrections; newest entry {}",
        report.entries, report.generations, report.corrections, report.head
    );
    let human = if good {
        format!("the books are good: {counts}")
    } else {
        format!("{counts}\n{}", problems.join("\n"))
    };
    context.out.answer(&human, &json)?;
    if good {
        return Ok(());
    }
    let count = u64::try_from(problems.len()).unwrap_or(u64::MAX).saturating_add(report.more_problems);
    let what = if count == 1 { "1 problem" } else { &format!("{count} problems") };
    Err(Failure::Failed(format!("the books have {what}, listed above; stop granting and look into them")))
}
