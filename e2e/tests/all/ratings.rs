//! What people think of models: one rating each, edited, taken back, reported, moderated; and forms of the site that do the same.

use serde_json::{Value, json};
use testkit::{Actor, Reply, TestApp};

use crate::people::{PASSWORD, newcomer};

const MODEL: &str = "/v1/models/mistralai/mistral-small-2603/ratings";
/// Another name of the same model.
const ALIAS: &str = "/v1/models/mistral/mistral-small-2603/ratings";

async fn open() -> TestApp {
    TestApp::builder().set("people.sign_up", "\"open\"").start().await
}

async fn rate(actor: &Actor, stars: i64, comment: &str) -> Reply {
    let rating = json!({"stars": stars, "name": "Somebody", "comment": comment});
    actor.request("PUT", MODEL).json(&rating).send().await
}

async fn shown(actor: &Actor) -> Value {
    actor.get(MODEL).await.expect(200).json()["data"].clone()
}

/// Who runs the server.
async fn operator(app: &TestApp) -> Actor {
    let token = app.cli(&["users", "owner-token"]).await["token"].clone();
    let claim = json!({"token": token, "email": "ops@example.com", "password": PASSWORD});
    let reply = app.anonymous().post("/v1/auth/accept", &claim).await.expect(201).json();
    app.with_key(reply["data"]["token"].as_str().expect("a token"))
}

