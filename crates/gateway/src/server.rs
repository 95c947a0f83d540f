//! `/v1/server/...`: what whoever runs this server sees of all of it: people, organizations, what was earned, providers, what of the
//! catalog wants an eye, background jobs, the state of journal and store, fees; and what it tells people.

mod announcements;
mod earned;
mod fees;
mod jobs;
mod organizations;
mod people;
mod providers;
mod review;
mod state;

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::caller;
use crate::read_body;

pub use review::Review;

/// Largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Users,
    User,
    Organizations,
    Margin,
    Providers,
    Catalog,
    Jobs,
    State,
    Fees,
    Announcements,
    Announce,
    Reword,
    Withdraw,
}

type Answer = Result<Response<ResponseBody>, GatewayError>;

/// Serves a path.
pub(crate) async fn serve<B>(worker: &Arc<Worker>, at: At, parts: Parts, body: B) -> Answer
where
    B: Body<Data = Bytes> + Unpin,
{
    caller(worker, &parts, Access::Operator)?;
    match at {
        At::Users => people::list(worker, &parts).await,
        At::User => people::edit(worker, &parts, body).await,
        At::Organizations => organizations::list(worker, &parts).await,
        At::Margin => earned::margin(worker, &parts).await,
        At::Providers => Ok(providers::list(worker)),
        At::Catalog => review::show(worker, &parts).await,
        At::Jobs => jobs::list(worker, &parts).await,
        At::State => state::show(worker, &parts).await,
        At::Fees => fees::show(worker, &parts).await,
        At::Announcements => announcements::list(worker, &parts).await,
        At::Announce => {
            announcements::create(worker, &parts, &read_body(&parts.headers, body, BODY_BYTES_MAX).await?)
                .await
        }
        At::Reword => {
            announcements::edit(worker, &parts, &read_body(&parts.headers, body, BODY_BYTES_MAX).await?).await
        }
        At::Withdraw => announcements::delete(worker, &parts).await,
    }
}
