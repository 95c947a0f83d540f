//! `/v1/policies`: routing rules that an account has given a name, asked for as the model `policy/<name>`.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use store::{RuleKind, RuleRow};
use wire::writer::Writer;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;
use crate::rules::PolicyRule;
use crate::rules::edit::{Desk, Op, tag};

const KIND: RuleKind = RuleKind::Policy;
/// Where a body names the policy; the rest of the body is the policy itself.
const NAME: &str = "name";

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match op {
        Op::List => list(&Desk::reader(worker, &parts, KIND)?),
        Op::Show => show(&Desk::reader(worker, &parts, KIND)?),
        Op::Versions => versions(&Desk::reader(worker, &parts, KIND)?).await,
        Op::Create => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let (text, name) = desk.name_in(&desk.body(&body)?, NAME)?;
            let edited = desk.create(name, NAME, &text).await?;
            Ok(edited.answer(&object(&Shown::of(&edited.row)), &[]))
        }
        Op::Put => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let slug = desk.slug()?;
            let (text, name) = desk.name_in(&desk.body(&body)?, NAME)?;
            let edited = desk.put(&slug, name.as_deref(), NAME, &text).await?;
            Ok(edited.answer(&object(&Shown::of(&edited.row)), &[]))
        }
        Op::Delete => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            desk.delete(&desk.slug()?).await
        }
    }
}

fn list(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let rules = desk.gateway().rules.policies(desk.account());
    let objects: Vec<String> = rules.iter().map(|rule| object(&Shown::from(&**rule))).collect();
    let body = format!("{{\"data\":[{}],\"total_count\":{}}}", objects.join(","), objects.len());
    Ok(router::json(body))
}

fn show(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let slug = desk.slug()?;
    let rule = desk.gateway().rules.policy(desk.account(), &slug).ok_or_else(|| desk.missing(&slug))?;
    let mut response = router::json(format!("{{\"data\":{}}}", object(&Shown::from(&*rule))));
    tag(&mut response, rule.version);
    Ok(response)
}

async fn versions(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let rows = desk.versions(&desk.slug()?).await?;
    let objects: Vec<String> = rows.iter().map(version).collect();
    Ok(router::json(format!("{{\"data\":[{}],\"total_count\":{}}}", objects.join(","), objects.len())))
}

/// What is shown of a policy, from memory or from the store.
struct Shown<'a> {
    slug: &'a str,
    version: i64,
    text: &'a str,
    created: String,
    updated: String,
    by: &'a str,
}

impl<'a> Shown<'a> {
    fn of(row: &'a RuleRow) -> Shown<'a> {
        Shown {
            slug: &row.slug,
            version: row.version,
            text: &row.body,
            created: rfc3339(row.first_created),
            updated: rfc3339(row.created),
            by: &row.created_by,
        }
    }
}

impl<'a> From<&'a PolicyRule> for Shown<'a> {
    fn from(rule: &'a PolicyRule) -> Shown<'a> {
        Shown {
            slug: &rule.slug,
            version: rule.version,
            text: &rule.text,
            created: rfc3339(rule.first_created),
            updated: rfc3339(rule.created),
            by: &rule.created_by,
        }
    }
}

fn object(shown: &Shown<'_>) -> String {
    let mut w = Writer::default();
    w.begin_object().field("id", &format!("policy/{}", shown.slug)).field("object", "policy");
    w.field("name", shown.slug).field_json("version", &shown.version);
    w.field("created_at", &shown.created).field("updated_at", &shown.updated).field("updated_by", shown.by);
    w.field_raw("policy", shown.text.as_bytes());
    String::from_utf8_lossy(&w.end_object_and_finish()).into_owned()
}

fn version(row: &RuleRow) -> String {
    let mut w = Writer::default();
    w.begin_object().field_json("version", &row.version).field("created_at", &rfc3339(row.created));
    w.field("created_by", &row.created_by).field_json("deleted", &row.deleted);
    w.field_raw("policy", row.body.as_bytes());
    String::from_utf8_lossy(&w.end_object_and_finish()).into_owned()
}
