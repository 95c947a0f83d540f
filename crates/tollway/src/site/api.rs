//! The management API behind pages: the gateway's own routes, in this process.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway::app::Worker;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use web::{Api, Soon};

/// Calls of the pages that one connection asks for.
pub(crate) struct InProcess {
    pub(crate) worker: Arc<Worker>,
    /// Who is connected.
    pub(crate) peer: IpAddr,
}

impl Api for InProcess {
    fn call(&self, request: Request<Bytes>) -> Soon<'_, Response<Bytes>> {
        Box::pin(async move {
            let request = request.map(Full::new);
            let (parts, body) = gateway::router::serve(&self.worker, request, self.peer).await.into_parts();
            match body.collect().await {
                Ok(all) => Response::from_parts(parts, all.to_bytes()),
                Err(never) => match never {},
            }
        })
    }
}
