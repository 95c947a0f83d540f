//! Stripe's API, as much of it as is used. Form-encoded requests, JSON answers; what changes something carries an
//! `Idempotency-Key`, under which Stripe does it once however often it is asked, so that it may be asked again.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use types::{ExposeSecret, SecretString};

use crate::upstream::once::{self, Errand};
use crate::world::Target;

/// Of one try.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Pauses before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1_200)];
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The version of the API whose shapes are read here.
const VERSION: &str = "2024-06-20";

/// Stripe, for one account of theirs.
#[derive(Debug)]
pub struct Stripe {
    target: Target,
    authorization: HeaderValue,
}

/// Why Stripe did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// It refused: asking again is of no use.
    #[error("Stripe refused it: {message} ({code})")]
    Refused {
        /// Its code, else the status.
        code: String,
        /// In its words.
        message: String,
    },
    /// It could not be reached, or fails. Whether it did what it was asked is not known.
    #[error("Stripe can't be reached or fails: {0}")]
    Failing(String),
    /// Its answer lacks what it should have.
    #[error("Stripe's answer has no `{0}`")]
    Lacks(&'static str),
}

/// Fields of a form.
pub type Form = Vec<(String, String)>;

impl Stripe {
    /// Stripe at an address, with a secret key.
    pub fn new(base_url: &str, key: &SecretString) -> Result<Stripe, String> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
            .map_err(|_| "has characters that fit no header".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Stripe { target: Target::of_url(base_url)?, authorization })
    }

    /// Reads an object.
    pub async fn get(&self, path: &str) -> Result<Value, StripeError> {
        self.ask(Method::GET, path, "", None).await
    }

    /// Makes or changes an object, once per key.
    pub async fn post(&self, path: &str, form: &Form, key: &str) -> Result<Value, StripeError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask(Method::POST, path, &body, Some(key)).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<Value, StripeError> {
        let mut pauses = PAUSES.iter();
        loop {
            let failing = match self.once(method.clone(), path, body, key).await {
                Err(StripeError::Failing(why)) => why,
                done => return done,
            };
            let Some(pause) = pauses.next() else { return Err(StripeError::Failing(failing)) };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<Value, StripeError> {
        let unsendable = |_| StripeError::Failing("the request fits no header".to_owned());
        let mut headers = vec![
            (header::AUTHORIZATION, self.authorization.clone()),
            (HeaderName::from_static("stripe-version"), HeaderValue::from_static(VERSION)),
        ];
        if let Some(key) = key {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.push((header::CONTENT_TYPE, form));
            let key = HeaderValue::from_str(key).map_err(unsendable)?;
            headers.push((HeaderName::from_static("idempotency-key"), key));
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        let errand = Errand { method, path: path.to_owned(), headers, body };
        let (status, body) = once::run(&self.target, errand, ANSWER_TIMEOUT, ANSWER_BYTES_MAX)
            .await
            .map_err(|error| StripeError::Failing(error.to_string()))?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        judge(status, answer)
    }
}

fn judge(status: u16, answer: Option<Value>) -> Result<Value, StripeError> {
    // 409: another request with the same key is under way. 429: too many at once.
    if status >= 500 || matches!(status, 409 | 429) {
        return Err(StripeError::Failing(format!("it answered {status}")));
    }
    let not_json = || StripeError::Failing(format!("it answered {status} without JSON"));
    let answer = answer.ok_or_else(not_json)?;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(cut);
    let code =
        text("/error/decline_code").or_else(|| text("/error/code")).unwrap_or_else(|| status.to_string());
    let message = text("/error/message").unwrap_or_else(|| format!("status {status}"));
    Err(StripeError::Refused { code, message })
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// A text of an answer.
pub(crate) fn text(answer: &Value, name: &'static str) -> Result<String, StripeError> {
    answer.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(StripeError::Lacks(name))
}

/// One field of a form.
pub(crate) fn field(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_judged_by_status() {
        let declined = json!({"error": {"code": "card_declined", "decline_code": "insufficient_funds", "message": "No."}});
        let rows = [
            (200, Some(json!({"id": "x"})), Ok(json!({"id": "x"}))),
            (
                402,
                Some(declined),
                Err(StripeError::Refused { code: "insufficient_funds".into(), message: "No.".into() }),
            ),
            (
                404,
                Some(json!({})),
                Err(StripeError::Refused { code: "404".into(), message: "status 404".into() }),
            ),
            (429, Some(json!({})), Err(StripeError::Failing("it answered 429".into()))),
            (503, None, Err(StripeError::Failing("it answered 503".into()))),
            (200, None, Err(StripeError::Failing("it answered 200 without JSON".into()))),
        ];
        for (status, answer, expect) in rows {
            assert_eq!(judge(status, answer), expect, "{status}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let stripe = Stripe::new("https://api.stripe.com", &SecretString::from("sk_live_canary")).unwrap();
        assert!(!format!("{stripe:?}").contains("canary"));
    }
}
