//! What callers are told when something is refused or fails: one enum, one place that turns it into status and body.

mod table;

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use ledger::Refusal;
use routing::plan::Funnel;
use serde_json::{Value, json};
use store::RuleKind;
use types::GenerationId;
use wire::json::quote;

pub use self::table::TABLE;
use crate::auth::AuthError;
use crate::body::ResponseBody;
use crate::guarding::Blocked;
use crate::key::rfc3339;
use crate::payments::PaymentError;
use crate::rules::RuleError;

/// Every way in which a call can be refused or fail. Variants are what a caller can act on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GatewayError {
    /// No key was sent.
    #[error("no API key: send it as `Authorization: Bearer <key>`")]
    KeyMissing,
    /// The key's checksum is wrong: it was cut or mistyped.
    #[error("this API key is mistyped or cut: its checksum is wrong; copy it again")]
    KeyMalformed,
    /// The key is not known here, or was revoked.
    #[error("this API key is not known here or was revoked; make another with `tollway keys create`")]
    KeyUnknown,
    /// The key is switched off.
    #[error(
        "this API key is disabled, or its holder may make no calls for now; enable it, ask an admin, or use another"
    )]
    KeyDisabled,
    /// The key is past its date.
    #[error("this API key has expired; make another with `tollway keys create`")]
    KeyExpired,
    /// The text of the key from before its rotation, whose grace is over.
    #[error("this API key was rotated and its old text is no longer taken; use the new one")]
    KeyRotated,
    /// The key was frozen.
    #[error("this API key is frozen: {0}; its owner can switch it on again")]
    KeyFrozen(String),
    /// A rule of the key forbids the call.
    #[error("{0}")]
    KeyRule(String),
    /// A management key can't call models, an API key can't manage.
    #[error("{0}")]
    WrongKeyKind(&'static str),
    /// The request itself is wrong.
    #[error("{0}")]
    InvalidRequest(String),
    /// A header has a value that is not allowed.
    #[error("header `{name}`: `{value}` is not allowed; use {allowed}")]
    InvalidHeader {
        /// The header as sent.
        name: String,
        /// Its value, cut.
        value: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// The body is larger than `server.body_bytes_max`.
    #[error(
        "the body is larger than {0} bytes; send less, or let the operator raise `server.body_bytes_max`"
    )]
    BodyTooLarge(usize),
    /// A provider refused a key that its owner wanted to bring along.
    #[error(
        "{provider} refused the key ({note}); nothing was kept. Check it, or add `?force=true` to keep it all the same"
    )]
    OwnKeyRefused {
        /// Who.
        provider: String,
        /// What it answered.
        note: String,
    },
    /// Nobody knows the model.
    #[error("no model is called `{name}`{}", suggest(.suggestions))]
    ModelNotFound {
        /// What was asked for.
        name: String,
        /// Ids that look like it.
        suggestions: Vec<String>,
    },
    /// The model was retired, and nobody serves it here.
    #[error("`{model}` was retired{} and nobody serves it here; {}", since_when(.since), instead(.successor))]
    ModelRetired {
        /// The model.
        model: String,
        /// Since which day.
        since: Option<String>,
        /// The model that its maker names in its place.
        successor: Option<String>,
    },
    /// The model is known and no endpoint of it can be used.
    #[error(
        "no endpoint can serve `{model}`: {failed_step} left none{}",
        remedy(failed_step, funnel, without)
    )]
    NoEndpoints {
        /// What was asked for.
        model: String,
        /// The filter that emptied the list.
        failed_step: String,
        /// Every filter that removed something.
        funnel: Vec<Funnel>,
        /// Endpoints that there would be without the last filter.
        without: Vec<String>,
    },
    /// A spend limit or the balance doesn't cover the call.
    #[error("{}", money_message(.0))]
    NoMoney(Box<Refusal>),
    /// The call could cost more than the caller allowed by header.
    #[error(
        "this call could cost up to {worst} USD, more than the {allowed} USD that the request allows; lower `max_tokens`, shorten the prompt or raise the header"
    )]
    OverMaxCost {
        /// Worst case, decimal dollars.
        worst: String,
        /// The header's value.
        allowed: String,
    },
    /// The key's own rate.
    #[error("this key may make {per_minute} requests per minute; try again in {} s", .retry_after.as_secs().max(1))]
    RateLimited {
        /// The limit.
        per_minute: u32,
        /// When the next one fits.
        retry_after: Duration,
    },
    /// The key's own rate of tokens.
    #[error("this key may use {per_minute} tokens per minute; try again in {} s", .retry_after.as_secs().max(1))]
    TokensLimited {
        /// The limit.
        per_minute: u32,
        /// When the call fits.
        retry_after: Duration,
    },
    /// Too many calls at once on this key.
    #[error("this key may have {0} calls in flight at once; wait for one to end")]
    TooManyInFlight(u32),
    /// Replays are few at a time.
    #[error("{0}; ask again when one has ended")]
    ReplayBusy(&'static str),
    /// Somebody rates or reports too much.
    #[error("{why}; try again in {} s", .retry_after.as_secs().max(1))]
    RatingsLimited {
        /// How much one may.
        why: &'static str,
        /// When the next one fits.
        retry_after: Duration,
    },
    /// Every endpoint is limiting us.
    #[error("{provider} is limiting requests: {message}")]
    ProviderBusy {
        /// Who.
        provider: String,
        /// In its words.
        message: String,
        /// How long to wait.
        retry_after: Option<Duration>,
        /// All attempts.
        attempts: Vec<FailedAttempt>,
    },
    /// The provider refused the request as wrong; another would too.
    #[error("{provider} refused the request: {message}")]
    ProviderRefused {
        /// Who.
        provider: String,
        /// In its words.
        message: String,
        /// Its status: 4xx.
        status: u16,
        /// The stable name: `provider_refused`, `context_length_exceeded`, `content_policy`.
        kind: &'static str,
        /// All attempts.
        attempts: Vec<FailedAttempt>,
    },
    /// Every attempt failed.
    #[error("no provider could answer; the last was {provider}: {message}")]
    ProviderFailed {
        /// Who.
        provider: String,
        /// In its words or ours.
        message: String,
        /// True when it was silent for too long.
        timeout: bool,
        /// All attempts.
        attempts: Vec<FailedAttempt>,
    },
    /// The stream broke after it had begun.
    #[error("the answer broke off: {0}")]
    StreamBroken(String),
    /// The money ran out while the answer was streaming.
    #[error("the answer was cut: {}", money_message(.0))]
    MoneyRanOut(Box<Refusal>),
    /// The endpoint rests and there is no other.
    #[error("every endpoint of `{model}` is resting after failures; try again in {} s", .retry_after.as_secs().max(1))]
    Resting {
        /// What was asked for.
        model: String,
        /// When the first wakes.
        retry_after: Duration,
    },
    /// We can't keep the books at the moment.
    #[error("the books can't be kept at the moment ({0}); nothing was charged, try again soon")]
    BooksUnavailable(&'static str),
    /// The store doesn't answer.
    #[error("the store doesn't answer at the moment; try again soon")]
    StoreUnavailable,
    /// The node is full.
    #[error("this node has {0} calls in flight, its maximum; try again soon")]
    Overloaded(usize),
    /// What was written is no policy or preset.
    #[error("{error}; nothing was written")]
    RuleInvalid {
        /// What it should be.
        kind: RuleKind,
        /// Where, what, and what would be right.
        error: RuleError,
    },
    /// The account has no policy or preset of that name.
    #[error("no {} is called `{name}`{}", .kind.noun(), suggest_rule(*.kind, .suggestions))]
    RuleNotFound {
        /// What was asked for.
        kind: RuleKind,
        /// Its name.
        name: String,
        /// Names that look like it.
        suggestions: Vec<String>,
    },
    /// A new policy or preset has the name of one that is there.
    #[error("{0}")]
    RuleExists(String),
    /// An edit was meant for another version than the one in force.
    #[error("{0}, not as `If-Match` says; read it again and make the edit over")]
    VersionMismatch(String),
    /// The key stands for another request.
    #[error(
        "this Idempotency-Key was used for another request; send that request again, or take a new key for this one"
    )]
    IdempotencyMismatch,
    /// The call with the key is under way, for longer than could be waited.
    #[error(
        "the call with this Idempotency-Key is still under way{}; send the same request again later",
        about(.0)
    )]
    IdempotencyInFlight(Option<GenerationId>),
    /// The node stopped while the call with the key was at a provider.
    #[error(
        "nobody knows how generation {0} with this Idempotency-Key ended: the server stopped while it was under way; \
         `GET /v1/generation?id={0}` says whether it was charged, and a new key makes the call again"
    )]
    OutcomeUnknown(GenerationId),
    /// The answer was too large to be kept, or had to make room.
    #[error(
        "generation {0} with this Idempotency-Key was answered, and its answer is not kept here: it was too large, or \
         had to make room; `GET /v1/generation?id={0}` has its record, and a new key makes the call again"
    )]
    AnswerNotKept(GenerationId),
    /// A guardrail found something that it blocks.
    #[error(transparent)]
    Guardrail(#[from] Blocked),
    /// Nothing is there.
    #[error("{0}")]
    NotFound(String),
    /// A payment's path refuses.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// A path of people refuses.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The path is served with another method.
    #[error("this path is served by {0}")]
    MethodNotAllowed(&'static str),
    /// A panic was caught.
    #[error(
        "something went wrong here; nothing was charged, and the operator's log says more under this generation id"
    )]
    Internal,
}

