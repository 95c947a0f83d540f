//! `GET` and `PUT /v1/account/billing`: what invoices say of who pays.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Counter, PaymentError, tax_id};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;

const LINES_MAX: usize = 8;
const CHARS_MAX: usize = 200;
const EXAMPLE: &str = r#"{"name": "Acme GmbH", "address": ["Main Street 1", "10115 Berlin"], "country": "DE", "tax_id": "DE123456789"}"#;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Details {
    name: String,
    #[serde(default)]
    address: Lines,
    country: String,
    #[serde(default)]
    tax_id: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

/// One text with line breaks, or a list of lines.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Lines {
    Text(String),
    List(Vec<String>),
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::List(Vec::new())
    }
}

/// The account's details.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let account = counter.account();
    let body = counter.store(|gateway| async move { gateway.store.billing_details(&account).await }).await?;
    let data: Value = body.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
    Ok(router::json(json!({ "data": data }).to_string()))
}

/// Writes them.
pub(crate) async fn put(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, &parts)?;
    let details: Details = counter.body(&body, EXAMPLE)?;
    let details = check(details)?;
    let (account, now, text) = (counter.account(), counter.now(), details.to_string());
    counter
        .store(|gateway| async move { gateway.store.put_billing_details(&account, &text, now).await })
        .await?;
    Ok(router::json(json!({ "data": details }).to_string()))
}

fn check(details: Details) -> Result<Value, GatewayError> {
    let line = |name: &str, text: &str| {
        let text = text.trim();
        let good = !text.is_empty() && text.chars().count() <= CHARS_MAX && !text.contains(char::is_control);
        let wrong = format!("`{name}` must have 1 to {CHARS_MAX} characters without control characters");
        good.then(|| text.to_owned()).ok_or(GatewayError::InvalidRequest(wrong))
    };
    let address = match details.address {
        Lines::Text(text) => text.lines().map(str::to_owned).filter(|l| !l.trim().is_empty()).collect(),
        Lines::List(lines) => lines,
    };
    if address.len() > LINES_MAX {
        return Err(GatewayError::InvalidRequest(format!("`address` must have at most {LINES_MAX} lines")));
    }
    let address = address.iter().map(|text| line("address", text)).collect::<Result<Vec<_>, _>>()?;
    let country = details.country.trim().to_ascii_uppercase();
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
        let why = "`country` must be two letters by ISO 3166, such as `DE`";
        return Err(GatewayError::InvalidRequest(String::from(why)));
    }
    let tax_id = match details.tax_id.filter(|text| !text.trim().is_empty()) {
        None => None,
        Some(text) => Some(tax_id::check(&country, &text).map_err(PaymentError::TaxId)?),
    };
    let email = details.email.map(|text| line("email", &text)).transpose()?;
    let name = line("name", &details.name)?;
    Ok(json!({ "name": name, "address": address, "country": country, "tax_id": tax_id, "email": email }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_tidied_or_refused() {
        let read = |json: &str| check(serde_json::from_str(json).unwrap());
        let good = read(
            r#"{"name":" Acme ","address":"Main 1\n\n10115 Berlin","country":"de","tax_id":"de 123456789"}"#,
        );
        assert_eq!(
            good.unwrap(),
            json!({"name": "Acme", "address": ["Main 1", "10115 Berlin"], "country": "DE", "tax_id": "DE123456789",
                "email": null})
        );
        for bad in [
            r#"{"name":"","country":"DE"}"#,
            r#"{"name":"A","country":"Germany"}"#,
            r#"{"name":"A","country":"DE","tax_id":"DE1"}"#,
            r#"{"name":"A\u0000","country":"DE"}"#,
            r#"{"name":"A","country":"DE","address":["a","b","c","d","e","f","g","h","i"]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
