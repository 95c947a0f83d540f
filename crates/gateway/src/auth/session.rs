//! Sessions: a token of 256 random bits, of which the store has a hash. It goes as `Authorization: Bearer`, or as a cookie of this
//! site's own pages. A session is looked up in the store each time, so that one that was ended is over at once, everywhere.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use store::{Presence, Session, User};
use types::{AccountId, KeyHash, Role, Timestamp};

use super::AuthError;
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::keys::KeyState;

/// What the text of a session begins with.
const PREFIX: &str = "st_";
/// The cookie, where this site is reached by TLS; without, browsers take no such name.
const COOKIE: &str = "__Host-session";
const COOKIE_PLAIN: &str = "session";
/// How often a session that is of use is noted.
const NOTED_EVERY_S: i64 = 60;
/// What is kept of a client's name.
const AGENT_CHARS: usize = 200;

/// Who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) session: Session,
    pub(crate) user: User,
    /// What they are in the organization that they work in.
    pub(crate) role: Role,
    /// What the management paths see.
    pub(crate) key: Arc<KeyState>,
}

/// What became of the session that a request presents.
#[derive(Clone, Debug)]
pub(crate) struct Visit(pub(crate) Result<Visitor, AuthError>);

/// A new session's text.
pub(crate) fn new_text() -> Option<String> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).ok()?;
    Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

/// The session that a request presents, and whether a cookie does.
fn presented(headers: &HeaderMap) -> Option<(&str, bool)> {
    if let Some(text) = super::key_text(headers) {
        return text.starts_with(PREFIX).then_some((text, false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, text) = pairs.find(|(name, _)| *name == COOKIE || *name == COOKIE_PLAIN)?;
    Some((text, true))
}

/// Whether a path asks for the organization that a request names: whoever signs out leaves them all.
pub(crate) fn asks_organization(path: &str) -> bool {
    crate::router::plain(path) != "/v1/auth/sign-out"
}

/// Looks up the session that a request presents, for those who ask for its caller.
pub(crate) async fn note(worker: &Arc<Worker>, parts: &mut Parts) {
    let Some((text, is_cookie)) = presented(&parts.headers) else { return };
    let visit = if is_cookie && !is_own_page(parts) {
        Err(AuthError::ForeignPage)
    } else {
        let named = asked(worker, &parts.headers).filter(|_| asks_organization(parts.uri.path()));
        look_up(worker, text, named).await
    };
    parts.extensions.insert(Visit(visit));
}

/// The organization that a request names.
fn asked(worker: &Worker, headers: &HeaderMap) -> Option<AccountId> {
    let prefixes = &worker.gateway.settings.brand.request_prefixes;
    let named = prefixes.iter().find_map(|prefix| headers.get(format!("{prefix}organization")))?;
    Some(AccountId::new(named.to_str().ok()?.trim()))
}

async fn look_up(worker: &Arc<Worker>, text: &str, asked: Option<AccountId>) -> Result<Visitor, AuthError> {
    let (gateway, hash) = (Arc::clone(&worker.gateway), KeyHash::of(text));
    let now = gateway.clock.now();
    let idle_since = Timestamp::from_seconds(now.seconds() - gateway.people.settings.idle_s);
    let found = worker.gateway.on_control(async move {
        let found = gateway.store.session(&hash, now, idle_since, asked.as_ref()).await?;
        if let Some(Ok(Presence { session, .. })) = &found
            && now.seconds() - session.seen.seconds() >= NOTED_EVERY_S
        {
            gateway.store.touch_session(&session.id, now).await?;
        }
        Ok::<_, store::StoreError>(found)
    });
    let found = found.await.and_then(Result::ok).ok_or(AuthError::Unavailable)?;
    let presence = found.ok_or(AuthError::SessionOver)?;
    let presence = presence.map_err(|_| AuthError::NotMember)?;
    let key = worker.gateway.keys.load().visitor(&presence);
    Ok(Visitor { session: presence.session, user: presence.user, role: presence.role, key })
}

/// Whether a cookie may speak: to read, or from a page of this site. Browsers say where a request is from.
fn is_own_page(parts: &Parts) -> bool {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return true;
    }
    let text = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        None => {
            let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, host)| Some(host) == text(header::HOST))
        }
    }
}

