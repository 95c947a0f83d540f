//! What the paths of policies and presets share: who may, which one, over which version, and the writing itself.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use store::{RuleKind, RuleName, RuleRow, StoreError, Written};
use types::AccountId;
use wire::json;
use wire::node::Node;
use wire::splice::Splice;

use super::check::{Checked, RuleError, check};
use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{caller, manager};
use crate::keys::KeyState;
use crate::router;

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// All of the account's.
    List,
    /// A new one.
    Create,
    /// One.
    Show,
    /// One written, whether it is new or not.
    Put,
    /// One taken away.
    Delete,
    /// Every version of one.
    Versions,
}

/// Over which version an edit may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Any,
    Version(i64),
}

/// A request about the rules of its caller's account.
pub(crate) struct Desk<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) parts: &'a Parts,
    pub(crate) kind: RuleKind,
    key: Arc<KeyState>,
}

impl<'a> Desk<'a> {
    /// For reading: any key of the account.
    pub(crate) fn reader(
        worker: &'a Arc<Worker>,
        parts: &'a Parts,
        kind: RuleKind,
    ) -> Result<Desk<'a>, GatewayError> {
        let key = caller(worker, parts, Access::AnyKey)?;
        Ok(Desk { worker, parts, kind, key })
    }

    /// For writing: a management key of the account.
    pub(crate) fn writer(
        worker: &'a Arc<Worker>,
        parts: &'a Parts,
        kind: RuleKind,
    ) -> Result<Desk<'a>, GatewayError> {
        let key = manager(parts)?;
        Ok(Desk { worker, parts, kind, key })
    }

    pub(crate) fn gateway(&self) -> &'a Arc<Gateway> {
        &self.worker.gateway
    }

    pub(crate) fn account(&self) -> &AccountId {
        &self.key.account.id
    }

    /// The name in the path.
    pub(crate) fn slug(&self) -> Result<String, GatewayError> {
        let mut segments =
            self.parts.uri.path().split('/').skip_while(|segment| *segment != self.kind.plural());
        let text = segments.nth(1).unwrap_or_default();
        let slug = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        self.check_slug(&slug)?;
        Ok(slug)
    }

    fn check_slug(&self, slug: &str) -> Result<(), GatewayError> {
        store::check_slug(slug).map_err(|error| self.invalid("", &error.to_string()))
    }

    fn invalid(&self, path: &str, problem: &str) -> GatewayError {
        let error = RuleError { path: path.to_owned(), problem: problem.to_owned() };
        GatewayError::RuleInvalid { kind: self.kind, error }
    }

    /// There is none of that name; these look like it.
    pub(crate) fn missing(&self, slug: &str) -> GatewayError {
        missing(self.gateway(), self.account(), self.kind, slug)
    }

    /// The body as text that is one JSON object.
    pub(crate) fn body(&self, body: &Bytes) -> Result<String, GatewayError> {
        json::object(body).map_err(|error| {
            let what = self.kind.noun();
            self.invalid("", &format!("is not a JSON object: {error}; send the {what} as one"))
        })?;
        String::from_utf8(body.to_vec()).map_err(|_| self.invalid("", "is not UTF-8"))
    }

    /// Takes the name out of a body: that of a new rule, or one that repeats the path's.
    pub(crate) fn name_in(&self, body: &str, field: &str) -> Result<(String, Option<String>), GatewayError> {
        let members = json::object(body.as_bytes()).unwrap_or_default();
        let Some(member) = json::find(body.as_bytes(), &members, field) else {
            return Ok((body.to_owned(), None));
        };
        let name = Node::at(body.as_bytes(), &member.value).string();
        let name = name.ok_or_else(|| self.invalid(field, "must be a text"))?.into_owned();
        let mut splice = Splice::new();
        splice.remove(member);
        let (start, end) = (body.find('{').unwrap_or(0), body.rfind('}').map_or(body.len(), |at| at + 1));
        let mut rest = Vec::with_capacity(body.len());
        splice.apply(body.as_bytes(), start..end, &members, &mut rest);
        Ok((String::from_utf8_lossy(&rest).into_owned(), Some(name)))
    }

    /// Writes a new rule.
    pub(crate) async fn create(
        &self,
        slug: Option<String>,
        field: &str,
        text: &str,
    ) -> Result<Edited, GatewayError> {
        let slug = slug.ok_or_else(|| {
            let what = self.kind.noun();
            self.invalid(field, &format!("is missing; name the {what}, such as \"support-bot\""))
        })?;
        store::check_slug(&slug).map_err(|error| self.invalid(field, &error.to_string()))?;
        let checked = self.check(text)?;
        let text = checked.text.clone().unwrap_or_else(|| text.to_owned());
        let row = self.write(&slug, Some(text), Write::Create).await?;
        Ok(Edited { row, checked, made: true })
    }

    /// Writes a rule whether it is new or not.
    pub(crate) async fn put(
        &self,
        slug: &str,
        named: Option<&str>,
        field: &str,
        text: &str,
    ) -> Result<Edited, GatewayError> {
        if named.is_some_and(|named| named != slug) {
            let problem = format!("must be `{slug}` as in the path, or be left out; names don't change");
            return Err(self.invalid(field, &problem));
        }
        let checked = self.check(text)?;
        let expected = self.expected(slug)?;
        let text = checked.text.clone().unwrap_or_else(|| text.to_owned());
        let row = self.write(slug, Some(text), Write::Over(expected)).await?;
        let made = row.version == 1;
        Ok(Edited { row, checked, made })
    }

    /// Takes a rule away.
    pub(crate) async fn delete(&self, slug: &str) -> Result<Response<ResponseBody>, GatewayError> {
        let expected = self.expected(slug)?;
        let row = self.write(slug, None, Write::Over(expected)).await?;
        let body = serde_json::json!({"deleted": true, "name": slug, "version": row.version});
        Ok(router::json(body.to_string()))
    }

    /// Every version.
    pub(crate) async fn versions(&self, slug: &str) -> Result<Vec<RuleRow>, GatewayError> {
        let (gateway, account) = (Arc::clone(self.gateway()), self.account().clone());
        let (kind, name) = (self.kind, slug.to_owned());
        let asking = async move {
            gateway.store.rule_versions(RuleName { account: &account, kind, slug: &name }).await
        };
        match self.gateway().on_control(asking).await {
            Some(Ok(rows)) => Ok(rows),
            Some(Err(StoreError::NotFound(_))) => Err(self.missing(slug)),
            _ => Err(GatewayError::StoreUnavailable),
        }
    }

    pub(crate) fn check(&self, text: &str) -> Result<Checked, GatewayError> {
        let gateway = self.gateway();
        let snapshot = &gateway.world.load().snapshot;
        check(self.kind, text, &gateway.settings.names, snapshot)
            .map_err(|error| GatewayError::RuleInvalid { kind: self.kind, error })
    }

    /// `If-Match`: the version that is to be replaced.
    fn expected(&self, slug: &str) -> Result<Option<i64>, GatewayError> {
        let Some(value) = self.parts.headers.get(header::IF_MATCH) else { return Ok(None) };
        let expect = expect(value).ok_or_else(|| GatewayError::InvalidHeader {
            name: String::from("if-match"),
            value: String::from_utf8_lossy(value.as_bytes()).chars().take(60).collect(),
            allowed: "the version that is to be replaced, such as \"3\", or *",
        })?;
        let exists = || self.gateway().rules.names(self.account(), self.kind).iter().any(|name| name == slug);
        match expect {
            Expect::Version(version) => Ok(Some(version)),
            Expect::Any if !exists() => {
                let problem = format!("{} `{slug}` does not exist", self.kind.noun());
                Err(GatewayError::VersionMismatch(problem))
            }
            Expect::Any => Ok(None),
        }
    }

    async fn write(&self, slug: &str, text: Option<String>, how: Write) -> Result<RuleRow, GatewayError> {
        let (gateway, account) = (Arc::clone(self.gateway()), self.account().clone());
        let (kind, name, by) = (self.kind, slug.to_owned(), self.key.rules.id.clone());
        let writing = async move {
            let rule = RuleName { account: &account, kind, slug: &name };
            let by = Written { by: by.as_str(), at: gateway.clock.now() };
            let row = match (text, how) {
                (Some(text), Write::Create) => gateway.store.create_rule(rule, &text, by).await,
                (Some(text), Write::Over(expected)) => {
                    gateway.store.put_rule(rule, &text, by, expected).await
                }
                (None, Write::Over(expected)) => gateway.store.delete_rule(rule, by, expected).await,
                (None, Write::Create) => Err(StoreError::Invalid(String::from("nothing to write"))),
            };
            // On this node it acts at once.
            row.inspect(|row| gateway.rules.take(std::slice::from_ref(row)))
        };
        let written = self.gateway().on_control(writing).await;
        written.unwrap_or(Err(StoreError::Unavailable(String::new()))).map_err(|error| match (error, how) {
            (StoreError::Conflict(message), Write::Create) => {
                GatewayError::RuleExists(format!("{message}; write over it with PUT, or take another name"))
            }
            (StoreError::Conflict(message), Write::Over(_)) => GatewayError::VersionMismatch(message),
            (StoreError::NotFound(_), _) => self.missing(slug),
            (StoreError::Invalid(message), _) => self.invalid("", &message),
            _ => GatewayError::StoreUnavailable,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Create,
    Over(Option<i64>),
}

/// A rule that was written.
pub(crate) struct Edited {
    pub(crate) row: RuleRow,
    pub(crate) checked: Checked,
    pub(crate) made: bool,
}

impl Edited {
    /// The answer: the rule as `object` writes it, what may not be meant so, and the version to edit it by.
    pub(crate) fn answer(&self, object: &str, more_warnings: &[String]) -> Response<ResponseBody> {
        let warnings: Vec<&String> = self.checked.warnings.iter().chain(more_warnings).collect();
        let warnings = match warnings.is_empty() {
            true => String::new(),
            false => format!(",\"warnings\":{}", serde_json::json!(warnings)),
        };
        let mut response = router::json(format!("{{\"data\":{object}{warnings}}}"));
        if self.made {
            *response.status_mut() = StatusCode::CREATED;
        }
        tag(&mut response, self.row.version);
        response
    }
}

/// Says which version an answer shows, for `If-Match`.
pub(crate) fn tag(response: &mut Response<ResponseBody>, version: i64) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

/// There is no rule of that name; these look like it.
pub(crate) fn missing(gateway: &Gateway, account: &AccountId, kind: RuleKind, slug: &str) -> GatewayError {
    GatewayError::RuleNotFound {
        kind,
        name: slug.chars().take(80).collect(),
        suggestions: gateway.rules.nearest(account, kind, slug),
    }
}

fn expect(value: &HeaderValue) -> Option<Expect> {
    let text = value.to_str().ok()?.trim();
    if text == "*" {
        return Some(Expect::Any);
    }
    let text = text.strip_prefix("W/").unwrap_or(text);
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    text.parse().ok().map(Expect::Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_read_as_clients_write_it() {
        let rows = [
            ("\"3\"", Some(Expect::Version(3))),
            ("W/\"3\"", Some(Expect::Version(3))),
            ("3", Some(Expect::Version(3))),
            ("*", Some(Expect::Any)),
            ("\"x\"", None),
            ("", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(expect(&HeaderValue::from_str(text).unwrap()), wanted, "{text}");
        }
    }
}
