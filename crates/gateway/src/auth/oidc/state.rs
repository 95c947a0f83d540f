//! What ties a sign-in to the browser that began it.
//!
//! - The browser gets a cookie of 256 random bits, for ten minutes, that scripts don't see and that other sites' pages send with
//!   nothing but a plain visit. It begins as many sign-ins as it likes.
//! - The address that it is sent to carries `state`, random as well, and a `nonce` and a PKCE challenge that are made from cookie and
//!   state. The store has hashes of cookie and state alone: whoever reads it can end no sign-in.
//! - State and cookie are taken together, once, at the issuer that they were made for.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Response, header};
use ring::hmac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::SignIn;
use types::{KeyHash, Timestamp};
use url::{Position, Url};

use crate::auth::AuthError;
use crate::body::ResponseBody;
use crate::desk::Desk;
use crate::error::GatewayError;

/// How long the way to the issuer and back may take.
pub(super) const GOOD_S: i64 = 600;
/// How long a second factor may take after it.
const CODE_S: i64 = 300;
/// Sign-ins that are under way; of more the oldest are forgotten.
const UNDER_WAY_MAX: i64 = 10_000;
/// The cookie, where this site is reached by TLS; without, browsers take no such name.
const COOKIE: &str = "__Host-sign-in";
const COOKIE_PLAIN: &str = "sign-in";
/// Characters of a random text.
const TEXT_CHARS: usize = 43;
/// Longest way back.
const RETURN_BYTES_MAX: usize = 2_048;

/// What is to be done at the end of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Waiting {
    /// The browser is at the issuer.
    Away {
        /// Where it goes then, on this site.
        return_to: Option<String>,
        /// Whose identity it becomes, and the session in which they said so.
        link: Option<(String, String)>,
    },
    /// It is back, and the person's second factor is asked for.
    Code {
        /// Who it is.
        user: String,
        /// The identity that becomes theirs: subject and address.
        link: Option<(String, String)>,
        /// As before.
        return_to: Option<String>,
    },
}

fn random_text() -> Option<String> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).ok()?;
    Some(URL_SAFE_NO_PAD.encode(random))
}

/// A browser that signs in, by its cookie.
#[derive(Clone, Debug)]
pub(super) struct Browser(String);

impl Browser {
    /// The one that a request is from.
    pub(super) fn of(headers: &HeaderMap, is_secure: bool) -> Option<Browser> {
        let name = if is_secure { COOKIE } else { COOKIE_PLAIN };
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, text) = pairs.find(|(known, _)| *known == name)?;
        let is_ours = text.len() == TEXT_CHARS && URL_SAFE_NO_PAD.decode(text).is_ok();
        is_ours.then(|| Browser(text.to_owned()))
    }

    /// Lets the browser keep it for a while, or not.
    pub(super) fn set_cookie(&self, response: &mut Response<ResponseBody>, is_secure: bool, max_age_s: i64) {
        let (name, secure) = if is_secure { (COOKIE, "; Secure") } else { (COOKIE_PLAIN, "") };
        let cookie =
            format!("{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}", self.0);
        if let Ok(mut value) = HeaderValue::from_str(&cookie) {
            value.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }

    fn hash(&self) -> KeyHash {
        KeyHash::of(&format!("browser {}", self.0))
    }

    /// Something that only this browser and we can make for a state.
    fn made(&self, what: &str, state: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("{what} {state}").as_bytes()))
    }

    /// What the ID token has to repeat.
    pub(super) fn nonce(&self, state: &str) -> String {
        self.made("nonce", state)
    }

    /// What proves to the issuer that the code was meant for us (RFC 7636).
    pub(super) fn verifier(&self, state: &str) -> String {
        self.made("verifier", state)
    }

    /// What is made from the verifier and shown before.
    pub(super) fn challenge(&self, state: &str) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier(state)))
    }
}

async fn keep(
    desk: &Desk<'_>,
    browser: &Browser,
    (state, issuer): (&str, &str),
    waiting: &Waiting,
    expires: Timestamp,
) -> Result<(), GatewayError> {
    let body = serde_json::to_string(waiting).map_err(|_| GatewayError::Internal)?;
    let hash = KeyHash::of(&format!("state {state}"));
    let one = SignIn {
        hash,
        browser: browser.hash(),
        issuer: issuer.to_owned(),
        body,
        created: desk.now(),
        expires,
    };
    desk.store(|gateway| async move { gateway.store.begin_sign_in(&one, UNDER_WAY_MAX).await }).await
}

/// Begins a sign-in: the browser and its state.
pub(super) async fn begin(
    desk: &Desk<'_>,
    issuer: &str,
    waiting: &Waiting,
) -> Result<(Browser, String), GatewayError> {
    let is_secure = desk.people().settings.is_secure;
    let browser = match Browser::of(&desk.parts.headers, is_secure) {
        Some(browser) => browser,
        None => Browser(random_text().ok_or(GatewayError::Internal)?),
    };
    let state = random_text().ok_or(GatewayError::Internal)?;
    let expires = Timestamp::from_seconds(desk.now().seconds() + GOOD_S);
    keep(desk, &browser, (&state, issuer), waiting, expires).await?;
    Ok((browser, state))
}

/// The state under which a browser waits for a second factor: one at a time.
fn code_state(browser: &Browser) -> String {
    browser.made("code", "")
}

