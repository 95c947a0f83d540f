//! `/v1/guardrails`: what of every call of an account is watched, whichever key makes it. Beside it the operator's, the key's and the
//! policy's guardrails hold.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use store::{RuleKind, RuleRow};
use wire::writer::Writer;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;
use crate::rules::edit::{Desk, Op, tag};

const KIND: RuleKind = RuleKind::Guardrails;
/// The one name under which an account has guardrails.
pub(crate) const SLUG: &str = "account";

/// Serves a path.
pub(crate) async fn serve<B>(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    match op {
        Op::Put => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let text = desk.body(body).await?;
            let edited = desk.put(SLUG, None, "", &text).await?;
            let row = &edited.row;
            Ok(edited.answer(&object(row.version, &rfc3339(row.created), &row.body), &[]))
        }
        Op::Delete => Desk::writer(worker, &parts, KIND)?.delete(SLUG).await,
        Op::Versions => versions(&Desk::reader(worker, &parts, KIND)?).await,
        Op::List | Op::Show | Op::Create => show(&Desk::reader(worker, &parts, KIND)?),
    }
}

/// An account without guardrails has empty ones, of version 0.
fn show(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let Some(rule) = desk.gateway().rules.guardrails(desk.account()) else {
        return Ok(router::json(format!("{{\"data\":{}}}", object(0, "", "{}"))));
    };
    let shown = object(rule.version, &rfc3339(rule.created), &rule.text);
    let mut response = router::json(format!("{{\"data\":{shown}}}"));
    tag(&mut response, rule.version);
    Ok(response)
}

/// Every version, the newest first; none where there never were any.
async fn versions(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let rows = match desk.versions(SLUG).await {
        Err(GatewayError::RuleNotFound { .. }) => Vec::new(),
        rows => rows?,
    };
    let objects: Vec<String> = rows.iter().map(version).collect();
    Ok(router::json(format!("{{\"data\":[{}],\"total_count\":{}}}", objects.join(","), objects.len())))
}

fn version(row: &RuleRow) -> String {
    let mut w = Writer::default();
    w.begin_object().field_json("version", &row.version).field("created_at", &rfc3339(row.created));
    w.field("created_by", &row.created_by).field_json("deleted", &row.deleted);
    w.field_raw("guardrails", if row.deleted { b"null".as_slice() } else { row.body.as_bytes() });
    String::from_utf8_lossy(&w.end_object_and_finish()).into_owned()
}

fn object(version: i64, updated: &str, text: &str) -> String {
    let mut w = Writer::default();
    w.begin_object().field("object", "guardrails").field_json("version", &version);
    if !updated.is_empty() {
        w.field("updated_at", updated);
    }
    w.field_raw("guardrails", text.as_bytes());
    String::from_utf8_lossy(&w.end_object_and_finish()).into_owned()
}
