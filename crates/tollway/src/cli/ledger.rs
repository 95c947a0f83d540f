//! `tollway ledger`

use serde_json::json;

use super::{Context, Failure, keys};

pub(super) async fn verify(context: &mut Context<'_>) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let report = store.verify().await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let problems: Vec<String> =
        report.problems.iter().map(|p| format!("{}: {}: {}", p.check, p.subject, p.detail)).collect();
    let good = problems.is_empty();
    let json = json!({
        "ok": good,
        "entries": report.entries,
        "generations": report.generations,
        "problems": report.problems.iter().map(|p| json!({
            "check": p.check, "subject": p.subject, "detail": p.detail,
        })).collect::<Vec<_>>(),
        "more_problems": report.more_problems,
    });
    let counts = format!("{} entries, {} generations", report.entries, report.generations);
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
