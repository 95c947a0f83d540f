//! Stripe's signature of a webhook: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>...]`, each `v1` an HMAC-SHA256 of
//! `<t>.<body>` under one of the endpoint's secrets. <https://docs.stripe.com/webhooks#verify-manually>
//!
//! - Several `v1` may stand there, and two secrets may be valid: while a secret is being changed.
//! - Other schemes are passed over. Comparing takes the same time wherever the two differ.
//! - A signature that is older, or younger, than five minutes is refused, so that what was overheard can't be sent again later.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use types::{ExposeSecret, SecretString, Timestamp};

/// How far the signature's time may be from ours.
pub const TOLERANCE_S: i64 = 300;
/// Signatures that are looked at.
const SIGNATURES_MAX: usize = 10;

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none, or not in its form.
    #[error("`Stripe-Signature` is missing or not in its form, `t=...,v1=...`")]
    Form,
    /// Signed too long ago, or in the future.
    #[error("the signature's time is more than {TOLERANCE_S} s away from this server's; check both clocks")]
    Stale,
    /// No signature fits.
    #[error("no signature fits the body; check `payments.stripe.webhook_secret`")]
    Wrong,
}

/// Whether the body was signed under one of the secrets just now.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[SecretString],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let (mut time, mut signatures) = (None, Vec::new());
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" if time.is_none() => time = Some(value),
            "v1" if signatures.len() < SIGNATURES_MAX => signatures.push(unhex(value)),
            _ => {}
        }
    }
    let text = time.ok_or(SignatureError::Form)?;
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let at: i64 = text.parse().ok().filter(|_| plain).ok_or(SignatureError::Form)?;
    if signatures.is_empty() {
        return Err(SignatureError::Form);
    }
    let fits = secrets.iter().any(|secret| {
        signatures
            .iter()
            .flatten()
            .any(|signature| mac(secret, text, body).is_some_and(|mac| mac.verify_slice(signature).is_ok()))
    });
    // Which of the two is wrong is told only to who knows a secret.
    match fits {
        false => Err(SignatureError::Wrong),
        true if now.seconds().abs_diff(at) > TOLERANCE_S.unsigned_abs() => Err(SignatureError::Stale),
        true => Ok(()),
    }
}

fn mac(secret: &SecretString, time: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let secret = secret.expose_secret().as_bytes();
    // An empty secret would be one that everybody knows.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok().filter(|_| !secret.is_empty())?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0u8; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `openssl dgst -sha256 -hmac whsec_test_secret` over `1614265330.{"id":"evt_1"}`.
    const SIGNED: &str = "e135cdbed3dda004bf8a2fb350f2541d299393c770e0b9e6e319dc595e9072aa";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn secrets(all: &[&str]) -> Vec<SecretString> {
        all.iter().map(|text| SecretString::from(*text)).collect()
    }

    fn check(header: &str, body: &[u8], keys: &[&str], now: i64) -> Result<(), SignatureError> {
        verify(header, body, &secrets(keys), Timestamp::from_seconds(now))
    }

    #[test]
    fn only_what_a_secret_signed_just_now_is_believed() {
        let good = format!("t=1614265330,v1={SIGNED}");
        let wrong = "0".repeat(64);
        type Row<'a> = (&'a str, &'a [u8], &'a [&'a str], i64, Result<(), SignatureError>);
        let rows: [Row<'_>; 14] = [
            (&good, BODY, &["whsec_test_secret"], 1_614_265_330, Ok(())),
            (&good, BODY, &["whsec_other", "whsec_test_secret"], 1_614_265_630, Ok(())),
            (
                &format!("t=1614265330,v1={wrong},v1={SIGNED}"),
                BODY,
                &["whsec_test_secret"],
                1_614_265_330,
                Ok(()),
            ),
            (
                &format!("t=1614265330,v0={wrong},v1={SIGNED},x"),
                BODY,
                &["whsec_test_secret"],
                1_614_265_330,
                Ok(()),
            ),
            (&good, BODY, &["whsec_test_secret"], 1_614_265_631, Err(SignatureError::Stale)),
            (&good, BODY, &["whsec_test_secret"], 1_614_265_029, Err(SignatureError::Stale)),
            (&good, b"{\"id\":\"evt_2\"}", &["whsec_test_secret"], 1_614_265_330, Err(SignatureError::Wrong)),
            (&good, BODY, &["whsec_other"], 1_614_265_330, Err(SignatureError::Wrong)),
            (&good, BODY, &[""], 1_614_265_330, Err(SignatureError::Wrong)),
            (&good, BODY, &[], 1_614_265_330, Err(SignatureError::Wrong)),
            (
                &format!("t=1614265331,v1={SIGNED}"),
                BODY,
                &["whsec_test_secret"],
                1_614_265_330,
                Err(SignatureError::Wrong),
            ),
            ("", BODY, &["whsec_test_secret"], 0, Err(SignatureError::Form)),
            (&format!("v1={SIGNED}"), BODY, &["whsec_test_secret"], 0, Err(SignatureError::Form)),
            (&format!("t=-1,v1={SIGNED}"), BODY, &["whsec_test_secret"], 0, Err(SignatureError::Form)),
        ];
        for (header, body, keys, now, expect) in rows {
            assert_eq!(check(header, body, keys, now), expect, "{header} {keys:?} {now}");
        }
        for bad in [&SIGNED[1..], "zz", &"é".repeat(32), &format!("{SIGNED}00")] {
            let header = format!("t=1614265330,v1={bad}");
            assert_eq!(
                check(&header, BODY, &["whsec_test_secret"], 1_614_265_330),
                Err(SignatureError::Wrong),
                "{bad}"
            );
        }
    }
}
