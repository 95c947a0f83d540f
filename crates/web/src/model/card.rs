//! `/<author>/<slug>/card.png`: the picture that is shown where somebody shares a model's page. It is drawn when it is first asked for,
//! on a thread of its own, and kept; its tag names what is on it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{Found, find};
use crate::machine::card;
use crate::not_found;
use crate::shell;
use crate::visit::Visit;

/// Pictures that are kept, some 30 KB each; the oldest goes first.
const KEPT_MAX: usize = 128;
/// Pictures drawn at once: each takes a core for a while.
const AT_ONCE: usize = 1;
/// Who waits for a picture to be drawn; whoever comes then is told to come again.
const WAITING_MAX: usize = 32;
/// When to come again, seconds.
const AGAIN_S: &str = "5";
/// How long a picture may be shown without asking again: prices on it change seldom.
const CACHE: &str = "public, max-age=3600";

/// Where the picture of a model is.
pub(crate) fn path(model: &str) -> String {
    format!("/{model}/card.png")
}

/// Pictures that were drawn.
pub(crate) struct Pictures {
    /// By tag, oldest first.
    kept: Mutex<VecDeque<(String, Bytes)>>,
    drawing: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Pictures {
    fn default() -> Pictures {
        Pictures { kept: Mutex::default(), drawing: Semaphore::new(AT_ONCE), waiting: AtomicUsize::new(0) }
    }
}

/// Why there is no picture now.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    /// Too many are waited for.
    Busy,
    /// It could not be drawn.
    Failed,
}

impl Pictures {
    fn known(&self, tag: &str) -> Option<Bytes> {
        self.kept.lock().iter().find(|(known, _)| known == tag).map(|(_, png)| png.clone())
    }

    fn keep(&self, tag: String, png: Bytes) {
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((tag, png));
    }

    async fn drawn(&self, tag: &str, svg: String) -> Result<Bytes, Missing> {
        if let Some(png) = self.known(tag) {
            return Ok(png);
        }
        let _waiting = Waiting::of(&self.waiting).ok_or(Missing::Busy)?;
        let _turn = self.drawing.acquire().await.map_err(|_| Missing::Failed)?;
        // Somebody who waited before may have had it drawn.
        if let Some(png) = self.known(tag) {
            return Ok(png);
        }
        let drawn = tokio::task::spawn_blocking(move || card::png(&svg)).await;
        let png = drawn.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        let png = Bytes::from(png);
        self.keep(tag.to_owned(), png.clone());
        Ok(png)
    }
}

fn failed(error: &dyn std::fmt::Display) -> Missing {
    tracing::error!(%error, "a model's picture could not be drawn");
    Missing::Failed
}

/// A place among those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn of(waiting: &'a AtomicUsize) -> Option<Waiting<'a>> {
        let place = Waiting(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) async fn card(
    visit: Visit,
    headers: HeaderMap,
    Path((author, slug)): Path<(String, String)>,
) -> Response {
    let at = match find(&visit, &author, &slug) {
        Found::Model(at) => at,
        Found::Moved(id) => return shell::moved(&path(&id)),
        Found::Nothing => return not_found::page_of(&visit),
    };
    let Some(card) = card::of_model(visit.snapshot(), at, &visit.index.on, &visit.place.brand) else {
        return not_found::page_of(&visit);
    };
    let svg = card::svg(&card);
    let tag = tag(&svg);
    let has_it = |value: &axum::http::HeaderValue| value.to_str().is_ok_and(|known| is_named(known, &tag));
    if headers.get_all(IF_NONE_MATCH).iter().any(has_it) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, CACHE.to_owned())]).into_response();
    }
    let pictures: Arc<Pictures> = visit.pictures();
    match pictures.drawn(&tag, svg).await {
        Ok(png) => {
            let headers =
                [(CONTENT_TYPE, "image/png".to_owned()), (CACHE_CONTROL, CACHE.to_owned()), (ETAG, tag)];
            (headers, png).into_response()
        }
        Err(Missing::Busy) => {
            let text = "Many pictures are being drawn; ask again in a moment.\n";
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, AGAIN_S)], text).into_response()
        }
        Err(Missing::Failed) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "This picture could not be drawn.\n").into_response()
        }
    }
}

