//! `/console`: where people run things. A page of it is made for somebody who is signed in ([`signed::Signed`]), shows what the
//! management API answers them, and acts by calling it; at its foot stand the calls that it made.

mod amount;
pub(crate) mod form;
pub(crate) mod frame;
mod overview;
pub(crate) mod server_keys;
pub(crate) mod signed;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::visit::Pages;

/// The paths of the console.
pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new()
        .route("/console", get(overview::overview))
        .route(server_keys::PATH, get(server_keys::show).post(server_keys::write))
        .route("/console/organization", post(overview::organization))
}
