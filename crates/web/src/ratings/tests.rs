use std::sync::Arc;

use serde_json::{Value, json};

use crate::safe::tests::{hostile, runs_nothing};
use crate::testing::api::{FakeApi, send, visit};
use crate::testing::{SMALL, Still, see};

const ASKED: &str = "GET /v1/models/acme/bare/ratings";

fn rating(id: &str, text: &str, hidden: Value) -> Value {
    json!({
        "id": id, "name": text, "stars": 4, "comment": text,
        "created_at": "2026-07-02T10:00:00Z", "edited_at": "2026-07-05T10:00:00Z", "hidden": hidden,
    })
}

fn told(own: Value, may_rate: bool, comments: Value) -> Value {
    json!({"data": {
        "model": "acme/bare", "count": 3, "average": 4.0, "histogram": {"1": 0, "2": 0, "3": 1, "4": 1, "5": 1},
        "comments": comments, "next": "17.rat_1", "own": own, "may_rate": may_rate,
    }})
}

fn nobody(may_rate: bool) -> Value {
    json!({"data": {
        "model": "acme/bare", "count": 0, "average": null, "histogram": {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0},
        "comments": [], "next": null, "own": null, "may_rate": may_rate,
    }})
}

fn api(answer: Value) -> Arc<FakeApi> {
    Arc::new(FakeApi::signed_in("viewer", false).answering(ASKED, 200, answer))
}

