//! `tollway audit`, and the pen that writes down what was done on the command line.

use gateway::acts::of_operator;
use gateway::organization::audit::object;
use serde_json::{Value, json};
use types::AccountId;

use super::args::{self, Audit, Command};
use super::output::columns;
use super::{Context, Failure, keys};

/// What a command changes, in the audit log's words; `None`: it changes nothing.
fn act(command: &Command) -> Option<&'static str> {
    match command {
        Command::Keys(args::Keys::Create(_)) => Some("keys create"),
        Command::Keys(args::Keys::Revoke { .. }) => Some("keys revoke"),
        Command::Credits(args::Credits::Grant(_)) => Some("credits grant"),
        Command::Credits(args::Credits::Refund { .. }) => Some("credits refund"),
        Command::Vouchers(args::Vouchers::Create(_)) => Some("vouchers create"),
        Command::Vouchers(args::Vouchers::Revoke { .. }) => Some("vouchers revoke"),
        Command::Users(args::Users::List) => None,
        Command::Users(args::Users::Invite { .. }) => Some("users invite"),
        Command::Users(args::Users::OwnerToken) => Some("users owner-token"),
        Command::Users(args::Users::Disable { .. }) => Some("users disable"),
        Command::Users(args::Users::Enable { .. }) => Some("users enable"),
        Command::Users(args::Users::EndSecondFactor { .. }) => Some("users end-second-factor"),
        Command::Users(args::Users::Erase { .. }) => Some("users erase"),
        Command::Users(args::Users::Export { .. }) => Some("users export"),
        Command::Orgs(args::Orgs::End { .. }) => Some("orgs end"),
        Command::Orgs(args::Orgs::Export { .. }) => Some("orgs export"),
        Command::Orgs(args::Orgs::Create { .. }) => Some("orgs create"),
        Command::Orgs(args::Orgs::SetRole { .. }) => Some("orgs set-role"),
        Command::Byok(args::Byok::Add(_)) => Some("byok add"),
        Command::Byok(args::Byok::Remove { .. }) => Some("byok remove"),
        Command::Policies(args::Rules::Set { .. }) => Some("policies set"),
        Command::Policies(args::Rules::Delete { .. }) => Some("policies delete"),
        Command::Presets(args::Rules::Set { .. }) => Some("presets set"),
        Command::Presets(args::Rules::Delete { .. }) => Some("presets delete"),
        Command::Ledger(args::Ledger::Rerate(args)) if args.apply => Some("ledger rerate"),
        _ => None,
    }
}

/// Writes down what a command did.
pub(super) async fn note(command: &Command, done: bool, context: &Context<'_>) -> Result<(), Failure> {
    let Some(action) = act(command).filter(|_| done) else { return Ok(()) };
    let (_, store) = keys::open(context).await?;
    let act = of_operator(action, done, context.clock.now());
    let noted = store.note_act(&act).await.map_err(|e| keys::failed(&e));
    store.close().await;
    noted
}

pub(super) async fn run(context: &mut Context<'_>, audit: &Audit) -> Result<(), Failure> {
    match audit {
        Audit::List { organization, count, before } => {
            list(context, organization.as_deref(), *count, before.unwrap_or(i64::MAX)).await
        }
        Audit::Verify { head } => verify(context, head.as_deref()).await,
    }
}

async fn list(
    context: &mut Context<'_>,
    organization: Option<&str>,
    count: u32,
    before: i64,
) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let account = organization.map(AccountId::new);
    let rows = store.acts(account.as_ref(), before, i64::from(count)).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let mut lines = vec![
        ["number", "at", "organization", "actor", "action", "object", "from", "status"]
            .map(str::to_owned)
            .to_vec(),
    ];
    lines.extend(rows.iter().map(|row| {
        let act = &row.act;
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        vec![
            row.seq.to_string(),
            keys::instant(act.at),
            act.account.to_string(),
            act.actor.clone(),
            act.action.clone(),
            or_dash(&act.object),
            or_dash(&act.address),
            act.status.to_string(),
        ]
    }));
    let shown: Vec<Value> = rows.iter().map(object).collect();
    context.out.answer(&columns(&lines), &json!({ "acts": shown }))
}

async fn verify(context: &mut Context<'_>, head: Option<&str>) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let mut report = store.verify_audit().await.map_err(|e| keys::failed(&e))?;
    if let Some(head) = head {
        let wrong = || Failure::BadInput("--head is NUMBER:HASH, as an earlier verify printed it".to_owned());
        let (number, hash) = head.split_once(':').ok_or_else(wrong)?;
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let found = store.acts(None, number.saturating_add(1), 1).await.map_err(|e| keys::failed(&e))?;
        if found.first().map(|row| (row.seq, row.hash.as_str())) != Some((number, hash)) {
            report.problems.push(format!("act {number} is not the one that was noted, or is gone"));
        }
    }
    store.close().await;
    let noted = report.head.as_ref().map(|(number, hash)| format!("{number}:{hash}"));
    let told = match report.problems.is_empty() {
        true => format!("{} acts, every hash holds", report.acts),
        false => report.problems.join("\n"),
    };
    let human = match &noted {
        Some(head) => format!("{told}\nnote this elsewhere, and check it with --head: {head}"),
        None => told.clone(),
    };
    let json = json!({ "acts": report.acts, "head": noted, "problems": report.problems });
    if report.problems.is_empty() {
        return context.out.answer(&human, &json);
    }
    context.out.answer(&human, &json)?;
    Err(Failure::Failed(format!("{} problems in the audit log", report.problems.len())))
}
