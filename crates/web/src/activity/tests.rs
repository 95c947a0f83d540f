use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, Request};
use types::OWNER_ACCOUNT;

use super::{days_of, of_model};
use crate::testing::{NOON, Records, SMALL, Still, Used, several_on, site};
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