/// An attempt that failed, as told in `metadata.previous_errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// `provider/name` of the endpoint.
    pub endpoint: String,
    /// The provider's name.
    pub provider: String,
    /// Its HTTP status; 0 when there was none.
    pub status: u16,
    /// The provider's code, or ours such as `timeout_first_byte`.
    pub code: String,
}

/// A line of the generated `docs/errors.md`.
#[derive(Clone, Copy, Debug)]
pub struct ErrorDoc {
    /// `error.type`.
    pub kind: &'static str,
    /// HTTP status.
    pub status: u16,
    /// When it comes.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// What the filter asks that left nothing, and what to do.
fn remedy(failed_step: &str, funnel: &[Funnel], without: &[String]) -> String {
    let asks = funnel.last().map_or(String::new(), |line| format!(" (it asks that {})", line.reason));
    let todo = match failed_step {
        "Filter by Switched-on Providers" => {
            "; switch one on with its key, `GET /v1/models/{author}/{slug}/endpoints` lists who has it"
        }
        "Filter by Output" => "; name a model whose `output_modalities` fit this path",
        "Filter by Known Price" => "; give the model a price in the configuration, \"0\" where it is free",
        "Filter by Allowed Providers" => "; widen `provider.only`, `provider.order` or `provider.ignore`",
        "Filter by Input Modalities" => "; name a model whose `input_modalities` fit the request",
        "Filter by Context Length" => "; shorten the prompt, or name a model with a larger context",
        "Filter by Free Price" => "; take the model without `:free`",
        "Filter by Service Tier" => "; ask for the tier by `service_tier`",
        "Filter by Quantization" => "; add to `provider.quantizations`, `unknown` where nobody says",
        "Filter by Region" => "; widen `provider.region`",
        "Filter by Training" => "; set `provider.data_collection` to allow",
        "Filter by Retention" => "; loosen `provider.zdr` or `provider.max_retention_days`",
        "Filter by Distillation Rights" => "; leave `provider.enforce_distillable_text` out",
        "Filter by Max Price" => "; raise `provider.max_price`",
        _ => "",
    };
    let without = match without {
        [] => String::new(),
        [one] => format!("; without it there would be {one}"),
        [first, others @ ..] => format!("; without it there would be {first} and {} more", others.len()),
    };
    format!("{asks}{todo}{without}")
}

impl GatewayError {
    /// HTTP status and `error.type`.
    pub fn kind(&self) -> (u16, &'static str) {
        match self {
            GatewayError::KeyMissing => (401, "key_missing"),
            GatewayError::KeyMalformed => (401, "key_malformed"),
            GatewayError::KeyUnknown => (401, "key_unknown"),
            GatewayError::KeyDisabled => (401, "key_disabled"),
            GatewayError::KeyExpired => (401, "key_expired"),
            GatewayError::KeyRotated => (401, "key_rotated"),
            GatewayError::KeyFrozen(_) => (403, "key_frozen"),
            GatewayError::KeyRule(_) => (403, "key_rule"),
            GatewayError::WrongKeyKind(_) => (403, "wrong_key_kind"),
            GatewayError::InvalidRequest(_) => (400, "invalid_request"),
            GatewayError::InvalidHeader { .. } => (400, "invalid_header"),
            GatewayError::BodyTooLarge(_) => (413, "body_too_large"),
            GatewayError::OwnKeyRefused { .. } => (400, "provider_key_refused"),
            GatewayError::ModelNotFound { .. } => (404, "model_not_found"),
            GatewayError::ModelRetired { .. } => (404, "model_retired"),
            GatewayError::NoEndpoints { .. } => (404, "no_endpoints"),
            GatewayError::NoMoney(refusal) | GatewayError::MoneyRanOut(refusal) => (402, purse_kind(refusal)),
            GatewayError::OverMaxCost { .. } => (402, "max_cost_exceeded"),
            GatewayError::RateLimited { .. } => (429, "rate_limited"),
            GatewayError::TokensLimited { .. } => (429, "tokens_limited"),
            GatewayError::TooManyInFlight(_) => (429, "too_many_in_flight"),
            GatewayError::ReplayBusy(_) => (429, "replay_busy"),
            GatewayError::RatingsLimited { .. } => (429, "ratings_limited"),
            GatewayError::ProviderBusy { .. } => (429, "provider_rate_limited"),
            GatewayError::ProviderRefused { status, kind, .. } => (*status, kind),
            GatewayError::ProviderFailed { timeout: true, .. } => (504, "provider_timeout"),
            GatewayError::ProviderFailed { .. } => (502, "provider_error"),
            GatewayError::StreamBroken(_) => (502, "stream_broken"),
            GatewayError::Resting { .. } => (503, "endpoints_resting"),
            GatewayError::BooksUnavailable(_) => (503, "books_unavailable"),
            GatewayError::StoreUnavailable => (503, "store_unavailable"),
            GatewayError::Overloaded(_) => (503, "overloaded"),
            GatewayError::RuleInvalid { kind: RuleKind::Policy, .. } => (400, "invalid_policy"),
            GatewayError::RuleInvalid { kind: RuleKind::Preset, .. } => (400, "invalid_preset"),
            GatewayError::RuleInvalid { kind: RuleKind::Guardrails, .. } => (400, "invalid_guardrails"),
            GatewayError::RuleInvalid { .. } => (400, "invalid_access"),
            GatewayError::RuleNotFound { kind: RuleKind::Policy, .. } => (404, "policy_not_found"),
            GatewayError::RuleNotFound { kind: RuleKind::Preset, .. } => (404, "preset_not_found"),
            GatewayError::RuleExists(_) => (409, "already_exists"),
            GatewayError::VersionMismatch(_) => (412, "version_mismatch"),
            GatewayError::IdempotencyMismatch => (422, "idempotency_mismatch"),
            GatewayError::IdempotencyInFlight(_) => (409, "idempotency_in_flight"),
            GatewayError::OutcomeUnknown(_) => (409, "outcome_unknown"),
            GatewayError::AnswerNotKept(_) => (409, "answer_not_kept"),
            GatewayError::Guardrail(_) => (403, "guardrail_blocked"),
            GatewayError::NotFound(_) | GatewayError::RuleNotFound { .. } => (404, "not_found"),
            GatewayError::Payment(error) => error.kind(),
            GatewayError::Auth(error) => error.kind(),
            GatewayError::MethodNotAllowed(_) => (405, "method_not_allowed"),
            GatewayError::Internal => (500, "internal"),
        }
    }

