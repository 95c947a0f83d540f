//! `/v1/server/...`: what whoever runs this server sees of all of it: people, organizations, what was earned, providers.

mod earned;
mod organizations;
mod people;
mod providers;

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::caller;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Users,
    User,
    Organizations,
    Margin,
    Providers,
}

type Answer = Result<Response<ResponseBody>, GatewayError>;

/// Serves a path.
pub(crate) async fn serve(worker: &Arc<Worker>, at: At, parts: Parts, body: Bytes) -> Answer {
    caller(worker, &parts, Access::Operator)?;
    match at {
        At::Users => people::list(worker, &parts).await,
        At::User => people::edit(worker, &parts, body).await,
        At::Organizations => organizations::list(worker, &parts).await,
        At::Margin => earned::margin(worker, &parts).await,
        At::Providers => Ok(providers::list(worker)),
    }
}
