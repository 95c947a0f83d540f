//! Why an attempt brought nothing, and what that means for its endpoint and its key.

use std::time::Duration;

use routing::breaker::Report;
use routing::keyring::KeyReport;
use wire::hub::Impossible;
use wire::provider_error::{Class, ProviderError};

/// Why an attempt brought nothing.
#[derive(Clone, Debug)]
pub struct Failure {
    pub(super) error: ProviderError,
    pub(super) code: String,
    pub(super) timeout: bool,
    pub(super) retry_after: Option<Duration>,
    /// Worth a second try at the same endpoint.
    pub(super) again: bool,
}

impl Failure {
    pub(super) fn ours(code: &str, message: String, again: bool) -> Failure {
        let error =
            ProviderError { status: 0, class: Class::Unavailable, message, code: None, retry_after: None };
        Failure {
            error,
            code: code.to_owned(),
            timeout: code.starts_with("timeout"),
            retry_after: None,
            again,
        }
    }

    pub(super) fn theirs(error: ProviderError, retry_after: Option<Duration>) -> Failure {
        let code = error.code.clone().unwrap_or_else(|| format!("http_{}", error.status));
        let again = matches!(error.class, Class::RateLimit | Class::Unavailable);
        let retry_after = retry_after.or(error.retry_after);
        Failure { error, code, timeout: false, retry_after, again }
    }

    /// The request can't be put into this endpoint's dialect; another may take it.
    pub(super) fn untranslatable(impossible: &Impossible) -> Failure {
        let error = ProviderError {
            status: 400,
            class: Class::Untranslatable,
            message: impossible.to_string(),
            code: None,
            retry_after: None,
        };
        Failure { error, code: "untranslatable".into(), timeout: false, retry_after: None, again: false }
    }

    /// `provider.require_parameters` leaves this endpoint out.
    pub(super) fn unsuitable(lost: &str) -> Failure {
        let message = format!("provider.require_parameters is set, and {lost}");
        let error = ProviderError {
            status: 404,
            class: Class::Untranslatable,
            message,
            code: None,
            retry_after: None,
        };
        Failure { error, code: "parameter_lost".into(), timeout: false, retry_after: None, again: false }
    }

    /// What it says of the key that it was tried with.
    pub(super) fn key_report(&self) -> Option<KeyReport> {
        let micros = |wait: Duration| i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        match self.error.class {
            Class::ProviderAuth => Some(KeyReport::Refused),
            Class::RateLimit => Some(KeyReport::Busy(self.retry_after.map(micros))),
            _ => None,
        }
    }

    pub(super) fn report(&self) -> Option<Report> {
        match self.error.class {
            Class::RateLimit => {
                Some(Report::Busy(self.retry_after.map(|d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))))
            }
            Class::Unavailable | Class::ProviderAuth | Class::NotFound => Some(Report::Failure),
            // The request's own fault says nothing about the endpoint.
            Class::InvalidRequest | Class::ContextLength | Class::ContentPolicy | Class::Untranslatable => {
                None
            }
        }
    }
}