/// Who reads a page of this site: the person whose session a request presents, where it holds. Pages only show; what changes anything
/// asks [`note`].
pub async fn reader(gateway: &Arc<Gateway>, headers: &HeaderMap) -> Option<User> {
    let (text, _) = presented(headers)?;
    let (hash, gateway) = (KeyHash::of(text), Arc::clone(gateway));
    let now = gateway.clock.now();
    let idle_since = Timestamp::from_seconds(now.seconds() - gateway.people.settings.idle_s);
    let (control, asked) =
        (Arc::clone(&gateway), async move { gateway.store.session(&hash, now, idle_since, None).await });
    match control.on_control(asked).await {
        Some(Ok(Some(Ok(presence)))) => Some(presence.user),
        _ => None,
    }
}

/// Who is signed in, or why nobody is.
pub(crate) fn visitor(parts: &Parts) -> Result<&Visitor, GatewayError> {
    match parts.extensions.get::<Visit>() {
        Some(Visit(Ok(visitor))) => Ok(visitor),
        Some(Visit(Err(error))) => Err(error.clone().into()),
        None => Err(AuthError::NoSession.into()),
    }
}

/// Signs a person in: keeps a session and gives its text.
pub(crate) async fn begin(
    worker: &Arc<Worker>,
    parts: &Parts,
    user: &User,
) -> Result<(String, Session), GatewayError> {
    let text = new_text().ok_or(GatewayError::Internal)?;
    let gateway = Arc::clone(&worker.gateway);
    let now = gateway.clock.now();
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let session = Session {
        id: worker.new_id("ses").ok_or(GatewayError::Internal)?,
        user: user.id.clone(),
        created: now,
        seen: now,
        expires: Timestamp::from_seconds(now.seconds() + gateway.people.settings.session_s),
        address: super::address(&parts.headers).map_or_else(String::new, |address| address.to_string()),
        agent: agent.unwrap_or_default().chars().take(AGENT_CHARS).collect(),
        account: None,
    };
    let (hash, kept) = (KeyHash::of(&text), session.clone());
    let done = worker.gateway.on_control(async move { gateway.store.insert_session(&kept, &hash).await });
    done.await.and_then(Result::ok).ok_or(GatewayError::StoreUnavailable)?;
    Ok((text, session))
}

/// What the cookie is called.
pub(crate) const fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { COOKIE } else { COOKIE_PLAIN }
}

/// Sets the cookie for pages, or takes it away.
pub(crate) fn set_cookie(
    response: &mut Response<ResponseBody>,
    text: Option<&str>,
    is_secure: bool,
    max_age_s: i64,
) {
    let (name, secure) = (cookie_name(is_secure), if is_secure { "; Secure" } else { "" });
    let (text, age) = text.map_or(("", 0), |text| (text, max_age_s));
    let cookie = format!("{name}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/v1/auth/me");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_session_comes_as_bearer_or_as_a_cookie_among_others() {
        let seen = |headers: &[(&str, &str)]| {
            presented(&parts("GET", headers).headers).map(|(text, cookie)| (text.to_owned(), cookie))
        };
        assert_eq!(seen(&[("authorization", "Bearer st_a")]), Some(("st_a".to_owned(), false)));
        assert_eq!(
            seen(&[("authorization", "Bearer sk-a"), ("cookie", "session=st_b")]),
            None,
            "a key was chosen"
        );
        assert_eq!(seen(&[("cookie", "a=b; session=st_b; c")]), Some(("st_b".to_owned(), true)));
        assert_eq!(seen(&[("cookie", "__Host-session=st_b")]), Some(("st_b".to_owned(), true)));
        assert_eq!(seen(&[("cookie", "xsession=st_b")]), None);
        assert_eq!(new_text().unwrap().len(), 46);
    }

    #[test]
    fn a_cookie_writes_from_own_pages_only() {
        let own = |method: &str, headers: &[(&str, &str)]| is_own_page(&parts(method, headers));
        assert!(own("GET", &[]) && own("POST", &[("sec-fetch-site", "same-origin")]));
        assert!(own("POST", &[("origin", "https://a.example"), ("host", "a.example")]));
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "https://a.example"), ("host", "a.example")],
            &[("origin", "https://b.example"), ("host", "a.example")],
            &[("origin", "null"), ("host", "a.example")],
            &[],
        ] {
            assert!(!own("POST", foreign), "{foreign:?}");
        }
    }
}
