//! `/v1/groups`: holders of keys with the same access lists.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use routing::access::Group;
use serde_json::json;
use store::RuleKind;

use super::{Shown, listed};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;
use crate::rules::RuleError;
use crate::rules::edit::{Desk, Op, tag};

const KIND: RuleKind = RuleKind::Group;
const OBJECT: &str = "group";
/// Where a body names the group.
const NAME: &str = "name";

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
            let groups = desk.gateway().rules.groups(desk.account());
            let shown = groups.iter().map(|rule| Shown::of(OBJECT, rule).json(json!({})));
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
            desk.check(&text)?;
            known(&desk, &text).await?;
            let edited = match op {
                Op::Create => desk.create(name, NAME, &text).await?,
                _ => desk.put(&desk.slug()?, name.as_deref(), NAME, &text).await?,
            };
            let shown = Shown::row(OBJECT, &edited.row).json(json!({}));
            Ok(edited.answer(&shown.to_string(), &[]))
        }
        Op::Delete => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            desk.delete(&desk.slug()?).await
        }
    }
}

fn show(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let slug = desk.slug()?;
    let rule = desk.gateway().rules.group(desk.account(), &slug).ok_or_else(|| desk.missing(&slug))?;
    let body = json!({ "data": Shown::of(OBJECT, &rule).json(json!({})) });
    let mut response = router::json(body.to_string());
    tag(&mut response, rule.version);
    Ok(response)
}

/// Its lists are there, and its members belong to the organization.
async fn known(desk: &Desk<'_>, text: &str) -> Result<(), GatewayError> {
    let wrong = |path: String, problem: &str| GatewayError::RuleInvalid {
        kind: KIND,
        error: RuleError { path, problem: problem.to_owned() },
    };
    let group: Group =
        serde_json::from_str(text).map_err(|error| wrong(String::new(), &error.to_string()))?;
    let rules = &desk.gateway().rules;
    let missing =
        group.access_lists.iter().position(|list| rules.access_list(desk.account(), list).is_none());
    if let Some(at) = missing {
        return Err(wrong(format!("access_lists[{at}]"), "is not there; `GET /v1/access-lists` lists them"));
    }
    let (gateway, account) = (Arc::clone(desk.gateway()), desk.account().clone());
    let asking = async move {
        for (at, member) in group.members.iter().enumerate() {
            if gateway.store.holder(&account, member).await?.is_none() {
                return Ok(Some(at));
            }
        }
        Ok::<_, store::StoreError>(None)
    };
    match desk.gateway().on_control(asking).await {
        Some(Ok(None)) => Ok(()),
        Some(Ok(Some(at))) => Err(wrong(
            format!("members[{at}]"),
            "is no member and no service account of the organization; `GET /v1/organization/members` lists them by id",
        )),
        _ => Err(GatewayError::StoreUnavailable),
    }
}