fn tag(svg: &str) -> String {
    let digest = Sha256::digest(svg);
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether `If-None-Match` names this tag (RFC 9110, 13.1.2).
fn is_named(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::{Body, Bytes, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::{KEPT_MAX, Missing, Pictures, WAITING_MAX, is_named};
    use crate::testing::{SMALL, Still, get, several_on, site};

    async fn ask(path: &str, tag: Option<&str>) -> (u16, String, Vec<u8>) {
        let site = site(several_on(), Still::new(&SMALL, &["mistral"]));
        let request = Request::get(path).header("if-none-match", tag.unwrap_or("\"other\""));
        let response = crate::router(site).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let named = response.headers().get("etag").map_or("", |value| value.to_str().unwrap()).to_owned();
        let status = response.status().as_u16();
        (status, named, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn every_model_has_a_picture_that_its_page_names() {
        for model in &SMALL.models {
            let path = format!("/{}/card.png", model.id);
            let (status, tag, png) = ask(&path, None).await;
            assert_eq!((status, png.get(..8)), (200, Some(&b"\x89PNG\r\n\x1a\n"[..])), "{path}");
            assert_eq!(ask(&path, Some(&tag)).await, (304, tag, Vec::new()), "{path}");
            let page = get(several_on(), &format!("/{}", model.id)).await;
            let url = format!("http://127.0.0.1:8080{path}");
            page.holds(&format!("<meta property=\"og:image\" content=\"{url}\">"));
            page.holds(&format!("\"image\":\"{url}\""));
            page.holds("<meta name=\"twitter:card\" content=\"summary_large_image\">");
        }
        let moved = get(several_on(), "/mistral/small-2603/card.png").await;
        assert_eq!((moved.status, moved.header("location")), (308, "/mistralai/small-4/card.png"));
        assert_eq!(get(several_on(), "/mistralai/none/card.png").await.status, 404);
    }

    #[tokio::test]
    async fn pictures_are_kept_up_to_a_bound() {
        let pictures = Pictures::default();
        for at in 0..KEPT_MAX + 2 {
            pictures.keep(at.to_string(), Bytes::from(at.to_string()));
        }
        assert_eq!(pictures.kept.lock().len(), KEPT_MAX);
        assert_eq!(pictures.known("1"), None);
        // What is kept is not drawn again: this is no SVG.
        assert_eq!(pictures.drawn("2", "no picture".to_owned()).await, Ok(Bytes::from("2")));
        assert_eq!(pictures.drawn("new", "no picture".to_owned()).await, Err(Missing::Failed));
    }

    #[tokio::test]
    async fn who_comes_too_late_is_told_to_come_again() {
        let pictures = Arc::new(Pictures::default());
        let turn = pictures.drawing.acquire().await.unwrap();
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>";
        let ask = |at: usize| {
            let pictures = Arc::clone(&pictures);
            tokio::spawn(async move { pictures.drawn(&at.to_string(), svg.to_owned()).await })
        };
        let waiting: Vec<_> = (0..WAITING_MAX).map(ask).collect();
        while pictures.waiting.load(std::sync::atomic::Ordering::Relaxed) < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert_eq!(pictures.drawn("late", svg.to_owned()).await, Err(Missing::Busy));
        drop(turn);
        for one in waiting {
            assert!(one.await.unwrap().is_ok());
        }
        assert!(pictures.drawn("late", svg.to_owned()).await.is_ok());
    }

    #[test]
    fn tags_are_compared_as_caches_send_them() {
        for (header, expect) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(is_named(header, "\"a\""), expect, "{header}");
        }
    }
}
