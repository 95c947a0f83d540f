//! The management API, as pages call it: in this process, as whoever opened the page. A page decides nothing about who may do what: it
//! shows what the API answers, and what a form asks for is a call that anybody could make without it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Request, Response};

use crate::site::Soon;

/// What answers the calls of pages: the gateway's own routes. The binary puts one behind each request that a page is made for.
pub trait Api: Send + Sync + 'static {
    /// Answers a call: the same as over a connection, with the caller's address.
    fn call(&self, request: Request<Bytes>) -> Soon<'_, Response<Bytes>>;
}

/// The [`Api`] of a request, among its extensions.
#[derive(Clone)]
pub struct Caller(pub Arc<dyn Api>);
