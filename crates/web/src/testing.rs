//! Sites in several states, and a way to ask them.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use tower::ServiceExt;

use crate::{ProviderLine, Site, Status, router};

struct Fixed(Status);

impl Site for Fixed {
    fn status(&self, host: Option<&str>) -> Status {
        let mut status = self.0.clone();
        if let Some(host) = host {
            status.base_url = format!("http://{host}");
        }
        status
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn holds(&self, text: &str) {
        assert!(self.text.contains(text), "no `{text}` in:\n{}", self.text);
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) {
        assert!(!self.text.contains(text), "`{text}` is in:\n{}", self.text);
    }
}

pub(crate) async fn get(status: Status, path: &str) -> Answer {
    send(status, "GET", path).await
}

pub(crate) async fn send(status: Status, method: &str, path: &str) -> Answer {
    let path = path.replace('<', "%3C").replace('>', "%3E");
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router(Arc::new(Fixed(status))).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}

pub(crate) fn provider(slug: &str, name: &str, on: bool, models: usize, how: &str) -> ProviderLine {
    let simulated = slug == "sandbox";
    ProviderLine { slug: slug.into(), name: name.into(), on, models, how: how.into(), simulated }
}

pub(crate) fn only_sandbox() -> Status {
    let off = [
        provider("groq", "Groq", false, 14, "GROQ_API_KEY"),
        provider("mistral", "Mistral", false, 31, "MISTRAL_API_KEY"),
        provider("google", "Google", false, 22, "GEMINI_API_KEY, GOOGLE_API_KEY"),
        provider("vertex", "Vertex", false, 9, "its dialect comes later; see `docs`"),
    ];
    Status {
        brand: "Tollway".into(),
        brand_slug: "tollway".into(),
        version: "0.1.0".into(),
        base_url: "http://127.0.0.1:8080".into(),
        uptime_s: 3_725,
        billing_mode: "metered".into(),
        store: "SQLite".into(),
        models: 573,
        endpoints: 1_362,
        providers: 71,
        as_of: "2026-07-02".into(),
        providers_on: vec![provider("sandbox", "Sandbox", true, 7, "")],
        providers_off: off.into(),
        ready: true,
        not_ready_reason: None,
    }
}

pub(crate) fn several_on() -> Status {
    let mut status = only_sandbox();
    status.providers_on.insert(0, provider("mistral", "Mistral", true, 31, "MISTRAL_API_KEY"));
    status.providers_off.retain(|provider| provider.slug != "mistral");
    status
}
