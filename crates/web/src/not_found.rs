//! Any path that nobody serves.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use catalog::Snapshot;
use serde_json::json;

use crate::shell::{Shell, page};
use crate::visit::{Pages, Visit};
use crate::{Place, host};

/// How much of an unknown path is shown.
const PATH_CHARS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFound {
    shell: Shell,
    path: String,
    base_url: String,
    /// Ids of models that are like the path.
    suggestions: Vec<String>,
}

/// A page for who reads; for who sends something, most likely an SDK whose base URL lacks `/v1`, the error of the API.
pub(crate) async fn not_found(
    State(pages): State<Arc<Pages>>,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let status = pages.site.status(host(&headers, &uri));
    let path: String = uri.path().chars().take(PATH_CHARS_MAX).collect();
    if method != Method::GET && method != Method::HEAD {
        let message = format!(
            "nothing is served at `{path}`; the API is below `{}/v1`, for example `POST /v1/chat/completions`",
            status.base_url
        );
        let error =
            json!({ "error": { "code": 404, "type": "not_found", "message": message, "metadata": {} } });
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    let world = pages.site.world();
    drawn(&pages.place(&headers, &uri).await, world.snapshot(), path)
}

/// The same for a page that finds nothing under its path.
pub(crate) fn page_of(visit: &Visit) -> Response {
    if visit.is_json {
        let error = json!({ "error": { "code": 404, "type": "not_found", "message": "nothing is kept here", "metadata": {} } });
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    let path = visit.path.chars().take(PATH_CHARS_MAX).collect();
    drawn(&visit.place, visit.snapshot(), path)
}

fn drawn(place: &Place, snapshot: &Snapshot, path: String) -> Response {
    let suggestions = snapshot.suggest(path.trim_matches('/')).into_iter().map(str::to_owned).collect();
    let shell = Shell::new(format!("Not found · {}", place.brand), place);
    page(StatusCode::NOT_FOUND, &NotFound { shell, path, base_url: place.base_url.clone(), suggestions })
}

#[cfg(test)]
mod tests {
    use crate::testing::{get, send, several_on};

    #[tokio::test]
    async fn an_unknown_path_gets_a_page() {
        let page = get(several_on(), "/models/<b>nowhere").await;
        assert_eq!(page.status, 404);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        page.holds("<title>Not found · Tollway</title>");
        page.holds("href=\"/\"");
        page.lacks("<b>");
        let long = get(several_on(), &format!("/{}", "x".repeat(5000))).await;
        long.holds(&"x".repeat(99));
        long.lacks(&"x".repeat(100));
    }

    #[tokio::test]
    async fn a_call_without_its_v1_gets_the_error_of_the_api() {
        let answer = send(several_on(), "POST", "/chat/completions").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("content-type"), "application/json");
        let body: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(body["error"]["code"], 404);
        assert_eq!(body["error"]["type"], "not_found");
        answer.holds("POST /v1/chat/completions");
    }
}
