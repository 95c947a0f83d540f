//! `/console`: where people run things. A page of it is made for somebody who is signed in ([`signed::Signed`]), shows what the
//! management API answers them, and acts by calling it; at its foot stand the calls that it made.

mod account;
mod alerts;
mod amount;
mod approved;
mod audit;
mod budgets;
mod credits;
pub(crate) mod form;
pub(crate) mod frame;
mod guardrails;
#[cfg(test)]
mod hostile;
mod invoices;
mod keys;
mod logs;
mod members;
mod moderation;
mod names;
mod overview;
mod period;
mod policies;
mod presets;
mod privacy;
mod projects;
mod provider_keys;
mod restore;
mod server;
pub(crate) mod server_keys;
mod settings;
pub(crate) mod signed;
mod traces;
mod versions;
mod webhooks;

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
        .route(server::CATALOG, get(server::catalog::catalog))
        .route(server::JOBS, get(server::jobs::jobs))
        .route(server::STATE, get(server::state::state))
        .route(server::FEES, get(server::fees::fees))
        .route(server::NEWS, get(server::news::list).post(server::news::act))
        .merge(rules())
}

/// Pages of what is ruled: keys and money, people, models.
fn rules() -> Router<Arc<Pages>> {
    Router::new()
        .route(keys::PATH, get(keys::list).post(keys::act))
        .route("/console/keys/new", get(keys::new::show).post(keys::new::create))
        .route("/console/keys/{key}", get(keys::one::show).post(keys::one::act))
        .route(budgets::PATH, get(budgets::list).post(budgets::create))
        .route("/console/budgets/{id}", get(budgets::one::show).post(budgets::one::act))
        .route(account::PATH, get(account::show).post(account::act))
        .route(members::PATH, get(members::list).post(members::act))
        .route(projects::PATH, get(projects::list).post(projects::act))
        .route(settings::PATH, get(settings::show).post(settings::act))
        .route(credits::PATH, get(credits::show).post(credits::act))
        .route(invoices::PATH, get(invoices::list).post(invoices::save))
        .route(provider_keys::PATH, get(provider_keys::list).post(provider_keys::act))
        .route("/console/provider-keys/{id}", get(provider_keys::one::show).post(provider_keys::one::act))
        .merge(models())
}

/// Pages of which models are called, and of what passes.
fn models() -> Router<Arc<Pages>> {
    Router::new()
        .route(webhooks::PATH, get(webhooks::list).post(webhooks::act))
        .route(privacy::PATH, get(privacy::show).post(privacy::act))
        .route(guardrails::PATH, get(guardrails::show).post(guardrails::act))
        .route("/console/guardrails/restore", post(restore::guardrails))
        .route("/console/presets/{slug}/restore", post(restore::preset))
        .route("/console/policies/{name}/restore", post(restore::policy))
        .route(presets::PATH, get(presets::list))
        .route("/console/presets/new", get(presets::one::new).post(presets::one::create))
        .route("/console/presets/{slug}", get(presets::one::show).post(presets::one::act))
        .route(policies::PATH, get(policies::list))
        .route("/console/policies/new", get(policies::one::new).post(policies::one::create))
        .route("/console/policies/{name}", get(policies::one::show).post(policies::one::act))
        .route(approved::PATH, get(approved::show).post(approved::act))
        .route("/console/access-lists/new", get(approved::list::new).post(approved::list::create))
        .route("/console/access-lists/{name}", get(approved::list::show).post(approved::list::act))
        .route("/console/groups/new", get(approved::group::new).post(approved::group::create))
        .route("/console/groups/{name}", get(approved::group::show).post(approved::group::act))
}