    /// How long the caller should wait, where that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            GatewayError::RateLimited { retry_after, .. }
            | GatewayError::TokensLimited { retry_after, .. }
            | GatewayError::RatingsLimited { retry_after, .. }
            | GatewayError::Resting { retry_after, .. } => Some(*retry_after),
            GatewayError::ProviderBusy { retry_after, .. } => *retry_after,
            GatewayError::Auth(error) => error.retry_after(),
            GatewayError::Overloaded(_)
            | GatewayError::ReplayBusy(_)
            | GatewayError::IdempotencyInFlight(_)
            | GatewayError::BooksUnavailable(_)
            | GatewayError::StoreUnavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    fn metadata(&self) -> Value {
        match self {
            GatewayError::ModelNotFound { suggestions, .. }
            | GatewayError::RuleNotFound { suggestions, .. } => json!({ "suggestions": suggestions }),
            GatewayError::OutcomeUnknown(id)
            | GatewayError::AnswerNotKept(id)
            | GatewayError::IdempotencyInFlight(Some(id)) => json!({ "generation_id": id.as_str() }),
            GatewayError::RuleInvalid { error, .. } => json!({ "path": error.path }),
            GatewayError::Guardrail(blocked) => blocked.metadata(),
            GatewayError::ModelRetired { model, since, successor } => {
                json!({ "model": model, "retired": since, "successor": successor })
            }
            GatewayError::NoEndpoints { funnel, failed_step, without, .. } => json!({
                "without_failed_step": without,
                "failed_routing_step": failed_step,
                "routing_funnel": funnel.iter().map(|line| json!({
                    "step": line.step, "endpoint_count": line.endpoint_count, "reason": line.reason,
                })).collect::<Vec<_>>(),
            }),
            GatewayError::NoMoney(refusal) | GatewayError::MoneyRanOut(refusal) => json!({
                "scope": refusal.scope.as_ref(),
                "period": refusal.period.name(),
                "resets_at": refusal.resets.map(midnight),
                "limit_usd": refusal.limit.to_string(),
                "spent_usd": refusal.spent.to_string(),
                "held_usd": refusal.held.to_string(),
                "left_usd": refusal.available.to_string(),
                "needed_usd": refusal.needed.to_string(),
            }),
            GatewayError::ProviderBusy { provider, message, attempts, .. }
            | GatewayError::ProviderRefused { provider, message, attempts, .. }
            | GatewayError::ProviderFailed { provider, message, attempts, .. } => json!({
                "provider_name": provider,
                "raw": message,
                "previous_errors": attempts.iter().map(|a| json!({
                    "endpoint": a.endpoint, "provider": a.provider, "status": a.status, "code": a.code,
                })).collect::<Vec<_>>(),
            }),
            _ => json!({}),
        }
    }

