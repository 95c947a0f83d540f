//! What is at the paths of organizations.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;

use super::{Answer, audit, invitations, members, projects, service_accounts};
use crate::app::Worker;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    List,
    Create,
    Choose,
    Show,
    Rename,
    End,
    Export,
    Leave,
    Members,
    SetRole,
    Remove,
    Invitations,
    Invite,
    Uninvite,
    ServiceAccounts,
    NewServiceAccount,
    ChangeServiceAccount,
    EndServiceAccount,
    Projects,
    PutProject,
    Audit,
    AuditAll,
}

/// Serves a path.
pub(crate) async fn serve(worker: &Arc<Worker>, at: At, parts: Parts, body: Bytes) -> Answer {
    match at {
        At::List => super::list(worker, &parts).await,
        At::Create => super::create(worker, &parts, body).await,
        At::Choose => super::choose(worker, &parts, body).await,
        At::Show => super::show(worker, &parts).await,
        At::Rename => super::rename(worker, &parts, body).await,
        At::End => super::end(worker, &parts).await,
        At::Export => super::export(worker, &parts).await,
        At::Leave => members::leave(worker, &parts).await,
        At::Members => members::list(worker, &parts).await,
        At::SetRole => members::set_role(worker, &parts, body).await,
        At::Remove => members::remove(worker, &parts).await,
        At::Invitations => invitations::list(worker, &parts).await,
        At::Invite => invitations::create(worker, &parts, body).await,
        At::Uninvite => invitations::delete(worker, &parts).await,
        At::ServiceAccounts => service_accounts::list(worker, &parts).await,
        At::NewServiceAccount => service_accounts::create(worker, &parts, body).await,
        At::ChangeServiceAccount => service_accounts::change(worker, &parts, body).await,
        At::EndServiceAccount => service_accounts::end(worker, &parts).await,
        At::Projects => projects::list(worker, &parts).await,
        At::PutProject => projects::put(worker, &parts, body).await,
        At::Audit => audit::own(worker, &parts).await,
        At::AuditAll => audit::all(worker, &parts).await,
    }
}
