//! `/v1/access-lists`: models under a name, for keys and groups.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use routing::access::AccessList;
use serde_json::{Value, json};
use store::RuleKind;

use super::{Shown, listed};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;
use crate::rules::RuleError;
use crate::rules::edit::{Desk, Op, tag};

const KIND: RuleKind = RuleKind::AccessList;
const OBJECT: &str = "access_list";
/// Where a body names the list.
const NAME: &str = "name";
/// Most users of a list that are named to whoever would delete it.
const NAMED_MAX: usize = 5;

pub(super) async fn serve<B>(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    match op {
        Op::List => {
            let desk = Desk::reader(worker, &parts, KIND)?;
            let lists = desk.gateway().rules.access_lists(desk.account());
            let shown = lists
                .iter()
                .map(|rule| Shown::of(OBJECT, rule).json(more(desk.gateway(), rule.parsed.as_ref())));
            Ok(listed(&shown.collect::<Vec<_>>()))
        }
        Op::Show => show(&Desk::reader(worker, &parts, KIND)?),
        Op::Versions => {
            let desk = Desk::reader(worker, &parts, KIND)?;
            let rows = desk.versions(&desk.slug()?).await?;
            Ok(listed(&rows.iter().map(|row| Shown::version(row, OBJECT)).collect::<Vec<_>>()))
        }
        Op::Create | Op::Put => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let (text, name) = desk.name_in(&desk.body(body).await?, NAME)?;
            let edited = match op {
                Op::Create => desk.create(name, NAME, &text).await?,
                _ => desk.put(&desk.slug()?, name.as_deref(), NAME, &text).await?,
            };
            let read = serde_json::from_str(&edited.row.body).ok();
            let shown = Shown::row(OBJECT, &edited.row).json(more(desk.gateway(), read.as_ref()));
            Ok(edited.answer(&shown.to_string(), &[]))
        }
        Op::Delete => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let slug = desk.slug()?;
            unused(&desk, &slug)?;
            desk.delete(&slug).await
        }
    }
}

fn show(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let slug = desk.slug()?;
    let rule = desk.gateway().rules.access_list(desk.account(), &slug).ok_or_else(|| desk.missing(&slug))?;
    let shown = Shown::of(OBJECT, &rule).json(more(desk.gateway(), rule.parsed.as_ref()));
    let mut response = router::json(json!({ "data": shown }).to_string());
    tag(&mut response, rule.version);
    Ok(response)
}

fn more(gateway: &Gateway, list: Option<&AccessList>) -> Value {
    let world = gateway.world.load();
    json!({ "waiting": list.map(|list| list.waiting(&world.snapshot)).unwrap_or_default() })
}

/// A list that a key or a group has stays: without it they could call nothing.
fn unused(desk: &Desk<'_>, slug: &str) -> Result<(), GatewayError> {
    let gateway = desk.gateway();
    let keys = gateway.keys.load().of_account(desk.account());
    let keys = keys
        .iter()
        .filter(|key| !key.rules.revoked && key.rules.limits.access_lists.iter().any(|list| list == slug))
        .map(|key| format!("key {}", key.rules.id));
    let groups = gateway.rules.groups(desk.account());
    let has = |lists: &[String]| lists.iter().any(|list| list == slug);
    let groups = groups
        .iter()
        .filter(|rule| rule.parsed.as_ref().is_some_and(|group| has(&group.access_lists)))
        .map(|rule| format!("group `{}`", rule.slug));
    let users: Vec<String> = groups.chain(keys).collect();
    if users.is_empty() {
        return Ok(());
    }
    let more = users.len().saturating_sub(NAMED_MAX);
    let named = users.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let problem =
        format!("of `{slug}` would leave {named}{more} with nothing to call; take it from them first");
    Err(GatewayError::RuleInvalid { kind: KIND, error: RuleError { path: String::from("DELETE"), problem } })
}