#[tokio::test]
async fn without_ratings_there_is_a_line_for_who_may_rate_and_nothing_else() {
    let page = visit(&api(nobody(false)), "/acme/bare", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-cache"));
    page.lacks("id=\"ratings\"");
    page.lacks("#ratings");
    page.lacks("aggregateRating");
    let page = visit(&api(nobody(true)), "/acme/bare", None).await;
    assert_eq!(page.header("cache-control"), "no-store");
    page.holds("<summary>Rate this model</summary>");
    page.lacks("Ratings</h2>");
    page.lacks("<a href=\"#ratings\">");
    // Without a gateway, and where ratings are off.
    see(Still::new(&SMALL, &["mistral"]), "/acme/bare").await.lacks("id=\"ratings\"");
    visit(&Arc::new(FakeApi::nobody()), "/acme/bare", None).await.lacks("id=\"ratings\"");
}

#[tokio::test]
async fn ratings_are_a_mean_a_table_and_who_said_what() {
    let comments = json!([rating("rat_1", "Good at *short* texts", Value::Null)]);
    let page = visit(&api(told(Value::Null, false, comments)), "/acme/bare", None).await;
    for text in [
        "<li><a href=\"#ratings\">Ratings</a></li>",
        "<b>4.0</b>",
        "of 5, 3 ratings",
        "<th scope=\"row\">3 stars</th>",
        "Good at <em>short</em> texts",
        "2 Jul 2026",
        ", edited ",
        "aria-label=\"4 of 5 stars\"",
        "href=\"/acme/bare?after=17.rat_1#ratings\"",
        "href=\"/sign-in?next=%2Facme%2Fbare%23ratings\"",
        "\"AggregateRating\"",
        "\"ratingValue\":\"4.0\"",
        "\"ratingCount\":3",
    ] {
        page.holds(text);
    }
    page.lacks("<form class=\"rate\"");
    page.lacks("Report");
    assert_eq!(page.text.matches("<h1").count(), 1);
    let twin = visit(&api(told(Value::Null, false, json!([]))), "/acme/bare.json", None).await;
    let twin: Value = serde_json::from_str(&twin.text).unwrap();
    assert_eq!(
        twin["ratings"],
        json!({"count": 3, "average": 4.0, "histogram": {"1": 0, "2": 0, "3": 1, "4": 1, "5": 1}})
    );
    let later = api(told(Value::Null, false, json!([])));
    visit(&later, "/acme/bare?after=9.rat_%26", None).await.holds("Newest comments");
    assert!(later.asked().contains(&String::from("GET /v1/models/acme/bare/ratings?after=9.rat_%26")));
}

#[tokio::test]
async fn who_is_signed_in_edits_their_own_and_reports_others() {
    let hidden = json!({"at": "2026-07-06T10:00:00Z", "by_reports": false, "why": "it insults people"});
    let comments =
        json!([rating("rat_1", "own words", Value::Null), rating("rat_2", "other words", Value::Null)]);
    let page =
        visit(&api(told(rating("rat_1", "own words", hidden), true, comments)), "/acme/bare", None).await;
    for text in [
        "Only you see it: It insults people.",
        "<input type=\"radio\" name=\"stars\" value=\"4\" required checked>",
        ">own words</textarea>",
        "action=\"/acme/bare/ratings/delete\"",
        "<input type=\"hidden\" name=\"id\" value=\"rat_2\">",
    ] {
        page.holds(text);
    }
    page.lacks("name=\"id\" value=\"rat_1\"");
    visit(&api(told(Value::Null, true, json!([]))), "/acme/bare?done=rated", None)
        .await
        .holds("Your rating is in.");
    visit(&api(told(Value::Null, true, json!([]))), "/acme/bare?done=%3Cb%3E", None)
        .await
        .lacks("role=\"status\"");
}

#[tokio::test]
async fn each_form_is_one_call_and_leads_back() {
    let edited = json!({"data": {"edited_at": "2026-07-05T10:00:00Z"}});
    for (path, form, call, answer, sent, word) in [
        (
            "/acme/bare/ratings",
            "stars=4&name=+Ada+&comment=a%0D%0Ab",
            "PUT /v1/models/acme/bare/ratings",
            json!({"data": {"edited_at": null}}),
            json!({"stars": 4, "name": "Ada", "comment": "a\r\nb"}),
            "rated",
        ),
        (
            "/acme/bare/ratings",
            "stars=5&name=Ada",
            "PUT /v1/models/acme/bare/ratings",
            edited,
            json!({"stars": 5, "name": "Ada", "comment": ""}),
            "edited",
        ),
        (
            "/acme/bare/ratings/delete",
            "",
            "DELETE /v1/models/acme/bare/ratings",
            json!({}),
            Value::Null,
            "deleted",
        ),
        (
            "/acme/bare/ratings/report",
            "id=rat_2&reason=spam",
            "POST /v1/ratings/rat_2/report",
            json!({}),
            json!({"reason": "spam"}),
            "reported",
        ),
    ] {
        let api = Arc::new(FakeApi::signed_in("viewer", false).answering(call, 200, answer));
        let done = visit(&api, path, Some(form)).await;
        let to = format!("/acme/bare?done={word}#ratings");
        assert_eq!((done.status, done.header("location")), (303, to.as_str()), "{path}");
        let bodies = api.sent(call).into_iter().map(|body| serde_json::from_str(&body).unwrap_or_default());
        assert_eq!(bodies.collect::<Vec<Value>>(), [sent]);
        // From elsewhere nothing is sent, and who is not signed in is asked to.
        let foreign = send(&api, path, Some(form), &[("sec-fetch-site", "cross-site")]).await;
        assert_eq!((foreign.status, api.sent(call).len()), (403, 1));
        let guest = Arc::new(FakeApi::nobody());
        let led = visit(&guest, path, Some(form)).await;
        assert!(
            led.status == 303 && led.header("location").starts_with("/sign-in?next=%2Facme%2Fbare%2Fratings")
        );
    }
    let led = visit(&api(nobody(true)), "/acme/bare/ratings", None).await;
    assert_eq!((led.status, led.header("location")), (303, "/acme/bare#ratings"));
    assert_eq!(visit(&api(nobody(true)), "/acme/nowhere/ratings", None).await.status, 404);
}

#[tokio::test]
async fn a_refusal_keeps_what_was_typed() {
    let call = "PUT /v1/models/acme/bare/ratings";
    let why = json!({"error": {"type": "ratings_limited", "message": "one person rates at most 5 times a minute; try again in 9 s"}});
    let api = Arc::new(FakeApi::signed_in("viewer", false).answering(call, 429, why));
    let again = visit(&api, "/acme/bare/ratings", Some("stars=2&name=%22Ada%22&comment=%3Cb%3Ex")).await;
    assert_eq!((again.status, again.header("cache-control")), (429, "no-store"));
    for text in [
        "One person rates at most 5 times a minute; try again in 9 s.",
        "value=\"&#34;Ada&#34;\"",
        "&#60;b&#62;x</textarea>",
        "value=\"2\" required checked",
    ] {
        again.holds(text);
    }
}

#[tokio::test]
async fn hostile_words_run_nothing() {
    let page = async |text: &str| {
        let comments = json!([rating("rat_1", text, Value::Null), rating("rat_2", text, Value::Null)]);
        let hidden = json!({"at": "2026-07-06T10:00:00Z", "by_reports": false, "why": text});
        visit(&api(told(rating("rat_1", text, hidden), true, comments)), "/acme/bare", None).await.text
    };
    let plain = page("plain").await;
    for text in hostile() {
        runs_nothing(&page(&text).await, &plain, &text);
    }
}
