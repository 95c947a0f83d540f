//! Connections: one listener per worker thread on the same port, so that no thread waits for another; HTTP/1.1, and over
//! TLS, when configured, HTTP/2 too.
//!
//! A header section larger than `server.header_bytes_max` is answered with 431 and malformed HTTP with 400 by the HTTP
//! library, and the connection closed.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use gateway::ResponseBody;
use gateway::app::Worker;
use http::{Method, Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::pem::PemObject;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::Server;
use crate::site::InProcess;

/// Connections waiting to be accepted, per worker.
const BACKLOG: i32 = 4096;
/// Most header fields of a request.
const HEADERS_MAX: usize = 128;
/// The longest that a worker sleeps.
const TICK: Duration = Duration::from_secs(1);
/// Largest form of a page: a policy or a preset is typed into one.
const FORM_BYTES_MAX: usize = 1024 * 1024;
/// How long TLS may take to begin.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// What every connection needs.
pub(crate) struct Serving {
    pub(crate) worker: Arc<Worker>,
    pub(crate) site: axum::Router,
    pub(crate) http1: http1::Builder,
    pub(crate) http2: http2::Builder<TokioExecutor>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) connections_max: usize,
    /// Turns true when no more is accepted and open connections are to end after their call.
    pub(crate) stopping: watch::Receiver<bool>,
    /// On the operator's own listener `/metrics` needs no key.
    pub(crate) metrics_are_public: bool,
}

/// Opens a listener that shares its port with those of the other workers.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit it. Without it, Linux may hold small answers back for 40 ms.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Opens the first listener of an address, before anything else is done: who comes early waits. Fails when another process
/// listens there: sharing the port is for our own workers only.
pub(crate) fn claim(address: SocketAddr, field: &str) -> anyhow::Result<std::net::TcpListener> {
    // Who doesn't share gets the port only when nobody listens there.
    let probe = || std::net::TcpListener::bind(address)?.local_addr();
    probe().and_then(listen).with_context(|| {
        format!("can't listen on {address}; is another server running? set {field} to another port")
    })
}

/// How HTTP/1.1 is spoken: the header section is bounded in size and time, from the first byte that is waited for.
pub(crate) fn http1(server: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(server.header_read_timeout_ms))
        .max_buf_size(server.header_bytes_max.max(8192))
        .max_headers(HEADERS_MAX)
        .half_close(false);
    builder
}

/// How HTTP/2 is spoken, to clients that chose it in the TLS handshake.
pub(crate) fn http2(server: &Server) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(u32::try_from(server.header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// Reads certificate and key.
pub(crate) fn tls(server: &Server) -> anyhow::Result<Option<TlsAcceptor>> {
    let (Some(cert), Some(key)) = (&server.tls_cert_file, &server.tls_key_file) else { return Ok(None) };
    let chain = rustls_pki_types::CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("server.tls_cert_file {} can't be read", cert.display()))?;
    let key = rustls_pki_types::PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("server.tls_key_file {} can't be read", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("server.tls_cert_file and server.tls_key_file don't belong together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Accepts until it is told to stop.
pub(crate) async fn accept(listener: std::net::TcpListener, serving: Arc<Serving>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut stopping = serving.stopping.clone();
    // A worker wakes itself, with a system call of its own, when a timer is set that ends before all others. With one
    // that always ends soon, the deadlines that each request sets never do.
    tokio::spawn(async {
        loop {
            tokio::time::sleep(TICK).await;
        }
    });
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return Ok(()),
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, or a connection that was gone already: the listener lives on.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if serving.connections.fetch_add(1, Ordering::Relaxed) >= serving.connections_max {
            serving.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let serving = Arc::clone(&serving);
        tokio::spawn(async move {
            let peer = stream.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
            connection(stream, peer, &serving).await;
            serving.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn connection(stream: TcpStream, peer: IpAddr, serving: &Arc<Serving>) {
    let Some(tls) = &serving.tls else { return talk_http1(stream, peer, serving).await };
    let Ok(Ok(stream)) = tokio::time::timeout(TLS_TIMEOUT, tls.accept(stream)).await else { return };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => talk_http2(stream, peer, serving).await,
        _ => talk_http1(stream, peer, serving).await,
    }
}

async fn talk_http1<S>(stream: S, peer: IpAddr, serving: &Arc<Serving>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| answer(Arc::clone(serving), peer, request));
    let mut connection = pin!(serving.http1.serve_connection(TokioIo::new(stream), service));
    let mut stopping = serving.stopping.clone();
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn talk_http2<S>(stream: S, peer: IpAddr, serving: &Arc<Serving>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::clone(serving);
    let service = service_fn(move |request| answer(Arc::clone(&shared), peer, request));
    let mut connection = pin!(serving.http2.serve_connection(TokioIo::new(stream), service));
    let mut stopping = serving.stopping.clone();
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    serving: Arc<Serving>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<Out>, Infallible> {
    if serving.metrics_are_public && request.uri().path() == "/metrics" {
        return Ok(gateway::health::metrics_text(&serving.worker).map(Out::Gateway));
    }
    if gateway::router::is_ours(request.uri().path()) {
        return Ok(gateway::router::serve(&serving.worker, request, peer).await.map(Out::Gateway));
    }
    Ok(page(&serving, peer, request).await.map(Out::Site))
}

/// Makes a page. It takes milliseconds and this thread carries calls, so it is made where the books are kept.
async fn page(serving: &Serving, peer: IpAddr, request: Request<Incoming>) -> Response<axum::body::Body> {
    let (mut parts, body) = request.into_parts();
    let form = match parts.method {
        Method::POST => gateway::read_body(&parts.headers, body, FORM_BYTES_MAX).await,
        _ => Ok(Bytes::new()),
    };
    let form = match form {
        Ok(form) => form,
        Err(error) => return error.response().map(axum::body::Body::new),
    };
    let api = InProcess { worker: Arc::clone(&serving.worker), peer };
    parts.extensions.insert(web::Caller(Arc::new(api)));
    let asked = serving.site.clone().oneshot(Request::from_parts(parts, axum::body::Body::from(form)));
    match serving.worker.gateway.on_control(asked).await {
        Some(Ok(response)) => response,
        Some(Err(never)) => match never {},
        // A panic ends the page and nothing else.
        None => {
            let mut response = Response::new(axum::body::Body::from("the page could not be made\n"));
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// An answer's body, of either half.
pub(crate) enum Out {
    Gateway(ResponseBody),
    Site(axum::body::Body),
}

impl Body for Out {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Out::Gateway(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Out::Site(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Out::Gateway(body) => body.is_end_stream(),
            Out::Site(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Out::Gateway(body) => body.size_hint(),
            Out::Site(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_leave_without_delay() {
        let claimed = claim(SocketAddr::from(([127, 0, 0, 1], 0)), "server.listen").unwrap();
        let listener = TcpListener::from_std(claimed).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(accepted.nodelay().unwrap());
    }

    #[test]
    fn an_address_is_claimed_once_and_then_shared_by_its_owner() {
        let claimed = claim(SocketAddr::from(([127, 0, 0, 1], 0)), "server.listen").unwrap();
        let address = claimed.local_addr().unwrap();
        let again = claim(address, "server.admin_listen").err().unwrap();
        assert!(format!("{again:#}").contains("set server.admin_listen"), "{again:#}");
        assert_eq!(listen(address).unwrap().local_addr().unwrap(), address);
    }
}
