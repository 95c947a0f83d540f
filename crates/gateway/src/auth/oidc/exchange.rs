//! At the issuer: its code becomes an ID token, and where that says too little, the issuer is asked who it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use types::{ExposeSecret, SecretString, Timestamp};
use url::form_urlencoded::{Serializer, byte_serialize};

use super::issuer::{Address, Failing, Issuer, IssuerSettings, Metadata, ask};
use super::keys::is_hash_of;
use super::state::Browser;
use super::token::{self, Believed, Expected, Refusal};
use crate::auth::AuthError;
use crate::auth::sign_up::email;

/// Longest name of an error of an issuer's.
const ERROR_CHARS_MAX: usize = 60;

/// Who an issuer says that somebody is.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// What the issuer calls them, for ever.
    pub(super) subject: String,
    /// Their address, in lower case, where they have one.
    pub(super) email: Option<String>,
    /// Whether the issuer says that they read its mail. Nothing but a plain `true` does.
    pub(super) is_verified: bool,
    pub(super) name: Option<String>,
}

impl Told {
    fn read(subject: String, claims: &Map<String, Value>) -> Told {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        Told {
            subject,
            email: text("email").and_then(|text| email(text).ok()),
            is_verified: claims.get("email_verified") == Some(&Value::Bool(true)),
            name: text("name").map(str::to_owned),
        }
    }
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

/// Why nobody is told.
#[derive(Debug)]
pub(super) enum Unable {
    Failing(Failing),
    Refused(String),
    Token(Refusal),
}

impl Unable {
    /// What the person is told; what the operator has to know goes to the log.
    pub(super) fn told(self, settings: &IssuerSettings) -> AuthError {
        let issuer = settings.slug.as_str();
        match self {
            Unable::Failing(why) => {
                tracing::warn!(issuer, %why, "an issuer of identities fails");
                AuthError::IssuerFailing(settings.name.clone())
            }
            Unable::Refused(error) => {
                tracing::info!(issuer, error, "an issuer of identities refused a sign-in");
                AuthError::IssuerRefused(error)
            }
            Unable::Token(why) => {
                tracing::warn!(issuer, %why, "an ID token was refused");
                AuthError::IdToken(why)
            }
        }
    }
}

impl From<Failing> for Unable {
    fn from(failing: Failing) -> Unable {
        Unable::Failing(failing)
    }
}

impl From<Refusal> for Unable {
    fn from(refusal: Refusal) -> Unable {
        Unable::Token(refusal)
    }
}

/// The name of an error, as far as it is one.
pub(super) fn error_name(text: &str) -> String {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().filter(is_name).take(ERROR_CHARS_MAX).collect()
}

/// Who somebody is, whose browser came back with a code.
pub(super) async fn who(
    issuer: &Issuer,
    (code, redirect_uri): (&str, &str),
    (browser, state): (&Browser, &str),
    now: Timestamp,
) -> Result<Told, Unable> {
    let metadata = issuer.metadata(now).await?;
    let tokens = exchange(issuer, &metadata, (code, redirect_uri), &browser.verifier(state)).await?;
    let id_token = tokens.id_token.ok_or(Refusal::Form)?;
    let nonce = browser.nonce(state);
    let expected = Expected {
        issuer: &issuer.settings.issuer,
        client_id: &issuer.settings.client_id,
        nonce: &nonce,
        algorithms: metadata.id_token_signing_alg_values_supported.as_deref(),
        now,
    };
    let believed = believe(issuer, &id_token, &expected).await?;
    let Some(access_token) = &tokens.access_token else {
        return Ok(Told::read(believed.subject, &believed.claims));
    };
    if let Some(at_hash) = believed.claims.get("at_hash") {
        let fits = |hash: &str| is_hash_of(hash, access_token, believed.algorithm);
        if !at_hash.as_str().is_some_and(fits) {
            return Err(Refusal::Claim("at_hash").into());
        }
    }
    match &metadata.userinfo_endpoint {
        Some(_) if !believed.claims.contains_key("email") => {
            ask_more(&metadata, access_token, believed).await
        }
        _ => Ok(Told::read(believed.subject, &believed.claims)),
    }
}

/// Checks an ID token; where no key fits, with the keys that the issuer has by now.
async fn believe(issuer: &Issuer, id_token: &str, expected: &Expected<'_>) -> Result<Believed, Unable> {
    let keys = issuer.keys(expected.now).await?;
    let checked = token::check(id_token, &keys, expected);
    if !matches!(checked, Err(Refusal::Key)) {
        return Ok(checked?);
    }
    match issuer.keys_again(&keys, expected.now).await? {
        Some(keys) => Ok(token::check(id_token, &keys, expected)?),
        None => Err(Refusal::Key.into()),
    }
}

async fn exchange(
    issuer: &Issuer,
    metadata: &Metadata,
    (code, redirect_uri): (&str, &str),
    verifier: &str,
) -> Result<Tokens, Unable> {
    const WHAT: &str = "token";
    let settings = &issuer.settings;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
    ];
    match &settings.client_secret {
        Some(secret) if !metadata.wants_secret_in_form() => {
            headers.push(basic(&settings.client_id, secret).ok_or(Failing::Unreadable(WHAT))?);
        }
        secret => {
            form.push(("client_id", &settings.client_id));
            form.extend(secret.as_ref().map(|secret| ("client_secret", secret.expose_secret())));
        }
    }
    let body = Bytes::from(Serializer::new(String::new()).extend_pairs(form).finish());
    let (status, body) = ask(WHAT, Method::POST, &metadata.token_endpoint.0, headers, body).await?;
    if status != 200 {
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        return Err(match answer.get("error").and_then(Value::as_str) {
            Some(error) if (400..500).contains(&status) => Unable::Refused(error_name(error)),
            _ => Failing::Status(WHAT, status).into(),
        });
    }
    serde_json::from_slice(&body).map_err(|_| Failing::Unreadable(WHAT).into())
}

/// RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
fn basic(client_id: &str, secret: &SecretString) -> Option<(HeaderName, HeaderValue)> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some((header::AUTHORIZATION, value))
}

/// Asks for the claims that the ID token does not have. What is said of somebody else is not taken.
async fn ask_more(metadata: &Metadata, access_token: &str, believed: Believed) -> Result<Told, Unable> {
    const WHAT: &str = "userinfo";
    let Some(Address(url)) = &metadata.userinfo_endpoint else {
        return Ok(Told::read(believed.subject, &believed.claims));
    };
    let bearer = HeaderValue::from_str(&format!("Bearer {access_token}"));
    let mut bearer = bearer.map_err(|_| Failing::Unreadable(WHAT))?;
    bearer.set_sensitive(true);
    let headers =
        vec![(header::AUTHORIZATION, bearer), (header::ACCEPT, HeaderValue::from_static("application/json"))];
    let (status, body) = ask(WHAT, Method::GET, url, headers, Bytes::new()).await?;
    if status != 200 {
        return Err(Failing::Status(WHAT, status).into());
    }
    let claims: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| Failing::Unreadable(WHAT))?;
    if claims.get("sub").and_then(Value::as_str) != Some(&believed.subject) {
        return Err(Refusal::Claim("sub").into());
    }
    Ok(Told::read(believed.subject, &claims))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_but_a_plain_true_proves_an_address() {
        for (verified, proves) in [
            (json!(true), true),
            (json!("true"), false),
            (json!(1), false),
            (json!(null), false),
            (json!([true]), false),
            (json!(false), false),
        ] {
            let claims = json!({ "email": "Ada@Example.com", "email_verified": verified });
            let told = Told::read("1".to_owned(), claims.as_object().unwrap());
            assert_eq!(
                (told.email.as_deref(), told.is_verified),
                (Some("ada@example.com"), proves),
                "{claims}"
            );
        }
        let none = Told::read("1".to_owned(), json!({ "email": "ada@@example.com" }).as_object().unwrap());
        assert_eq!((none.email, none.is_verified), (None, false));
    }

    #[test]
    fn what_an_issuer_says_of_an_error_is_a_name() {
        assert_eq!(error_name("access_denied"), "access_denied");
        assert_eq!(error_name("<script>\r\n x"), "scriptx");
        assert_eq!(error_name(&"a".repeat(999)).len(), 60);
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined() {
        let (_, value) = basic("a:b", &SecretString::from("p w%")).unwrap();
        assert_eq!(value, format!("Basic {}", STANDARD.encode("a%3Ab:p+w%25")));
        assert!(value.is_sensitive());
    }
}
