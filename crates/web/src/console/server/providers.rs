//! `/console/server/providers`: which providers are on and why, and how they do on this node.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use super::PROVIDERS;
use crate::console::again::Again;
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::format::{self, Shown};
use crate::shell::Failed;

#[derive(Deserialize)]
struct Told {
    id: String,
    name: String,
    is_on: bool,
    why: String,
    base_url: Option<String>,
    keys: Option<u64>,
    endpoints: u64,
    resting: Vec<String>,
    recent: Attempts,
    day: Attempts,
    ttft_p50_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Attempts {
    answered: u64,
    failed: u64,
    busy: u64,
}

impl Attempts {
    /// The share that was answered, of those that count.
    fn share(&self) -> Shown {
        format::percent(self.answered, self.answered.saturating_add(self.failed))
    }

    fn is_bad(&self) -> bool {
        self.failed >= 5 && self.failed.saturating_mul(5) >= self.answered.saturating_add(self.failed)
    }
}

struct Line {
    one: Told,
    class: &'static str,
    state: &'static str,
    recent: Shown,
    day: Shown,
    ttft: Shown,
}

#[derive(Template)]
#[template(path = "console/server_providers.html")]
struct Page {
    shell: Frame,
    on: Vec<Line>,
    off: Vec<Told>,
}

pub(crate) async fn providers(signed: Signed) -> Result<Response, Failed> {
    let told: Vec<Told> = signed.get("/v1/server/providers").await?;
    let (on, off): (Vec<Told>, Vec<Told>) = told.into_iter().partition(|one| one.is_on);
    let page = Page {
        shell: Frame::of(&signed, "Providers", PROVIDERS),
        on: on.into_iter().map(line).collect(),
        off,
    };
    Ok(Again::default().answer(&page))
}

fn line(one: Told) -> Line {
    let (class, state) = match (one.resting.is_empty(), one.recent.is_bad()) {
        (_, true) => ("bad", "Failing"),
        (false, _) => ("warn", "Partly resting"),
        (true, false) => ("good", "Well"),
    };
    Line {
        class,
        state,
        recent: one.recent.share(),
        day: one.day.share(),
        ttft: one.ttft_p50_ms.map_or_else(Shown::unknown, format::milliseconds),
        one,
    }
}
