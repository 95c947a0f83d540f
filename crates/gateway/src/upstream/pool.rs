//! Connections to providers, kept for the next call. One pool per worker.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{UpstreamError, connect};
use crate::world::Target;

/// A connection that can take a request.
#[derive(Debug)]
pub(crate) enum Connection {
    /// One request at a time.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Many at once.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Why a request got no answer.
pub(crate) struct SendFailure {
    pub(crate) error: hyper::Error,
    /// The request was never written: it may be sent again.
    pub(crate) never_sent: bool,
}

impl Connection {
    pub(crate) fn version(&self) -> Version {
        match self {
            Connection::Http1(_) => Version::HTTP_11,
            Connection::Http2(_) => Version::HTTP_2,
        }
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, SendFailure> {
        let result = match self {
            Connection::Http1(sender) => sender.try_send_request(request).await,
            Connection::Http2(sender) => sender.try_send_request(request).await,
        };
        result.map_err(|mut failure| {
            let never_sent = failure.take_message().is_some();
            SendFailure { error: failure.into_error(), never_sent }
        })
    }

    async fn ready(&mut self) -> bool {
        match self {
            Connection::Http1(sender) => sender.ready().await.is_ok(),
            Connection::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Connection::Http1(sender) => sender.is_closed(),
            Connection::Http2(sender) => sender.is_closed(),
        }
    }
}

/// The idle connections of a worker, by origin.
#[derive(Debug)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    idle: Mutex<HashMap<Arc<str>, Vec<Idle>>>,
    idle_max: usize,
    idle_timeout: Duration,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection that is carrying a body; goes back to its pool by [`Lease::give_back`], is closed by dropping.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<Inner>,
    origin: Arc<str>,
    connection: Connection,
}

impl Pool {
    /// A pool that keeps up to `idle_max` idle connections per origin for `idle_timeout`.
    pub fn new(idle_max: usize, idle_timeout: Duration) -> Pool {
        Pool(Arc::new(Inner { idle: Mutex::default(), idle_max, idle_timeout }))
    }

    /// A connection to the target, and whether it was used before.
    pub(crate) async fn checkout(
        &self,
        target: &Target,
        timeout: Duration,
    ) -> Result<(Connection, bool), UpstreamError> {
        while let Some(mut connection) = self.take(target) {
            if !connection.is_closed() && connection.ready().await {
                return Ok((connection, true));
            }
        }
        // On the heap: a new connection may have to speak TLS, and every call would otherwise carry the room for that.
        let connecting = tokio::time::timeout(timeout, Box::pin(connect::connect(target))).await;
        let connection = connecting
            .map_err(|_| UpstreamError::ConnectTimeout(timeout))?
            .map_err(UpstreamError::Connect)?;
        if let Connection::Http2(sender) = &connection {
            self.0.put(&target.origin, Connection::Http2(sender.clone()));
        }
        Ok((connection, false))
    }

    fn take(&self, target: &Target) -> Option<Connection> {
        let mut idle = self.0.idle.lock();
        let list = idle.get_mut(&target.origin)?;
        loop {
            // The one used last: the others age and go.
            let found = list.pop()?;
            if let Connection::Http2(sender) = &found.connection {
                if found.connection.is_closed() {
                    continue;
                }
                let shared = Connection::Http2(sender.clone());
                list.push(found);
                return Some(shared);
            }
            if found.since.elapsed() < self.0.idle_timeout {
                return Some(found.connection);
            }
            list.clear();
            return None;
        }
    }

    pub(crate) fn lease(&self, target: &Target, connection: Connection) -> Lease {
        Lease { pool: Arc::clone(&self.0), origin: Arc::clone(&target.origin), connection }
    }

    /// Closes what has been idle for too long; called now and then.
    pub fn sweep(&self) {
        let timeout = self.0.idle_timeout;
        let mut idle = self.0.idle.lock();
        for list in idle.values_mut() {
            list.retain(|entry| {
                let shared = matches!(entry.connection, Connection::Http2(_));
                !entry.connection.is_closed() && (shared || entry.since.elapsed() < timeout)
            });
        }
        idle.retain(|_, list| !list.is_empty());
    }
}

impl Inner {
    fn put(&self, origin: &Arc<str>, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let mut idle = self.idle.lock();
        let entry = Idle { connection, since: Instant::now() };
        match idle.get_mut(origin) {
            Some(list) if list.len() < self.idle_max => list.push(entry),
            Some(_) => (),
            None => drop(idle.insert(Arc::clone(origin), vec![entry])),
        }
    }
}

impl Lease {
    /// The body has been read to its end: the connection can carry the next request.
    pub(crate) fn give_back(self) {
        // HTTP/2 connections stay in the pool while they are used.
        if matches!(self.connection, Connection::Http1(_)) {
            self.pool.put(&self.origin, self.connection);
        }
    }
}
