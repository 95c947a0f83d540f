use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

use super::Announcement;
use crate::safe::payloads::PAYLOADS;
use crate::testing::{self, Answer, Records, SMALL, Still, several_on, site};
use crate::traffic::Viewer;

fn told(text: &str, is_for_signed_in: bool) -> Announcement {
    let key = if is_for_signed_in { "ann_2-20" } else { "ann_1-10" };
    Announcement { key: key.to_owned(), text: text.to_owned(), is_warning: true, is_for_signed_in }
}

fn telling(told: Vec<Announcement>, viewer: Viewer) -> Still {
    Still::new(&SMALL, &["mistral"]).recorded(Records { told, viewer, ..Records::default() })
}

async fn ask(all: Vec<Announcement>, viewer: Viewer, path: &str, cookie: &str) -> Answer {
    testing::ask(several_on(), telling(all, viewer), "GET", path, &[("cookie", cookie)]).await
}

/// The answer's status, where it leads, and the cookie that it sets.
async fn dismiss(form: &'static str, cookie: &str) -> (u16, String, String) {
    let request = Request::post("/announcements/dismiss")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie)
        .body(Body::from(form))
        .unwrap();
    let world = telling(vec![told("x", false), told("y", true)], Viewer::Anyone);
    let response = crate::router(site(several_on(), world)).oneshot(request).await.unwrap();
    let header =
        |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status().as_u16(), header("location"), header("set-cookie"))
}

#[tokio::test]
async fn it_stands_at_the_head_of_every_page_until_it_was_read() {
    let all = || vec![told("We move *tonight*.", false)];
    for path in ["/", "/models", "/mistralai/small-4", "/providers", "/nowhere/at/all"] {
        let page = ask(all(), Viewer::Anyone, path, "a=b").await;
        page.holds("We move <em>tonight</em>.");
        page.holds("class=\"banner warm\"");
        page.holds(&format!("name=\"back\" value=\"{path}\""));
        page.holds("action=\"/announcements/dismiss\"");
        ask(all(), Viewer::Anyone, path, "a=b; dismissed=x.ann_1-10").await.lacks("tonight");
        // Worded anew it has another key.
        ask(all(), Viewer::Anyone, path, "dismissed=ann_1-9").await.holds("tonight");
    }
}

#[tokio::test]
async fn what_is_for_people_who_are_signed_in_nobody_else_reads() {
    let all = || vec![told("For all.", false), told("For **us**.", true)];
    ask(all(), Viewer::Anyone, "/models", "").await.lacks("For <strong>us");
    let page = ask(all(), Viewer::SignedIn, "/models", "").await;
    page.holds("For all.");
    page.holds("For <strong>us</strong>.");
}

#[tokio::test]
async fn who_has_read_one_comes_back_to_the_page() {
    let form = "key=ann_1-10&back=%2Fmodels%3Fq%3Da";
    let (status, location, cookie) = dismiss(form, "dismissed=ann_2-20.gone-1").await;
    assert_eq!((status, location.as_str()), (303, "/models?q=a"));
    assert!(cookie.starts_with("dismissed=ann_2-20.ann_1-10; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    // Neither elsewhere nor anything into a header.
    assert_eq!(dismiss("key=ann_1-10&back=%2F%2Fevil.example", "").await.1, "/console");
    let (status, _, cookie) = dismiss("key=a%3B+b%0D%0Ax&back=%2F", "").await;
    assert_eq!((status, cookie.as_str()), (303, ""));
}

#[tokio::test]
async fn hostile_texts_run_nothing() {
    let plain = ask(vec![told("qqharmlessqq", false)], Viewer::Anyone, "/providers", "").await.text;
    let around = |page: &str| {
        let (before, rest) = page.split_once("<div class=\"told\">").unwrap();
        let (_, after) = rest.split_once("</div><form").unwrap();
        (before.to_owned(), after.to_owned())
    };
    for payload in PAYLOADS.lines().filter(|line| !line.is_empty()) {
        let page = ask(vec![told(payload, false)], Viewer::Anyone, "/providers", "").await.text;
        assert_eq!(around(&page), around(&plain), "{payload}");
        let told = page.split_once("<div class=\"told\">").unwrap().1.split_once("</div><form").unwrap().0;
        assert_eq!(told, crate::safe::markdown(payload).as_str(), "{payload}");
    }
}
