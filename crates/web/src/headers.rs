//! The headers that every answer of the site carries.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;

/// Our own files only: nothing from elsewhere, no inline script or style, and nobody may frame the page.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                                 connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::POLICY;
    use crate::testing::{get, several_on};

    #[tokio::test]
    async fn every_answer_is_secured() {
        for path in [
            "/",
            "/models",
            "/models.json",
            "/mistralai/small-4",
            "/mistralai",
            "/providers",
            "/rankings",
            "/rankings.json",
            "/apps",
            "/status",
            "/status.atom",
            "/nowhere",
            "/robots.txt",
            "/favicon.svg",
            "/assets/app.css",
            "/compare",
            "/calculator",
            "/benchmarks",
            "/charts",
            "/setup",
            "/setup/codex",
        ] {
            let page = get(several_on(), path).await;
            assert_eq!(page.header("content-security-policy"), POLICY, "{path}");
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        }
    }

    #[tokio::test]
    async fn pages_hold_nothing_that_the_policy_forbids() {
        for path in [
            "/",
            "/models",
            "/models?q=nobody",
            "/compare",
            "/compare/acme/bare/mistralai/small-4",
            "/calculator?m=acme/bare",
            "/benchmarks",
            "/benchmarks/scicode",
            "/charts",
            "/mistralai/small-4",
            "/mistralai/small-4/mistral",
            "/acme/bare",
            "/mistralai",
            "/providers",
            "/providers/mistral",
            "/rankings",
            "/apps",
            "/status",
            "/setup",
            "/setup/claude-code",
            "/nowhere",
        ] {
            let page = get(several_on(), path).await.text.to_lowercase();
            for forbidden in ["<style", " style=", " onclick=", "javascript:", "<iframe", "src=\"http"] {
                assert!(!page.contains(forbidden), "{path} holds {forbidden}");
            }
            for script in page.split("<script").skip(1) {
                let is_ours =
                    script.starts_with(" type=\"module\" src=\"/assets/") && script.contains("\"></script>");
                let is_data = script.starts_with(" type=\"application/ld+json\">");
                assert!(is_ours || is_data, "{path}: {script}");
            }
        }
    }
}
