//! What an issuer's ID token must be to be believed (OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725), checked in this order:
//!
//! 1. at most 16 KiB, three parts, a header without `crit` and of no other type than `JWT`;
//! 2. an algorithm with a public key (RS, PS, ES256, ES384, EdDSA) that the issuer says it uses: never `none`, never a shared secret, so
//!    that nobody signs with a key that everybody may read;
//! 3. a key of the issuer's own set that is for signatures, of that algorithm, with the header's `kid`; without a `kid` the only one that
//!    fits. Keys that a header brings along are not looked at;
//! 4. the signature;
//! 5. `iss`, exactly; `aud`, with us in it, and `azp` us where there is one or `aud` has several; `exp` to come, `nbf` past, `iat` at most
//!    ten minutes ago and not to come, each with a minute for clocks that differ; `nonce`, of the browser that asked; `sub`.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, TokenData, Validation, decode, decode_header};
use serde_json::{Map, Value};
use types::Timestamp;

use super::keys::Keys;

/// Longest token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// By how much clocks may differ.
const LEEWAY_S: i64 = 60;
/// A token is made for the sign-in that it ends.
const AGE_S_MAX: i64 = 600;
/// OpenID Connect Core 1.0, section 2: a subject has at most 255 ASCII characters.
const SUBJECT_BYTES_MAX: usize = 255;

/// What is believed.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Rule 1.
    #[error("it is no signed token in the plain form, or longer than 16 KiB")]
    Form,
    /// Rule 2.
    #[error("its algorithm is not one with a public key that the issuer says it uses")]
    Algorithm,
    /// Rule 3.
    #[error("no key of the issuer's fits it")]
    Key,
    /// Rule 4.
    #[error("its signature is wrong")]
    Signature,
    /// Rule 5.
    #[error("its `{0}` is missing or wrong")]
    Claim(&'static str),
}

/// What a token is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// As the issuer lists its algorithms; `None`: it does not.
    pub(super) algorithms: Option<&'a [String]>,
    pub(super) now: Timestamp,
}

/// What a token that is believed says.
#[derive(Clone, Debug)]
pub(super) struct Believed {
    pub(super) subject: String,
    pub(super) algorithm: Algorithm,
    pub(super) claims: Map<String, Value>,
}

/// Reads and checks a token.
pub(super) fn check(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Believed, Refusal> {
    let header = head(token)?;
    let algorithm = header.alg;
    let is_used = |listed: &[String]| listed.iter().any(|name| name.parse() == Ok(algorithm));
    if !ALGORITHMS.contains(&algorithm) || !expected.algorithms.is_none_or(is_used) {
        return Err(Refusal::Algorithm);
    }
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "aud", "sub"]);
    // Instants are checked below, by the clock that everything here goes by.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    let mut refusal = Refusal::Key;
    for key in keys.that_fit(&header) {
        match decode::<Map<String, Value>>(token, &key, &validation) {
            Ok(TokenData { claims, .. }) => return claims_fit(claims, algorithm, expected),
            Err(error) => refusal = refused(error.kind()),
        }
        if !matches!(refusal, Refusal::Signature | Refusal::Key) {
            break;
        }
    }
    Err(refusal)
}

fn head(token: &str) -> Result<Header, Refusal> {
    if token.len() > TOKEN_BYTES_MAX || token.split('.').count() != 3 {
        return Err(Refusal::Form);
    }
    let header = decode_header(token).map_err(|error| match error.kind() {
        // An algorithm that the library has never heard of, such as `none`, is a wrong value in a JSON text.
        ErrorKind::Json(error) if error.is_data() => Refusal::Algorithm,
        _ => Refusal::Form,
    })?;
    let is_jwt = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"));
    let is_plain = header.crit.is_none() && header.enc.is_none() && header.zip.is_none();
    if is_jwt && is_plain { Ok(header) } else { Err(Refusal::Form) }
}

fn refused(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::Base64(_) => Refusal::Signature,
        ErrorKind::InvalidIssuer => Refusal::Claim("iss"),
        ErrorKind::InvalidAudience => Refusal::Claim("aud"),
        ErrorKind::MissingRequiredClaim(name) => match name.as_str() {
            "iss" => Refusal::Claim("iss"),
            "aud" => Refusal::Claim("aud"),
            _ => Refusal::Claim("sub"),
        },
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => Refusal::Key,
        _ => Refusal::Form,
    }
}

fn claims_fit(
    claims: Map<String, Value>,
    algorithm: Algorithm,
    expected: &Expected<'_>,
) -> Result<Believed, Refusal> {
    let text = |name: &'static str| claims.get(name).and_then(Value::as_str);
    let instant = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or(Refusal::Claim(name)),
    };
    let ensure = |good: bool, name: &'static str| if good { Ok(()) } else { Err(Refusal::Claim(name)) };
    ensure(text("iss") == Some(expected.issuer), "iss")?;
    let audience: Vec<Option<&str>> = match claims.get("aud") {
        Some(Value::String(one)) => vec![Some(one)],
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    ensure(audience.contains(&Some(expected.client_id)), "aud")?;
    let is_ours = text("azp") == Some(expected.client_id);
    ensure(is_ours || (claims.get("azp").is_none() && audience.len() == 1), "azp")?;
    let now = expected.now.seconds();
    ensure(instant("exp")?.is_some_and(|exp| exp > now - LEEWAY_S), "exp")?;
    ensure(instant("nbf")?.is_none_or(|nbf| nbf <= now + LEEWAY_S), "nbf")?;
    let made = now - AGE_S_MAX - LEEWAY_S..=now + LEEWAY_S;
    ensure(instant("iat")?.is_some_and(|iat| made.contains(&iat)), "iat")?;
    ensure(text("nonce") == Some(expected.nonce), "nonce")?;
    let is_name = |sub: &&str| {
        (1..=SUBJECT_BYTES_MAX).contains(&sub.len()) && sub.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
    };
    let subject = text("sub").filter(is_name).ok_or(Refusal::Claim("sub"))?.to_owned();
    Ok(Believed { subject, algorithm, claims })
}
