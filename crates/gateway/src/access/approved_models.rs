//! `/v1/approved-models`: what an organization lets all of its keys call, and where prompts may go.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use routing::access::Approval;
use serde_json::{Value, json};
use store::RuleKind;

use super::{Shown, listed};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::guardrails::SLUG;
use crate::router;
use crate::rules::edit::{Desk, Op, tag};

const KIND: RuleKind = RuleKind::Approval;
const OBJECT: &str = "approval";

pub(super) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match op {
        Op::Put | Op::Create => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let text = desk.body(&body)?;
            let edited = desk.put(SLUG, None, "", &text).await?;
            let read = serde_json::from_str(&edited.row.body).ok();
            let shown = Shown { name: None, ..Shown::row(OBJECT, &edited.row) };
            Ok(edited.answer(&shown.json(more(desk.gateway(), read.as_ref())).to_string(), &[]))
        }
        Op::Delete => Desk::writer(worker, &parts, KIND)?.delete(SLUG).await,
        Op::Versions => {
            let rows = Desk::reader(worker, &parts, KIND)?.versions(SLUG).await?;
            Ok(listed(&rows.iter().map(|row| Shown::version(row, OBJECT)).collect::<Vec<_>>()))
        }
        Op::List | Op::Show => show(&Desk::reader(worker, &parts, KIND)?),
    }
}

/// An organization that approved nothing lets everything be called, at version 0.
fn show(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = desk.gateway();
    let Some(rule) = gateway.rules.approval(desk.account()) else {
        let open = Approval::default();
        let nothing = json!({
            "object": OBJECT, "version": 0, "created_at": Value::Null, "updated_at": Value::Null,
            "updated_by": Value::Null, "model_ids": Value::Null, OBJECT: open, "waiting": [],
        });
        return Ok(router::json(json!({ "data": nothing }).to_string()));
    };
    let shown = Shown { name: None, ..Shown::of(OBJECT, &rule) };
    let body = json!({ "data": shown.json(more(gateway, rule.parsed.as_ref())) });
    let mut response = router::json(body.to_string());
    tag(&mut response, rule.version);
    Ok(response)
}

/// Releases that wait: they fit, and came after the approval.
fn more(gateway: &Gateway, approval: Option<&Approval>) -> Value {
    let world = gateway.world.load();
    json!({ "waiting": approval.map(|approval| approval.waiting(&world.snapshot)).unwrap_or_default() })
}
