//! Who is signed in, and the calls that a page makes for them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CONTENT_TYPE, COOKIE, FORWARDED, HOST, HeaderName, IF_MATCH, ORIGIN, SET_COOKIE, USER_AGENT,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use types::{Right, Role};
use url::form_urlencoded;

use crate::api::{Api, Caller};
use crate::message::message;
use crate::prose::Prose;
use crate::shell::{self, Failed};
use crate::visit::{Pages, Visit};

/// From where a browser says that a request is.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What goes along with each call of a page: who it is, and from where.
const PASSED_ON: [HeaderName; 7] =
    [COOKIE, HOST, ORIGIN, USER_AGENT, FORWARDED, FETCH_SITE, HeaderName::from_static("x-forwarded-for")];

/// The management API for one request of a page, whoever is behind it.
pub(crate) struct Calls {
    api: Arc<dyn Api>,
    headers: HeaderMap,
    made: Mutex<Vec<Made>>,
}

/// A call that a page made, as its foot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    /// What it sends, when that is no secret.
    pub(crate) body: Option<String>,
}

/// What is sent with a call.
struct Sent {
    body: Option<String>,
    /// It is refused where somebody was quicker to write another version than this.
    version: Option<u64>,
    /// It changes nothing.
    is_question: bool,
}

/// What the API answered, as bytes.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why a call was refused, in the API's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// The error's type, as `docs/errors.md` lists it.
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl Refused {
    /// Why, as a sentence of a page.
    pub(crate) fn sentence(&self) -> String {
        sentence(&self.message)
    }
}

impl Reply {
    /// The value that was answered, or why there is none.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        if !self.status.is_success() {
            return Err(self.refused());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            tracing::error!(%error, "a page does not understand what the API answers");
            Refused {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                kind: String::from("internal"),
                message: String::from("the page does not understand what the API answered"),
            }
        })
    }

    fn refused(&self) -> Refused {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |name: &str| body.pointer(&format!("/error/{name}")).and_then(Value::as_str);
        Refused {
            status: self.status,
            kind: text("type").unwrap_or("internal").to_owned(),
            message: text("message").unwrap_or("the API answered without saying why").to_owned(),
        }
    }

    /// The cookies that it sets, for the answer of the page.
    pub(crate) fn pass_cookies(&self, response: &mut Response) {
        for cookie in self.headers.get_all(SET_COOKIE) {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
    }
}

impl Calls {
    /// Calls for this request; `None` where nothing answers them.
    pub(crate) fn of(parts: &Parts) -> Option<Calls> {
        let Caller(api) = parts.extensions.get::<Caller>()?.clone();
        let mut headers = HeaderMap::new();
        for name in PASSED_ON {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        if !headers.contains_key(HOST)
            && let Some(host) =
                parts.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok())
        {
            headers.insert(HOST, host);
        }
        Some(Calls { api, headers, made: Mutex::default() })
    }

    /// Makes a call. What begins with `/` and is no path of the API is a mistake of the page.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let shown = body.map(ToString::to_string);
        self.note(Made { method: method.clone(), path: path.to_owned(), body: shown.clone() });
        self.call_unseen(method, path, shown).await
    }

    /// A call that the page's foot does not show: of the frame, or with a secret in it.
    pub(crate) async fn call_unseen(&self, method: Method, path: &str, body: Option<String>) -> Reply {
        self.call_as(method, path, Sent { body, version: None, is_question: false }).await
    }

    async fn call_as(&self, method: Method, path: &str, sent: Sent) -> Reply {
        let mut request = Request::new(Bytes::from(sent.body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let version = sent.version.map(|version| HeaderValue::from_str(&format!("\"{version}\"")));
        if let Some(Ok(version)) = version {
            request.headers_mut().insert(IF_MATCH, version);
        }
        if sent.is_question {
            request.headers_mut().insert(FETCH_SITE, HeaderValue::from_static("same-origin"));
        }
        let uri = path.parse();
        let answered = match uri {
            Ok(uri) => {
                *request.uri_mut() = uri;
                self.api.call(request).await
            }
            Err(_) => {
                let mut response = axum::http::Response::new(Bytes::from_static(
                    br#"{"error":{"type":"not_found","message":"nothing is kept under such a name"}}"#,
                ));
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        };
        let (parts, body) = answered.into_parts();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Notes a call that this page's forms make, with what it would send.
    pub(crate) fn note(&self, made: Made) {
        let mut all = self.made.lock();
        if !all.contains(&made) {
            all.push(made);
        }
    }

    /// The calls so far.
    pub(crate) fn made(&self) -> Vec<Made> {
        self.made.lock().clone()
    }
}

/// The organization that somebody works in, or could.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) current: bool,
}

/// A person.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    pub(crate) is_operator: bool,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    pub(crate) user: User,
    /// What they are in the organization that they work in.
    pub(crate) role: Role,
    /// That organization first.
    pub(crate) organizations: Vec<Organization>,
}

impl Me {
    /// Whether their role has a right; pages leave out what would be refused.
    pub(crate) fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct WhoAmI {
    user: User,
    organization: Member,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    role: String,
}

/// A request of a page by somebody who is signed in. Who isn't is sent to sign in, and back.
pub(crate) struct Signed {
    pub(crate) visit: Visit,
    pub(crate) me: Me,
    pub(crate) calls: Calls,
}

impl Signed {
    /// What a path of the API answers, without the `data` around it; a refusal becomes the page.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        let reply = self.calls.call(Method::GET, path, None).await;
        let read: Result<Data<T>, Refused> = reply.read();
        read.map(|data| data.data).map_err(|refused| self.failed(&refused))
    }

    /// Does something. A refusal is the caller's to show beside the form, with what was typed.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let reply = self.calls.call(method, path, body).await;
        if reply.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        reply.read()
    }

    /// What a path of the API answers, where a page can do without.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        let read: Result<Data<T>, Refused> = self.calls.call(Method::GET, path, None).await.read();
        read.map(|data| data.data)
    }

    /// What a path answers to a question that is sent along and changes nothing: whichever link led to the page, it is the page that
    /// asks, so the call counts as one of this site's own.
    pub(crate) async fn query<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Refused> {
        let shown = body.to_string();
        self.offers(Method::POST, path, Some(body));
        let asks = Sent { body: Some(shown), version: None, is_question: true };
        let read: Result<Data<T>, Refused> = self.calls.call_as(Method::POST, path, asks).await.read();
        read.map(|data| data.data)
    }

    /// The same with a secret in it, which the page's foot does not show.
    pub(crate) async fn send_unseen(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let reply = self.calls.call_unseen(method, path, body.map(ToString::to_string)).await;
        if reply.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        reply.read()
    }

    /// Writes a rule over the version that somebody saw; without one, whatever is there.
    pub(crate) async fn send_over(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<u64>,
    ) -> Result<Value, Refused> {
        let text = body.map(ToString::to_string);
        self.calls.note(Made { method: method.clone(), path: path.to_owned(), body: text.clone() });
        let sent = Sent { body: text, version, is_question: false };
        self.calls.call_as(method, path, sent).await.read()
    }

    /// Notes the call that a form of this page makes, for the page's foot.
    pub(crate) fn offers(&self, method: Method, path: &str, body: Option<&Value>) {
        self.calls.note(Made { method, path: path.to_owned(), body: body.map(ToString::to_string) });
    }

    /// A refusal as a page.
    pub(crate) fn failed(&self, refused: &Refused) -> Failed {
        if refused.status == StatusCode::UNAUTHORIZED && refused.kind == "session_invalid" {
            return to_sign_in(&self.visit).into();
        }
        let title = match refused.status.as_u16() {
            403 => "Not yours to see",
            404 => "Not there",
            503 => "Not right now",
            _ => "That did not work",
        };
        message(&self.visit.place, refused.status, title, &refused.sentence()).into()
    }
}

