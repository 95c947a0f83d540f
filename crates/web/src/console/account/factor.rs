//! A second factor set up: the secret as a picture for an authenticator app, then the codes for who loses it.

use std::fmt::Write as _;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use qrcode::{Color, EcLevel, QrCode};
use serde_json::{Value, json};

use super::{PATH, again, secrets};
use crate::console::again::Again;
use crate::console::form::Form;
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::shell::Failed;

/// Modules of white around a code, without which it is not found.
const QUIET: usize = 4;

#[derive(Template)]
#[template(path = "console/account_factor.html")]
struct Factor {
    shell: Frame,
    /// The picture; empty where the address is too long for one.
    picture: String,
    url: String,
    secret: String,
}

#[derive(Template)]
#[template(path = "console/account_codes.html")]
struct Codes {
    shell: Frame,
    codes: Vec<String>,
}

/// A text as a code of squares: one path, black on white in every theme, for that is what cameras look for.
fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let _ = write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
        }
    }
    Some(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"The secret as a QR code\" \
         shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" \
         fill=\"#000\"/></svg>"
    ))
}

fn page(signed: &Signed, url: &str, secret: &str, again: &Again) -> Response {
    let shell = Frame::of(signed, "Second factor", PATH).again(again);
    let picture = picture(url).unwrap_or_default();
    let page = Factor { shell, picture, url: url.to_owned(), secret: secret.to_owned() };
    again.answer(&page)
}

/// The secret, which is not in force yet.
pub(super) async fn begin(signed: &Signed, form: &Form) -> Result<Response, Failed> {
    match signed.send_unseen(Method::POST, "/v1/auth/totp", Some(&secrets(form))).await {
        Ok(answer) => {
            let text = |path: &str| answer.pointer(path).and_then(Value::as_str).unwrap_or_default();
            Ok(page(signed, text("/data/url"), text("/data/secret"), &Again::default()))
        }
        Err(refused) => again(signed, &refused).await,
    }
}

/// A first code of it puts it in force.
pub(super) async fn confirm(signed: &Signed, form: &Form) -> Result<Response, Failed> {
    let body = json!({ "code": form.text("code").unwrap_or_default() });
    match signed.send_unseen(Method::POST, "/v1/auth/totp/confirm", Some(&body)).await {
        Ok(answer) => Ok(codes(signed, &answer)),
        Err(refused) => {
            // The secret is told once; the page carries it on to the next try.
            let (url, secret) = (form.again("url"), form.again("secret"));
            Ok(page(signed, &url, &secret, &Again::refused(None, &refused)))
        }
    }
}

/// Other recovery codes.
pub(super) async fn renew(signed: &Signed, form: &Form) -> Result<Response, Failed> {
    match signed.send_unseen(Method::POST, "/v1/auth/totp/recovery-codes", Some(&secrets(form))).await {
        Ok(answer) => Ok(codes(signed, &answer)),
        Err(refused) => again(signed, &refused).await,
    }
}

fn codes(signed: &Signed, answer: &Value) -> Response {
    let all = answer.pointer("/data/recovery_codes").and_then(Value::as_array);
    let codes = all.map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str);
    let page =
        Codes { shell: Frame::of(signed, "Recovery codes", PATH), codes: codes.map(str::to_owned).collect() };
    Again::default().answer(&page)
}

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn a_code_is_drawn_as_it_is_encoded() {
        let svg = picture("otpauth://totp/Tollway:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Tollway")
            .unwrap();
        // The three corners begin with a row of seven dark squares, behind the quiet zone.
        for x in 4..11 {
            assert!(svg.contains(&format!("M{x} 4h1v1h-1z")), "{x}");
        }
        assert!(!svg.contains("M11 4h1v1h-1z"), "the square beside a corner is light");
        assert!(!svg.contains("M3 ") && !svg.contains(" 3h1"), "the quiet zone is white");
        assert!(picture(&"x".repeat(5_000)).is_none());
    }
}
