use quick_xml::events::Event;

use crate::testing::{Answer, NOON, Records, SMALL, Still, ask as send, only_sandbox, see, several_on};
use crate::{Attempted, Attempts, EndpointTime};

fn time(endpoint: &str, at: i64, answered: u64, errors: u64) -> EndpointTime {
    let attempted = Attempted {
        answered,
        errors,
        busy: 2,
        ttft_us: answered * 300_000,
        ttft_count: answered,
        ..Attempted::default()
    };
    EndpointTime { endpoint: endpoint.to_owned(), at, attempted }
}

fn attempts() -> Attempts {
    let (today, hour) = (NOON.day(), NOON.seconds() / 3_600);
    Attempts {
        days: vec![
            time("gone/thing", today - 40, 9, 0),
            time("mistral/small-4", today - 20, 100, 0),
            time("mistral/small-4", today - 2, 45, 5),
            time("mistral/small-4", today, 48, 2),
        ],
        hours: vec![time("mistral/small-4", hour - 3, 28, 2), time("mistral/small-4", hour, 20, 0)],
        bad: vec![time("mistral/small-4", hour - 50, 1, 5), time("gone/thing", hour, 0, 9)],
    }
}

async fn ask(path: &str) -> Answer {
    see(
        Still::new(&SMALL, &["mistral"]).recorded(Records { attempts: attempts(), ..Records::default() }),
        path,
    )
    .await
}

#[tokio::test]
async fn uptime_is_told_per_endpoint_and_span_with_its_samples() {
    let page = ask("/status").await;
    assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
    for (short, exact) in [("96%", "48 of 50"), ("93%", "93 of 100"), ("96.5%", "193 of 200")] {
        page.holds(&format!("title=\"{exact} attempts were answered\">{short}</span>"));
    }
    page.holds("title=\"mean of 48 streams in the last 24 hours\">300 ms</span>");
    // Its records begin 20 days ago: a longer span says so, and one that would say no more says nothing.
    page.holds(
        "<small>of 21 days</small></td><td class=\"n\" data-label=\"90 days\"><span class=\"unknown\"",
    );
    page.holds("mistral/small-4, last 90 days: 96.5% of attempts answered, on 3 days with any");
    // Nothing is guessed of what nobody called in the last weeks.
    page.holds("gone/thing");
    assert!(page.text.matches("class=\"unknown\"").count() >= 3);
    page.holds("1 other endpoint switched on, not called in 90 days");
}

#[tokio::test]
async fn incidents_are_told_with_the_method() {
    let page = ask("/status").await;
    page.holds("<span class=\"chip warn\">Ready</span> 1 incident under way.");
    page.holds("<li id=\"gone-2026-07-03T12\"><h3>gone: outage <span class=\"chip bad\">under way</span>");
    page.holds("many failures <span class=\"tag\">over</span>");
    page.holds("5 of 6 attempts failed: server errors (5).");
    // Known to the hour, and told so.
    page.holds("Began between 12:00 and 13:00 UTC on 3 Jul 2026");
    page.holds("Failed between 10:00 and 11:00 UTC on 1 Jul 2026");
    page.holds("at least 5 attempts failed and at least 20 of 100");
    see(Still::new(&SMALL, &[]), "/status").await.holds("No endpoint was called in the last 90 days");
    let down = Still::new(&SMALL, &[]).recorded(Records { is_down: true, ..Records::default() });
    see(down, "/status").await.holds("records can&#39;t be read");
}

#[tokio::test]
async fn the_gateway_says_what_is_wrong_with_it() {
    let unready = crate::Status {
        ready: false,
        not_ready_reason: Some("the store doesn't answer".into()),
        ..only_sandbox()
    };
    let page = send(unready, Still::new(&SMALL, &[]), "GET", "/status", &[]).await;
    page.holds("<span class=\"chip bad\">Not ready</span> the store doesn&#39;t answer.");
    page.holds("<dd class=\"word is-bad\">the store doesn&#39;t answer</dd>");
    let page = send(several_on(), Still::new(&SMALL, &[]), "GET", "/status", &[]).await;
    page.holds("Nothing was asked of it yet");
    see(Still::new(&SMALL, &["mistral"]), "/status")
        .await
        .holds("2 endpoints switched on, not called in 90 days");
    page.holds("SQLite, answers");
}

#[tokio::test]
async fn json_and_page_say_the_same() {
    let json: serde_json::Value = serde_json::from_str(&ask("/status.json").await.text).unwrap();
    let small = &json["endpoints"][1];
    assert_eq!((&small["endpoint"], &small["first_day"]), (&"mistral/small-4".into(), &"2026-06-13".into()));
    assert_eq!(
        small["last_24_h"],
        serde_json::json!({"answered": 48, "failed": 2, "rate_limited": 4, "share": 0.96})
    );
    assert_eq!(small["last_90_d"]["answered"], 193);
    assert_eq!(
        (small["days"].as_array().unwrap().len(), &small["days"][0]["day"]),
        (3, &"2026-06-13".into())
    );
    assert!(json["endpoints"][0]["last_24_h"]["share"].is_null());
    assert_eq!(
        (&json["incidents"][0]["kind"], &json["incidents"][0]["until"]),
        (&"outage".into(), &serde_json::Value::Null)
    );
    assert_eq!(json["incidents"][1]["until"], "2026-07-01T11:00:00Z");
}

#[tokio::test]
async fn the_feed_is_atom() {
    let feed = ask("/status.atom").await;
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    let mut reader = quick_xml::Reader::from_str(&feed.text);
    let (mut entries, mut depth) = (0, 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                depth += 1;
                entries += usize::from(tag.name().as_ref() == "entry");
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => (),
        }
    }
    assert_eq!((entries, depth), (2, 0));
    feed.holds("<id>http://127.0.0.1:8080/status#gone-2026-07-03T12</id>");
    // The hour in which calls failed, whenever it is asked for; of what is over, when that was so.
    feed.holds("<updated>2026-07-03T12:00:00Z</updated>");
    feed.holds("<updated>2026-07-01T12:00:00Z</updated>");
    feed.lacks("published");
}

#[tokio::test]
async fn what_the_sandbox_fails_at_is_no_incident() {
    let hour = NOON.seconds() / 3_600;
    let attempts = Attempts {
        days: vec![time("mistral/small-4", NOON.day(), 20, 0), time("sandbox/fail", NOON.day(), 0, 40)],
        hours: vec![time("sandbox/fail", hour, 0, 40)],
        bad: vec![time("sandbox/fail", hour, 0, 40)],
    };
    let world = || {
        let records = Records { attempts: attempts.clone(), ..Records::default() };
        Still::new(&SMALL, &["mistral", "sandbox"]).recorded(records)
    };
    let page = see(world(), "/status").await;
    page.holds("<span class=\"chip good\">Ready</span> No incident is under way.");
    page.holds("<span class=\"chip warn\">Simulated</span>").lacks("id=\"sandbox-");
    let told: serde_json::Value = serde_json::from_str(&see(world(), "/status.json").await.text).unwrap();
    assert_eq!(told["incidents"], serde_json::json!([]));
    see(world(), "/status.atom").await.lacks("<entry>");
}
