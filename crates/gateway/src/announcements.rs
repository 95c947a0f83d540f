//! What the operator tells people on the pages: `GET /v1/announcements` for whom it concerns, and what pages show at their head.
//!
//! They are kept in memory on each node, so that no page waits for the store; the job that takes changes in looks for new ones.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use store::Announcement;
use types::Timestamp;

use crate::app::Worker;
use crate::auth::session;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

/// For whoever comes.
pub(crate) const EVERYBODY: &str = "everybody";
/// For who is signed in.
pub(crate) const SIGNED_IN: &str = "signed_in";

/// All of them, as the store had them last.
#[derive(Debug, Default)]
pub struct Announcements(ArcSwap<Vec<Announcement>>);

impl Announcements {
    /// Takes in what the store has.
    pub fn take(&self, all: Vec<Announcement>) {
        if **self.0.load() != all {
            self.0.store(Arc::new(all));
        }
    }

    /// Those in force at an instant, with those for people who are signed in or without.
    pub fn in_force(&self, now: Timestamp, is_signed_in: bool) -> Vec<Announcement> {
        let all = self.0.load();
        let concerned = all.iter().filter(|one| is_signed_in || one.audience == EVERYBODY);
        concerned.filter(|one| one.is_in_force(now)).cloned().collect()
    }
}

/// `GET /v1/announcements`.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    mut parts: Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    session::note(worker, &mut parts).await;
    let is_signed_in = session::visitor(&parts).is_ok();
    let gateway = &worker.gateway;
    let all = gateway.announcements.in_force(gateway.clock.now(), is_signed_in);
    let shown: Vec<Value> = all.iter().map(object).collect();
    let mut response = router::json(json!({ "data": shown }).to_string());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// One as everybody reads it.
pub(crate) fn object(one: &Announcement) -> Value {
    json!({
        "id": one.id,
        "text": one.text,
        "level": one.level,
        "from": rfc3339(one.starts),
        "until": one.ends.map(rfc3339),
        "changed_at": rfc3339(one.changed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_signed_in_reads_what_is_for_everybody() {
        let at = Timestamp::from_seconds;
        let one = |id: &str, audience: &str, starts: i64| Announcement {
            id: id.to_owned(),
            text: String::from("x"),
            level: String::from("info"),
            audience: audience.to_owned(),
            starts: at(starts),
            ends: Some(at(100)),
            created: at(0),
            changed: at(0),
        };
        let all = Announcements::default();
        all.take(vec![one("a", EVERYBODY, 0), one("b", SIGNED_IN, 0), one("c", EVERYBODY, 50)]);
        let ids = |now, is_signed_in| -> Vec<String> {
            all.in_force(at(now), is_signed_in).into_iter().map(|one| one.id).collect()
        };
        assert_eq!(
            (ids(10, false), ids(10, true)),
            (vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!((ids(60, false).len(), ids(60, true).len(), ids(100, true).len()), (2, 3, 0));
    }
}
