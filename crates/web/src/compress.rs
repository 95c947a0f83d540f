//! Pages and data leave compressed for whoever takes that. Their answers are small and made at once, so they are compressed whole.

use std::io::Write;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Smallest body that is worth it.
const BYTES_MIN: usize = 1_024;
/// No page is larger.
const BODY_BYTES_MAX: usize = 16 << 20;

pub(crate) async fn compress(request: Request, next: Next) -> Response {
    let takes = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    if !is_text(response.headers()) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if !takes {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(plain) = to_bytes(body, BODY_BYTES_MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    match (plain.len() >= BYTES_MIN).then(|| gzip(&plain)).flatten() {
        Some(bytes) => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(bytes))
        }
        None => Response::from_parts(parts, Body::from(plain)),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_text = kind.starts_with("text/") || kind.contains("json") || kind.contains("xml");
    is_text && !headers.contains_key(CONTENT_ENCODING)
}

/// `gzip`, `gzip;q=0.5` or `*`, but not `gzip;q=0`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(',')).any(|token| {
        let (name, rest) = token.split_once(';').unwrap_or((token, ""));
        let weight = rest.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        matches!(name.trim(), "gzip" | "*") && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 5), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::body::{Body, to_bytes};
    use axum::http::{HeaderMap, HeaderValue, Request, header::ACCEPT_ENCODING};
    use flate2::read::GzDecoder;
    use tower::ServiceExt;

    use super::takes_gzip;
    use crate::testing::{SMALL, Still, get, several_on, site};

    #[test]
    fn who_takes_gzip_is_read_as_it_is_written() {
        let rows = [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br", false),
            ("", false),
        ];
        for (text, expect) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
            assert_eq!(takes_gzip(&headers), expect, "{text}");
        }
    }

    #[tokio::test]
    async fn the_same_page_leaves_smaller() {
        let request = Request::get("/models").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let site = site(several_on(), Still::new(&SMALL, &["mistral"]));
        let response = crate::router(site).oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let packed = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let mut text = String::new();
        GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        let plain = get(several_on(), "/models").await;
        assert!(packed.len() * 3 < text.len());
        assert_eq!((text, plain.header("vary")), (plain.text.clone(), "accept-encoding"));
    }
}
