//! New connections: TCP without delay, TLS by the operator's own trust store, HTTP/2 where the other side offers it.

use std::io;
use std::sync::{Arc, OnceLock};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::pool::Connection;
use crate::world::Target;

/// Connects; the caller bounds the time.
pub(crate) async fn connect(target: &Target) -> io::Result<Connection> {
    let tcp = match &target.guard {
        None => TcpStream::connect((target.host.as_str(), target.port)).await?,
        Some(guard) => guard.connect(target).await.map_err(io::Error::other)?,
    };
    over(tcp, target).await
}

/// Speaks HTTP over a socket that is connected already.
pub(crate) async fn over(tcp: TcpStream, target: &Target) -> io::Result<Connection> {
    tcp.set_nodelay(true)?;
    if target.scheme != http::uri::Scheme::HTTPS {
        return start_http1(tcp).await;
    }
    let connector = tokio_rustls::TlsConnector::from(tls()?);
    let name = rustls_pki_types::ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
    let stream = connector.connect(name, tcp).await?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => start_http2(stream).await,
        _ => start_http1(stream).await,
    }
}

async fn start_http1<S>(stream: S) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // Ends by itself when the sender and the body are gone, or when the other side closes.
    tokio::spawn(connection);
    Ok(Connection::Http1(sender))
}

async fn start_http2<S>(stream: S) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .keep_alive_interval(std::time::Duration::from_secs(30))
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(Connection::Http2(sender))
}

/// Made at the first TLS connection: reading the trust store takes milliseconds that a start without TLS can spare.
fn tls() -> io::Result<Arc<rustls::ClientConfig>> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_platform_verifier()
        .map_err(io::Error::other)?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_leave_without_delay() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ours = std::net::TcpStream::connect(address).unwrap();
        ours.set_nonblocking(true).unwrap();
        // The same socket a second time, to look at what is set on it.
        let seen = ours.try_clone().unwrap();
        assert!(!seen.nodelay().unwrap());
        let target = Target::of_url(&format!("http://{address}/v1")).unwrap();
        over(TcpStream::from_std(ours).unwrap(), &target).await.unwrap();
        assert!(seen.nodelay().unwrap());
    }
}