    /// The error object, as in bodies and in the last event of a broken stream.
    pub fn object(&self) -> String {
        let (status, kind) = self.kind();
        format!(
            "{{\"code\":{status},\"type\":{},\"message\":{},\"param\":null,\"metadata\":{}}}",
            quote(kind),
            quote(&self.to_string()),
            self.metadata()
        )
    }

    /// What a caller is told, for a dialect to put into its envelope.
    pub fn told(&self) -> wire::hub::CallError {
        let (status, kind) = self.kind();
        wire::hub::CallError { status, kind, message: self.to_string(), object: self.object() }
    }

    /// The whole answer in the OpenAI dialects.
    pub fn response(&self) -> http::Response<ResponseBody> {
        self.response_in(wire::hub::Dialect::Chat, "")
    }

    /// The whole answer in a caller's dialect.
    pub fn response_in(&self, dialect: wire::hub::Dialect, request_id: &str) -> http::Response<ResponseBody> {
        let body = wire::call::error_body(dialect, &self.told(), request_id);
        let mut response = http::Response::new(ResponseBody::full(body));
        *response.status_mut() =
            StatusCode::from_u16(self.kind().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.retry_after() {
            // Whole seconds, rounded up: a client that comes back too early is refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if matches!(self, GatewayError::OutcomeUnknown(_) | GatewayError::AnswerNotKept(_)) {
            // OpenAI's and Anthropic's clients try a 409 again by themselves, which can't help here.
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if matches!(self, GatewayError::KeyMissing) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn purse_kind(refusal: &Refusal) -> &'static str {
    match &*refusal.scope {
        "key" => "key_limit_exceeded",
        scope if scope.starts_with("budget:") => "budget_exceeded",
        "byok" => "byok_balance_empty",
        _ => "insufficient_credits",
    }
}

fn money_message(refusal: &Refusal) -> String {
    let scope = &*refusal.scope;
    let (what, remedy) = match scope {
        "key" => (
            String::from("this key's spend limit"),
            "raise the limit, lower `max_tokens`, or use another key",
        ),
        _ if scope.starts_with("budget:") => {
            (format!("the {scope}"), "wait until it counts anew, raise it, or lower `max_tokens`")
        }
        "byok" => (
            String::from("the balance for fees of calls with your own provider keys"),
            "move credits there with `POST /v1/byok/balance`, or let fees be taken from credits with `PUT /v1/byok/settings`",
        ),
        _ => (String::from("the account's balance"), "add credit or lower `max_tokens`"),
    };
    let per = match refusal.resets {
        Some(day) => format!(" per {}, counted anew at {}", refusal.period.name(), midnight(day)),
        None => String::new(),
    };
    format!(
        "{what}{per} doesn't cover the call: {} USD left ({} USD of {} USD spent, {} USD held by calls in flight), at least {} USD needed; {remedy}",
        refusal.available, refusal.spent, refusal.limit, refusal.held, refusal.needed
    )
}

/// The beginning of a day, in days since 1970.
fn midnight(day: i64) -> String {
    rfc3339(types::Timestamp::from_seconds(day.saturating_mul(86_400)))
}

fn about(id: &Option<GenerationId>) -> String {
    id.map_or_else(String::new, |id| format!(" as generation {id}"))
}

fn since_when(day: &Option<String>) -> String {
    day.as_ref().map(|day| format!(" on {day}")).unwrap_or_default()
}

fn instead(successor: &Option<String>) -> String {
    let Some(model) = successor else { return "choose another of `GET /v1/models`".to_owned() };
    format!("ask for `{model}`, which its maker names in its place")
}

fn suggest(suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        return String::from("; `GET /v1/models` lists them all");
    }
    let quoted: Vec<String> = suggestions.iter().map(|s| format!("`{s}`")).collect();
    format!("; did you mean {}?", quoted.join(" or "))
}

fn suggest_rule(kind: RuleKind, suggestions: &[String]) -> String {
    let quoted: Vec<String> = suggestions.iter().map(|name| format!("`{name}`")).collect();
    match quoted.is_empty() {
        true => format!("; `GET /v1/{}` lists those of the account", kind.plural()),
        false => format!("; did you mean {}?", quoted.join(" or ")),
    }
}

#[cfg(test)]
mod tests;
