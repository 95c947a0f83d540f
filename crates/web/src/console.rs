//! `/console`: where people run things. A page of it is made for somebody who is signed in ([`signed::Signed`]), shows what the
//! management API answers them, and acts by calling it; at its foot stand the calls that it made.

mod alerts;
mod amount;
mod audit;
pub(crate) mod form;
pub(crate) mod frame;
mod moderation;
mod logs;
mod names;
mod overview;
mod period;
mod server;
pub(crate) mod signed;
mod traces;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::visit::Pages;

/// The paths of the console.
pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new()
        .route("/console", get(overview::overview))
        .route("/console/organization", post(overview::organization))
        .route(moderation::PATH, get(moderation::show).post(moderation::decide))
        .route(logs::LOGS, get(logs::logs))
        .route("/console/logs/{id}", get(logs::generation::show).post(logs::generation::say))
        .route("/console/traces/{id}", get(traces::trace))
        .route("/console/sessions/{id}", get(traces::session))
        .route("/console/alerts", get(alerts::alerts))
        .route("/console/audit", get(audit::audit))
        .route(server::PEOPLE, get(server::people::people).post(server::people::edit))
        .route(server::MARGIN, get(server::margin::margin))
        .route(server::PROVIDERS, get(server::providers::providers))
}
