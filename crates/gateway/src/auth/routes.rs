//! What is at the paths of people, `/v1/auth/...`.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::{apps, consent, erase, me, oidc, sign_in, sign_up, totp};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    SignUp,
    Verify,
    Accept,
    SignIn,
    SignOut,
    Reset,
    Confirm,
    Me,
    Rename,
    Password,
    Sessions,
    End,
    EndAll,
    Export,
    Erase,
    Consent,
    Answer,
    AppCode,
    AppKey,
    Totp,
    TotpBegin,
    TotpConfirm,
    TotpRenew,
    TotpEnd,
    Methods,
    OidcBegin,
    OidcBack,
    OidcCode,
    Identities,
    Link,
    Unlink,
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    at: At,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match at {
        At::SignUp => sign_up::sign_up(worker, parts, body).await,
        At::Verify => sign_up::verify(worker, parts, body).await,
        At::Accept => sign_up::accept(worker, parts, body).await,
        At::SignIn => sign_in::sign_in(worker, parts, body).await,
        At::SignOut => sign_in::sign_out(worker, parts).await,
        At::Reset => sign_in::reset(worker, parts, body).await,
        At::Confirm => sign_in::confirm(worker, parts, body).await,
        At::Me => me::show(&parts),
        At::Rename => me::rename(worker, parts, body).await,
        At::Password => me::password(worker, parts, body).await,
        At::Sessions => me::sessions(worker, &parts).await,
        At::End => me::end(worker, &parts, false).await,
        At::EndAll => me::end(worker, &parts, true).await,
        At::Consent => consent::show(worker, parts).await,
        At::Answer => consent::answer(worker, parts, body).await,
        At::AppCode => apps::code(worker, &parts, body).await,
        At::AppKey => apps::exchange(worker, &parts, body).await,
        At::Totp => totp::show(worker, &parts).await,
        At::TotpBegin => totp::begin(worker, &parts, body).await,
        At::TotpConfirm => totp::confirm(worker, &parts, body).await,
        At::TotpRenew => totp::renew(worker, &parts, body).await,
        At::TotpEnd => totp::end(worker, &parts, body).await,
        At::Methods => Ok(oidc::methods(worker)),
        At::OidcBegin => Box::pin(oidc::begin(worker, &parts)).await,
        At::OidcBack => Box::pin(oidc::callback::come_back(worker, &parts)).await,
        At::OidcCode => Box::pin(oidc::callback::second_factor(worker, &parts, body)).await,
        At::Identities => oidc::identities::list(worker, &parts).await,
        At::Link => Box::pin(oidc::identities::begin(worker, &parts, body)).await,
        At::Unlink => oidc::identities::end(worker, &parts, body).await,
        At::Export => erase::export(worker, &parts).await,
        At::Erase => erase::erase(worker, parts, body).await,
    }
}