/// Waits for a second factor; until when, where it has waited before.
pub(super) async fn await_code(
    desk: &Desk<'_>,
    browser: &Browser,
    issuer: &str,
    waiting: &Waiting,
    until: Option<Timestamp>,
) -> Result<(), GatewayError> {
    let until = until.unwrap_or_else(|| Timestamp::from_seconds(desk.now().seconds() + CODE_S));
    keep(desk, browser, (&code_state(browser), issuer), waiting, until).await
}

async fn take(
    desk: &Desk<'_>,
    browser: &Browser,
    (state, issuer): (&str, &str),
) -> Result<(Waiting, Timestamp), GatewayError> {
    let (hash, from) = (KeyHash::of(&format!("state {state}")), browser.hash());
    let (issuer, now) = (Arc::<str>::from(issuer), desk.now());
    let taken = desk
        .store(|gateway| async move { gateway.store.take_sign_in(&hash, &from, &issuer, now).await })
        .await?;
    let (body, until) = taken.ok_or(AuthError::SignInState)?;
    let waiting = serde_json::from_str(&body).map_err(|_| AuthError::SignInState)?;
    Ok((waiting, until))
}

/// The browser that came back, with what is to be done: once.
pub(super) async fn come_back(
    desk: &Desk<'_>,
    issuer: &str,
    state: &str,
) -> Result<(Browser, Waiting), GatewayError> {
    let browser = Browser::of(&desk.parts.headers, desk.people().settings.is_secure);
    // Whoever brings a state without a cookie has had their one try, too.
    let browser = browser.unwrap_or(Browser(String::new()));
    let (waiting, _) = take(desk, &browser, (state, issuer)).await?;
    Ok((browser, waiting))
}

/// The browser whose person's second factor is asked for, with what is to be done, and until when.
pub(super) async fn take_code(
    desk: &Desk<'_>,
    issuer: &str,
) -> Result<(Browser, Waiting, Timestamp), GatewayError> {
    let browser = Browser::of(&desk.parts.headers, desk.people().settings.is_secure);
    let browser = browser.ok_or(AuthError::SignInState)?;
    let (waiting, until) = take(desk, &browser, (&code_state(&browser), issuer)).await?;
    Ok((browser, waiting, until))
}

/// A way back within this site: path, query and fragment, whatever else somebody would like it to be.
pub(super) fn return_to(text: &str) -> Result<String, GatewayError> {
    let wrong = || {
        let why = "`return_to` is a path of this site, such as /console?tab=keys";
        GatewayError::InvalidRequest(why.to_owned())
    };
    // Browsers read a backslash as a slash, and drop tabs and ends of lines.
    let is_plain = !text.chars().any(|c| c == '\\' || c.is_control());
    if !text.starts_with('/') || !is_plain || text.len() > RETURN_BYTES_MAX {
        return Err(wrong());
    }
    // No host at all can have this name, so that what leads elsewhere shows.
    let here = Url::parse("https://here.invalid/").map_err(|_| wrong())?;
    let there = here.join(text).ok().filter(|there| there.origin() == here.origin()).ok_or_else(wrong)?;
    let path = Some(&there[Position::BeforePath..]).filter(|path| !path.starts_with("//"));
    path.map(str::to_owned).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_on_this_site() {
        for (good, kept) in [
            ("/", "/"),
            ("/console?tab=keys#top", "/console?tab=keys#top"),
            (
                "/auth?callback_url=https%3A%2F%2Fapp.example%2F",
                "/auth?callback_url=https%3A%2F%2Fapp.example%2F",
            ),
            ("/a/../b", "/b"),
            ("/?to=//evil.example", "/?to=//evil.example"),
        ] {
            assert_eq!(return_to(good).unwrap(), kept);
        }
        for bad in [
            "",
            "console",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            " /x",
            &format!("/{}", "a".repeat(3_000)),
        ] {
            assert!(return_to(bad).is_err(), "{bad:?}: {:?}", return_to(bad));
        }
    }

    #[test]
    fn what_a_browser_makes_is_its_own_and_its_states() {
        let (one, two) = (Browser("a".repeat(43)), Browser("b".repeat(43)));
        assert_eq!(one.nonce("s"), one.nonce("s"));
        let made = [one.nonce("s"), one.nonce("t"), two.nonce("s"), one.verifier("s"), one.challenge("s")];
        let different: std::collections::BTreeSet<&String> = made.iter().collect();
        assert_eq!(different.len(), made.len());
        assert_eq!(one.verifier("s").len(), 43, "RFC 7636 wants 43 to 128 characters");
    }

    #[test]
    fn a_cookie_that_is_not_ours_is_no_browser() {
        let of = |cookie: &str, is_secure| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
            Browser::of(&headers, is_secure).map(|browser| browser.0)
        };
        let text = random_text().unwrap();
        assert_eq!(of(&format!("a=b; sign-in={text}"), false), Some(text.clone()));
        assert_eq!(of(&format!("__Host-sign-in={text}"), true), Some(text.clone()));
        assert_eq!(of(&format!("sign-in={text}"), true), None, "a page next door may have set it");
        assert_eq!(of("sign-in=short", false), None);
        assert_eq!(of(&format!("sign-in={}", "%".repeat(43)), false), None);
    }
}
