use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, Request};
use types::OWNER_ACCOUNT;

use super::{STREAMS_MIN, days_of, of_model};
use crate::testing::{NOON, Records, SMALL, Still, Used, see, several_on, site};
use crate::visit::{Pages, Visit};
use crate::{Attempted, Attempts, EndpointTime};

async fn visit() -> Visit {
    let of = |model, app, account, requests| Used { model, app, account, requests, ..Used::default() };
    let used = vec![
        of("mistralai/small-4", "Night Owl", OWNER_ACCOUNT, 40),
        of("mistralai/small-4", "", OWNER_ACCOUNT, 10),
        of("mistralai/large-3", "Night Owl", "acct_b", 500),
    ];
    let attempted = Attempted { answered: 9, errors: 1, ..Attempted::default() };
    let day = |ago| EndpointTime { endpoint: "mistral/small-4".to_owned(), at: NOON.day() - ago, attempted };
    let attempts = Attempts { days: vec![day(40), day(3)], ..Attempts::default() };
    let world = Still::new(&SMALL, &["mistral"]).recorded(Records { used, attempts, ..Records::default() });
    let (mut parts, _) =
        Request::builder().uri("/mistralai/small-4").body(Body::empty()).unwrap().into_parts();
    Visit::from_request_parts(&mut parts, &Pages::new(site(several_on(), world))).await.unwrap()
}

#[tokio::test]
async fn a_model_shows_its_use_and_its_apps() {
    let visit = visit().await;
    let activity = of_model(&visit, &HeaderMap::new(), "mistralai/small-4").await.unwrap();
    let html = activity.render().unwrap();
    for part in ["id=\"activity\"", "title=\"5,500\"", "<a href=\"/apps/night-owl\">Night Owl</a>", ">80%<"] {
        assert!(html.contains(part), "no {part} in {html}");
    }
    assert!(
        of_model(&visit, &HeaderMap::new(), "mistralai/large-3").await.is_none(),
        "one account stands behind it"
    );
    assert!(of_model(&visit, &HeaderMap::new(), "acme/bare").await.is_none());
}

#[tokio::test]
async fn days_of_an_endpoint_are_those_that_were_tried() {
    let visit = visit().await;
    let days = days_of(&visit, "mistral/small-4", 30).await.unwrap();
    assert_eq!((days.tried, days.share.short.as_str()), (1, "90%"));
    assert_eq!(days_of(&visit, "mistral/small-4", 90).await.unwrap().tried, 2);
    assert!(days_of(&visit, "mistral/large-3", 90).await.is_none());
}

#[tokio::test]
async fn hours_with_enough_streams_make_a_line() {
    let now = NOON.seconds() / 3_600;
    let hour = |endpoint: &str, ago, ttft_count: u64, ms: u64| EndpointTime {
        endpoint: endpoint.to_owned(),
        at: now - ago,
        attempted: Attempted { ttft_count, ttft_us: ttft_count * ms * 1_000, ..Attempted::default() },
    };
    let page = |hours: Vec<EndpointTime>| async {
        let attempts = Attempts { hours, ..Attempts::default() };
        let records = Records { attempts, ..Records::default() };
        see(Still::new(&SMALL, &["mistral"]).recorded(records), "/mistralai/small-4").await
    };
    let hours = vec![
        hour("mistral/large-3", 1, 9, 200),
        hour("mistral/small-4", 2, STREAMS_MIN, 400),
        hour("mistral/small-4", 1, 9, 200),
        hour("mistral/small-4", 0, STREAMS_MIN - 1, 9_000),
    ];
    let shown = page(hours.clone()).await;
    shown.holds("id=\"performance\"");
    // 24 hours are a thousand wide: the 22nd and the 23rd of them, 400 and 200 of 400 high.
    shown.holds("d=\"M913 0L956.5 150\"");
    shown.lacks("9000");
    page([&hours[..1], &hours[2..]].concat()).await.lacks("id=\"performance\"");
}