/// A message of the API as a sentence of a page. An id at its beginning stays as it is.
pub(crate) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let Some(first) = chars.next() else { return String::new() };
    let is_id = message.split_whitespace().next().is_some_and(|word| word.contains(['/', '_']));
    let mut text: String =
        if is_id { message.to_owned() } else { first.to_uppercase().chain(chars).collect() };
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// The same, with what it sets in backticks as code.
pub(crate) fn prose(message: &str) -> Prose {
    Prose::of(&sentence(message))
}

/// A name as a segment of a path of the API, whatever was typed.
pub(crate) fn segment(name: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    encoded.replace('+', "%20")
}

/// To the page where one signs in, and back to here.
fn to_sign_in(visit: &Visit) -> Response {
    let query = visit.query_text();
    let back = if query.is_empty() { visit.path.clone() } else { format!("{}?{query}", visit.path) };
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", &back).finish();
    shell::private(shell::seen_at(&format!("/sign-in?{next}")))
}

impl FromRequestParts<Arc<Pages>> for Signed {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, pages: &Arc<Pages>) -> Result<Signed, Failed> {
        let visit = match Visit::from_request_parts(parts, pages).await {
            Ok(visit) => visit,
            Err(never) => match never {},
        };
        let away = || {
            let why = "The console needs the gateway behind it, and there is none here.";
            Failed::from(message(&visit.place, StatusCode::SERVICE_UNAVAILABLE, "No gateway", why))
        };
        let calls = Calls::of(parts).ok_or_else(away)?;
        match me(&calls).await {
            Ok(me) => Ok(Signed { visit, me, calls }),
            // A form's answer can't be led back to by an address alone.
            Err(refused) if refused.status == StatusCode::UNAUTHORIZED => Err(to_sign_in(&visit).into()),
            Err(refused) => {
                Err(message(&visit.place, refused.status, "Not right now", &refused.sentence()).into())
            }
        }
    }
}

async fn me(calls: &Calls) -> Result<Me, Refused> {
    let who: Data<WhoAmI> = calls.call_unseen(Method::GET, "/v1/auth/me", None).await.read()?;
    let WhoAmI { user, organization } = who.data;
    let all: Data<Vec<Organization>> =
        calls.call_unseen(Method::GET, "/v1/organizations", None).await.read()?;
    let mut organizations = all.data;
    organizations.iter_mut().for_each(|known| known.current = known.id == organization.id);
    organizations.sort_by_key(|known| !known.current);
    // A role that this program does not know has no rights here.
    let role = Role::named(&organization.role).unwrap_or(Role::Viewer);
    Ok(Me { user, role, organizations })
}

#[cfg(test)]
mod tests {
    use super::{segment, sentence};

    #[test]
    fn a_name_stays_in_its_segment() {
        assert_eq!(segment("a/../b c?x#y%"), "a%2F..%2Fb%20c%3Fx%23y%25");
        assert_eq!(segment("careful-1.2_x"), "careful-1.2_x");
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("the key is not known"), "The key is not known.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence("acme/large goes first"), "acme/large goes first.");
        assert_eq!(sentence(""), "");
    }
}