async fn report(actor: &Actor, id: &Value) -> Reply {
    let path = format!("/v1/ratings/{}/report", id.as_str().expect("an id"));
    actor.post(&path, &json!({"reason": "canary-reason"})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_one_rating_however_often_they_send_it() {
    let app = open().await;
    let (ada, _) = newcomer(&app, "canary-ada@example.com").await;
    let none = shown(&app.anonymous()).await;
    assert_eq!(
        (&none["count"], &none["average"], &none["may_rate"]),
        (&json!(0), &Value::Null, &json!(false))
    );
    app.owner().request("PUT", MODEL).json(&json!({"stars": 1, "name": "x"})).send().await.expect(401);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let ada = ada.clone();
        tasks.spawn(async move { rate(&ada, 1 + n % 5, "at once").await });
    }
    let mut seen = [0, 0, 0];
    for reply in tasks.join_all().await {
        match reply.status {
            201 => seen[0] += 1,
            200 => seen[1] += 1,
            429 => {
                let wait: u64 = reply.header("retry-after").expect("how long").parse().expect("seconds");
                assert!(
                    (1..=60).contains(&wait) && reply.text().contains("ratings_limited"),
                    "{}",
                    reply.text()
                );
                seen[2] += 1;
            }
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert_eq!(seen, [1, 4, 15], "made, edited, refused");
    let all = shown(&app.anonymous()).await;
    assert_eq!((&all["count"], &all["own"]), (&json!(1), &Value::Null));
    assert!(!all.to_string().contains("canary"), "nobody learns whose it is: {all}");
    let own = shown(&ada).await;
    assert_eq!((&own["own"]["id"], &own["may_rate"]), (&all["comments"][0]["id"], &json!(true)));

    // An alias is the same model; another person is another rating.
    let (bob, _) = newcomer(&app, "bob@example.com").await;
    let rating = json!({"stars": 2, "name": "  Bob   B. "});
    let made = bob.request("PUT", ALIAS).json(&rating).send().await.expect(201).json();
    assert_eq!((&made["data"]["name"], &made["data"]["comment"]), (&json!("Bob B."), &json!("")));
    let edited = rate(&bob, 5, "*better*").await.expect(200).json();
    assert_eq!(edited["data"]["id"], made["data"]["id"]);
    assert!(edited["data"]["edited_at"].is_string());
    let both = shown(&app.anonymous()).await;
    assert_eq!((&both["model"], &both["count"]), (&json!("mistralai/mistral-small-2603"), &json!(2)));
    let first = app.anonymous().get(&format!("{MODEL}?limit=1")).await.expect(200).json()["data"].clone();
    let next = first["next"].as_str().expect("another page");
    let second = app.anonymous().get(&format!("{MODEL}?limit=1&after={next}")).await.expect(200).json();
    assert_ne!(first["comments"][0]["id"], second["data"]["comments"][0]["id"]);
    bob.request("DELETE", ALIAS).send().await.expect(200);
    bob.request("DELETE", MODEL).send().await.expect(404);
    assert_eq!(shown(&bob).await["count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_rating_is_refused_and_says_why() {
    let app = open().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let long = "x".repeat(4_001);
    for (body, says) in [
        (json!({"stars": 0, "name": "Ada"}), "`stars`"),
        (json!({"stars": 6, "name": "Ada"}), "`stars`"),
        (json!({"stars": 4.5, "name": "Ada"}), "the body can't be read"),
        (json!({"stars": 4}), "name"),
        (json!({"stars": 4, "name": "ada@example.com"}), "`name`"),
        (json!({"stars": 4, "name": "a\u{202e}b"}), "`name`"),
        (json!({"stars": 4, "name": "Ada", "comment": long}), "`comment`"),
        (json!({"stars": 4, "name": "Ada", "user": "usr_1"}), "user"),
    ] {
        let reply = ada.request("PUT", MODEL).json(&body).send().await.expect(400);
        assert!(reply.text().contains(says), "{body}: {}", reply.text());
    }
    let nobody = "/v1/models/acme/nothing/ratings";
    for method in ["GET", "PUT", "DELETE"] {
        let body = json!({"stars": 4, "name": "Ada"});
        let request = ada.request(method, nobody);
        let request = if method == "PUT" { request.json(&body) } else { request };
        assert!(request.send().await.expect(404).text().contains("model_not_found"));
    }
    for query in ["limit=0", "limit=101", "limit=x", "after=x", "after=1.%27"] {
        app.anonymous().get(&format!("{MODEL}?{query}")).await.expect(400);
    }
    assert_eq!(shown(&ada).await["count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_hide_a_rating_until_a_moderator_has_looked() {
    let app = TestApp::builder()
        .set("people.sign_up", "\"open\"")
        .set("site.ratings_hide_reports", "2")
        .start()
        .await;
    let ops = operator(&app).await;
    let (eve, user) = newcomer(&app, "canary-eve@example.com").await;
    let made = rate(&eve, 1, "canary-comment").await.expect(201).json();
    let id = &made["data"]["id"];
    let (ada, ada_user) = newcomer(&app, "canary-ada@example.com").await;
    let (bob, _) = newcomer(&app, "bob@example.com").await;
    report(&eve, id).await.expect(400);
    report(&app.anonymous(), id).await.expect(401);
    for _ in 0..2 {
        report(&ada, id).await.expect(200);
    }
    assert_eq!(shown(&bob).await["count"], 1, "one person reports once");
    report(&bob, id).await.expect(200);
    assert_eq!(shown(&bob).await["count"], 0);
    report(&bob, id).await.expect(404);
    assert_eq!(shown(&eve).await["own"]["hidden"]["by_reports"], true, "she sees that it is");

    // Who runs nothing here sees nothing of it.
    eve.get("/v1/moderation").await.expect(403);
    let queue = ops.get("/v1/moderation").await.expect(200).json();
    let first = &queue["data"][0];
    assert_eq!((&first["id"], &first["author"]["id"]), (id, &user["id"]));
    assert_eq!(
        (&first["author"]["email"], &first["comment"]),
        (&json!("canary-eve@example.com"), &json!("canary-comment"))
    );
    assert_eq!(first["reports"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["reports"][1]["reporter"], ada_user["id"]);
    let path = format!("/v1/moderation/{}", id.as_str().expect("an id"));
    eve.post(&path, &json!({"action": "show"})).await.expect(403);
    ops.post(&path, &json!({"action": "hide"})).await.expect(400);
    ops.post(&path, &json!({"action": "burn"})).await.expect(400);
    ops.post("/v1/moderation/rat_none", &json!({"action": "show"})).await.expect(404);
    ops.post(&path, &json!({"action": "dismiss"})).await.expect(200);
    assert_eq!(shown(&bob).await["count"], 1, "the reports were without ground");
    ops.post(&path, &json!({"action": "hide", "why": "canary-why"})).await.expect(200);
    assert_eq!(ops.get("/v1/moderation?queue=hidden").await.json()["data"][0]["hidden"]["why"], "canary-why");
    let edited = rate(&eve, 5, "all is well").await.expect(200).json();
    assert_eq!(edited["data"]["hidden"]["why"], "canary-why", "an edit brings nothing back");
    assert_eq!(shown(&bob).await["count"], 0);
    let (manager, _) = app.new_key(&["--management"]).await;
    manager.post(&path, &json!({"action": "show"})).await.expect(200);
    assert_eq!(shown(&bob).await["comments"][0]["comment"], "all is well");
    ops.post(&path, &json!({"action": "delete", "why": "spam"})).await.expect(200);
    assert_eq!(shown(&eve).await["own"], Value::Null);

    // The log says who decided what of which rating, and nothing of what people think.
    let acts = ops.get("/v1/audit").await.expect(200).json()["data"].as_array().cloned().expect("acts");
    let decided: Vec<&Value> =
        acts.iter().filter(|act| act["action"] == "POST /v1/moderation/{id}").collect();
    let done: Vec<&Value> =
        decided.iter().filter(|act| act["status"] == 200).map(|act| &act["detail"]["action"]).collect();
    assert_eq!(done, ["delete", "show", "hide", "dismiss"]);
    assert!(decided.iter().filter(|act| act["status"] == 200).all(|act| act["object"] == *id));
    let keys =
        decided.iter().filter(|act| act["actor"].as_str().is_some_and(|actor| actor.starts_with("key_")));
    assert_eq!(keys.count(), 1, "a key's act names the key");
    let whole = json!(acts).to_string();
    assert!(!whole.contains("ratings") && !whole.contains("Somebody"), "{whole}");
    for canary in ["canary-comment", "canary-reason", "canary-why"] {
        assert!(!whole.contains(canary) && !app.log().contains(canary), "{canary}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_takes_their_words_along() {
    let mut app = open().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let (bob, _) = newcomer(&app, "bob@example.com").await;
    let rating = json!({"stars": 3, "name": "quarry-name", "comment": "quarry-comment"});
    ada.request("PUT", MODEL).json(&rating).send().await.expect(201);
    let theirs = rate(&bob, 5, "fine").await.expect(201).json();
    let path = format!("/v1/ratings/{}/report", theirs["data"]["id"].as_str().expect("an id"));
    ada.post(&path, &json!({"reason": "quarry-reason"})).await.expect(200);
    let export = ada.get("/v1/auth/me/export").await.expect(200).text();
    for part in ["quarry-name", "quarry-comment", "quarry-reason"] {
        assert!(export.contains(part), "{part}: {export}");
    }
    ada.request("DELETE", "/v1/auth/me").json(&json!({"password": PASSWORD})).send().await.expect(200);
    let left = shown(&bob).await;
    assert_eq!((&left["count"], &left["average"]), (&json!(1), &json!(5.0)));
    app.settled().await;
    app.sigterm();
    app.exited().await;
    assert_eq!(crate::erasure::found(&app.data_dir(), "quarry"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ratings_can_be_switched_off() {
    let app = TestApp::builder().set("site.ratings", "\"off\"").start().await;
    let ops = operator(&app).await;
    for path in [MODEL, "/v1/moderation"] {
        ops.get(path).await.expect(404);
    }
    rate(&ops, 5, "").await.expect(404);
    let page = ops.get("/mistralai/mistral-small-2603").await.expect(200).text();
    assert!(!page.contains("id=\"ratings\""));
}

/// A page as the browser of somebody who is signed in gets it.
async fn browse(app: &TestApp, who: &Actor, path: &str, form: Option<&str>) -> Reply {
    let method = if form.is_some() { "POST" } else { "GET" };
    let cookie = format!("session={}", who.key().expect("a session"));
    let request = app.anonymous().request(method, path).header("cookie", &cookie);
    let request = request.header("sec-fetch-site", "same-origin");
    match form {
        Some(form) => {
            let kind = "application/x-www-form-urlencoded";
            request.header("content-type", kind).body(form.to_owned()).send().await
        }
        None => request.send().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_the_site_do_the_same_without_a_script() {
    let app = open().await;
    let ops = operator(&app).await;
    let page = "/mistralai/mistral-small-2603";
    let (ada, _) = newcomer(&app, "canary-ada@example.com").await;
    let (bob, _) = newcomer(&app, "bob@example.com").await;
    let nothing = app.anonymous().get(page).await.expect(200).text();
    assert!(!nothing.contains("id=\"ratings\"") && !nothing.contains("aggregateRating"));
    let form = "stars=4&name=Ada&comment=Fast+*and*+cheap.%0D%0A%0D%0A%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let led = browse(&app, &ada, &format!("{page}/ratings"), Some(form)).await.expect(303);
    assert_eq!(led.header("location"), Some("/mistralai/mistral-small-2603?done=rated#ratings"));
    browse(&app, &bob, &format!("{page}/ratings"), Some("stars=1&name=Bob&comment=Slow.")).await.expect(303);
    let seen = app.anonymous().get(page).await.expect(200).text();
    for text in [
        "<b>2.5</b>",
        "of 5, 2 ratings",
        "Fast <em>and</em> cheap.",
        "\"ratingValue\":\"2.5\"",
        ">Ratings</a>",
    ] {
        assert!(seen.contains(text), "{text}");
    }
    assert!(!seen.contains("<script>alert") && !seen.contains("canary"), "nobody learns whose it is");
    let twin = app.anonymous().get(&format!("{page}.json")).await.expect(200).json();
    assert_eq!((&twin["ratings"]["count"], &twin["ratings"]["average"]), (&json!(2), &json!(2.5)));
    // Bob reports Ada's; who runs the server finds it and hides it.
    let id = shown(&ada).await["own"]["id"].as_str().expect("an id").to_owned();
    let told = format!("id={id}&reason=It+is+spam.");
    browse(&app, &bob, &format!("{page}/ratings/report"), Some(&told)).await.expect(303);
    let queue = browse(&app, &ops, "/console/moderation", None).await.expect(200).text();
    assert!(queue.contains("It is spam.") && queue.contains("canary-ada@example.com"), "{queue}");
    browse(&app, &ada, "/console/moderation", None).await.expect(403);
    let hide = format!("id={id}&action=hide&why=It+is+spam.");
    browse(&app, &ops, "/console/moderation", Some(&hide)).await.expect(303);
    assert_eq!(shown(&bob).await["average"], 1.0);
    let own = browse(&app, &ada, page, None).await.expect(200).text();
    assert!(own.contains("Only you see it: It is spam."));
    let foreign = app.anonymous().request("POST", &format!("{page}/ratings/delete"));
    let foreign = foreign.header("cookie", &format!("session={}", bob.key().expect("a session")));
    foreign.header("content-type", "application/x-www-form-urlencoded").send().await.expect(403);
    browse(&app, &bob, &format!("{page}/ratings/delete"), Some("")).await.expect(303);
    assert_eq!(shown(&bob).await["count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_takes_its_ratings_to_its_new_id() {
    let app = open().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    rate(&ada, 4, "kept").await.expect(201);
    // As if it had been rated before the catalog gave it its present id.
    let url = format!("sqlite:{}", app.data_dir().join("tollway.db").display());
    let store = store::Store::open(&url).await.expect("the store");
    let (now, former) = ("mistralai/mistral-small-2603", "mistral/mistral-small-2603");
    assert_eq!(store.adopt_ratings(now, former).await.expect("moved"), 1);
    store.close().await;
    assert_eq!(shown(&ada).await["count"], 0);
    let mut app = app;
    app.sigterm();
    app.exited().await;
    app.restart().await;
    let ada = app.with_key(ada.key().expect("a session"));
    testkit::eventually("the ratings to come along", || async {
        (shown(&ada).await["own"]["comment"] == "kept").then_some(())
    })
    .await;
}
