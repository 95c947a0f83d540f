//! What access lists and groups share: rules that an organization has several of, each under a name.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::{Value, json};
use store::RuleKind;
use types::AccountId;

use super::{Shown, listed};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;
use crate::rules::Rule;
use crate::rules::edit::{Desk, Op, tag};

/// Where a body names the rule.
const NAME: &str = "name";

/// A kind of such rules.
pub(super) trait Named {
    /// What is written in one.
    type Written: serde::de::DeserializeOwned;
    const KIND: RuleKind;
    /// Its name in JSON.
    const OBJECT: &'static str;

    /// All of an account, by name.
    fn all(gateway: &Gateway, account: &AccountId) -> Vec<Arc<Rule<Option<Self::Written>>>>;

    fn one(gateway: &Gateway, account: &AccountId, slug: &str) -> Option<Arc<Rule<Option<Self::Written>>>>;

    /// What is worked out from one and shown beside it.
    fn beside(_gateway: &Gateway, _written: Option<&Self::Written>) -> Value {
        json!({})
    }

    /// Whether what it names is there.
    async fn known(desk: &Desk<'_>, text: &str) -> Result<(), GatewayError>;

    /// Whether nobody needs it.
    fn unused(_desk: &Desk<'_>, _slug: &str) -> Result<(), GatewayError> {
        Ok(())
    }
}

pub(super) async fn serve<N: Named>(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match op {
        Op::List => {
            let desk = Desk::reader(worker, &parts, N::KIND)?;
            let rules = N::all(desk.gateway(), desk.account());
            Ok(listed(&rules.iter().map(|rule| shown::<N>(&desk, rule)).collect::<Vec<_>>()))
        }
        Op::Show => {
            let desk = Desk::reader(worker, &parts, N::KIND)?;
            let slug = desk.slug()?;
            let rule = N::one(desk.gateway(), desk.account(), &slug).ok_or_else(|| desk.missing(&slug))?;
            let mut response = router::json(json!({ "data": shown::<N>(&desk, &rule) }).to_string());
            tag(&mut response, rule.version);
            Ok(response)
        }
        Op::Versions => {
            let desk = Desk::reader(worker, &parts, N::KIND)?;
            let rows = desk.versions(&desk.slug()?).await?;
            Ok(listed(&rows.iter().map(|row| Shown::version(row, N::OBJECT)).collect::<Vec<_>>()))
        }
        Op::Create | Op::Put => {
            let desk = Desk::writer(worker, &parts, N::KIND)?;
            let (text, name) = desk.name_in(&desk.body(&body)?, NAME)?;
            N::known(&desk, &text).await?;
            let edited = match op {
                Op::Create => desk.create(name, NAME, &text).await?,
                _ => desk.put(&desk.slug()?, name.as_deref(), NAME, &text).await?,
            };
            let written = serde_json::from_str(&edited.row.body).ok();
            let beside = N::beside(desk.gateway(), written.as_ref());
            let shown = Shown::row(N::OBJECT, &edited.row).json(beside);
            Ok(edited.answer(&shown.to_string(), &[]))
        }
        Op::Delete => {
            let desk = Desk::writer(worker, &parts, N::KIND)?;
            let slug = desk.slug()?;
            N::unused(&desk, &slug)?;
            desk.delete(&slug).await
        }
    }
}

fn shown<N: Named>(desk: &Desk<'_>, rule: &Rule<Option<N::Written>>) -> Value {
    Shown::of(N::OBJECT, rule).json(N::beside(desk.gateway(), rule.parsed.as_ref()))
}
