//! What a path that reads and writes the store needs at hand.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;
use store::StoreError;
use types::Timestamp;

use crate::app::{Gateway, Worker};
use crate::at_most;
use crate::error::GatewayError;

/// Largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A caller before such a path.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) parts: &'a Parts,
}

impl<'a> Desk<'a> {
    pub(crate) fn open(worker: &'a Arc<Worker>, parts: &'a Parts) -> Desk<'a> {
        Desk { worker, parts }
    }

    pub(crate) fn gateway(&self) -> &'a Arc<Gateway> {
        &self.worker.gateway
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.gateway().clock.now()
    }

    /// Asks the store, on its own runtime: what was begun there ends, whether or not the caller waits.
    pub(crate) async fn store<T, F>(&self, ask: impl FnOnce(Arc<Gateway>) -> F) -> Result<T, GatewayError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let asked = ask(Arc::clone(self.gateway()));
        told(self.gateway().on_control(asked).await)
    }

    /// The same for what changes keys: when it is over, this node knows of it.
    pub(crate) async fn write<T, F>(&self, ask: impl FnOnce(Arc<Gateway>) -> F) -> Result<T, GatewayError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let asked = ask(Arc::clone(self.gateway()));
        told(self.gateway().written(asked).await)
    }

    /// The body, in its one form.
    pub(crate) fn body<T>(&self, body: &Bytes, example: &str) -> Result<T, GatewayError>
    where
        T: DeserializeOwned,
    {
        at_most(body, BODY_BYTES_MAX)?;
        serde_json::from_slice(body).map_err(|error| {
            GatewayError::InvalidRequest(format!("the body can't be read: {error}; send {example}"))
        })
    }

    /// What stands in the path after this segment.
    pub(crate) fn segment(&self, before: &str) -> String {
        let mut segments = self.parts.uri.path().split('/').skip_while(|segment| *segment != before);
        segments.nth(1).unwrap_or_default().to_owned()
    }
}

fn told<T>(done: Option<Result<T, StoreError>>) -> Result<T, GatewayError> {
    match done {
        Some(Ok(done)) => Ok(done),
        Some(Err(StoreError::NotFound(what))) => {
            Err(GatewayError::NotFound(format!("no {what} of this account has that id")))
        }
        Some(Err(StoreError::Conflict(why))) => Err(GatewayError::RuleExists(why)),
        Some(Err(StoreError::Invalid(why))) => Err(GatewayError::InvalidRequest(why)),
        _ => Err(GatewayError::StoreUnavailable),
    }
}
