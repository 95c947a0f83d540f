//! The pages of catalog, jobs, state, fees and announcements.

use std::sync::Arc;

use catalog::review::review;
use serde_json::{Value, json};

use crate::safe::payloads::PAYLOADS;
use crate::testing::api::{FakeApi, visit};
use crate::testing::{NOON, SMALL, get, several_on};

const DAY: &str = "2026-07-02T12:00:00Z";

fn finding(one: &catalog::review::Finding) -> Value {
    json!({"kind": one.kind.name(), "subject": one.subject.name(), "id": one.id, "model": one.model, "author": one.author,
        "provider": one.provider, "fact": one.fact, "value": one.value, "source": one.source, "as_of": one.as_of,
        "rule": null, "is_undecided": one.is_undecided(),
        "others": one.others.iter().map(|o| json!({"value": o.value, "source": o.source, "as_of": o.as_of})).collect::<Vec<_>>(),
        "due": one.due.map(crate::format::iso_day)})
}

fn review_of(found: &[Value], next: Option<u64>) -> Value {
    json!({"data": found, "total": 120, "next": next,
        "counts": {"contradiction": 2, "undecided": 1, "stale": 7, "unsourced": 111},
        "facts": [{"value": "context_tokens", "count": 3}], "authors": [{"value": "mistralai", "count": 2}],
        "providers": [], "check_days": 90, "catalog": "v", "reload": {"applied": null, "refused": null}})
}

fn operator() -> FakeApi {
    FakeApi::signed_in("owner", true)
}

#[tokio::test]
async fn every_finding_leads_to_where_its_fact_stands() {
    let found = review(&SMALL, NOON.day() + 400);
    assert!(found.len() > 20);
    let rows: Vec<Value> = found.iter().map(finding).collect();
    let api = Arc::new(operator().answering("GET /v1/server/catalog", 200, review_of(&rows, None)));
    let page = visit(&api, "/console/server/catalog", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    let hrefs: Vec<String> = page
        .text
        .split("<th scope=\"row\"><a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"))
        .collect();
    assert_eq!(hrefs.len(), found.len());
    let mut stands = 0;
    for (href, one) in hrefs.iter().zip(&found) {
        let (path, anchor) = href.split_once('#').unwrap();
        let shown = get(several_on(), path).await;
        assert_eq!(shown.status, 200, "{href}");
        stands += usize::from(shown.text.contains(&format!("id=\"{anchor}\"")));
        // What pages have no line for leads to the page.
        let has_line = one.subject != catalog::review::Subject::Endpoint
            && !matches!(
                one.fact,
                "weights_url"
                    | "purpose"
                    | "privacy_url"
                    | "terms_url"
                    | "status_url"
                    | "retires"
                    | "successor"
            );
        assert!(!has_line || shown.text.contains(&format!("id=\"{anchor}\"")), "{href}");
    }
    assert!(stands * 10 > hrefs.len() * 8, "{stands} of {} stand on their pages", hrefs.len());
}

#[tokio::test]
async fn what_a_models_page_says_nobody_states_is_found() {
    let found = review(&SMALL, NOON.day());
    let unsourced = found.iter().filter(|one| {
        &*one.id == "mistralai/small-4"
            && one.kind == catalog::review::FindingKind::Unsourced
            && !matches!(one.fact, "tool_call" | "structured_output" | "reasoning" | "temperature")
    });
    let page = get(several_on(), "/mistralai/small-4").await;
    let facts = page.text.split("Facts</caption>").nth(1).unwrap().split("</table>").next().unwrap();
    assert_eq!(facts.matches("Not sourced").count(), unsourced.count());
}

#[tokio::test]
async fn filters_and_pages_stay_in_the_address() {
    let rows: Vec<Value> = review(&SMALL, NOON.day()).iter().take(3).map(finding).collect();
    let api = Arc::new(operator().answering("GET /v1/server/catalog", 200, review_of(&rows, Some(100))));
    let page =
        visit(&api, "/console/server/catalog?kind=contradiction&author=mistralai&offset=50", None).await;
    assert!(
        api.asked()
            .contains(&"GET /v1/server/catalog?kind=contradiction&author=mistralai&offset=50".to_owned())
    );
    for text in [
        "/v1/server/catalog?kind=contradiction&#38;author=mistralai&#38;format=csv",
        "/console/server/catalog?kind=contradiction&#38;author=mistralai&#38;offset=100",
        "51 to 53 of 120",
        "<option value=\"mistralai\" selected>mistralai (2)</option>",
        "<input type=\"hidden\" name=\"kind\" value=\"contradiction\">",
        "Context (3)",
        "1 that nobody has decided",
        "Nothing was reloaded since the start",
    ] {
        page.holds(text);
    }
    let none = Arc::new(operator().answering("GET /v1/server/catalog", 200, review_of(&[], None)));
    visit(&none, "/console/server/catalog", None).await.holds("Nothing of this kind");
}

#[tokio::test]
async fn a_reload_that_was_refused_is_told_first() {
    let mut told = review_of(&[], None);
    told["reload"] = json!({
        "refused": {"at": DAY, "why": ["models/a/b.toml:3: dissent-without-rule: odd"]},
        "applied": {"at": DAY, "summary": "1 model added", "models_added": ["acme/new"], "models_removed": [],
            "endpoints_added": [], "endpoints_removed": [], "prices_changed": ["cloud/new"],
            "facts_changed": [{"id": "acme/old", "fact": "context_tokens", "old": "1", "new": null}], "deprecations": []},
    });
    let api = Arc::new(operator().answering("GET /v1/server/catalog", 200, told));
    let page = visit(&api, "/console/server/catalog", None).await;
    page.holds("role=\"alert\"");
    page.holds("models/a/b.toml:3: dissent-without-rule: odd");
    page.holds("acme/old, Context: 1 → nothing");
    page.holds("1 model added");
}

fn job(name: &str, outcome: Value, more: Value) -> Value {
    let mut job = json!({"name": name, "about": "does something", "rhythm": "regular", "is_on": true, "every_ms": 60_000,
        "is_running": false, "begun_at": null, "ended_at": null, "took_ms": null, "outcome": outcome, "runs": 0, "failures": 0,
        "last_failure_at": null, "last_failure": null, "next_at": null, "waiting": null, "waiting_of": null});
    job.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    job
}

#[tokio::test]
async fn a_job_says_when_it_ran_and_what_is_not_known() {
    let ran = json!({"ended_at": DAY, "took_ms": 0, "runs": 1_200, "next_at": DAY, "waiting": 1, "waiting_of": "records"});
    let failed = json!({"ended_at": DAY, "took_ms": 2_500, "runs": 3, "failures": 2, "last_failure_at": DAY,
        "last_failure": "the store doesn't answer"});
    let jobs = json!({"since": DAY, "data": [
        job("fold", json!("done"), ran),
        job("expire", json!("failed"), failed),
        job("catalog_news", Value::Null, json!({"rhythm": "on_change"})),
        job("telemetry", Value::Null, json!({"is_on": false, "every_ms": null})),
    ]});
    let page = visit(
        &Arc::new(operator().answering("GET /v1/server/jobs", 200, jobs)),
        "/console/server/jobs",
        None,
    )
    .await;
    assert_eq!(page.status, 200);
    for text in [
        "took under 1 ms",
        "1 d 0 h ago",
        "1 record<",
        "The last run failed of: expire.",
        "Failed 2 times, last",
        "the store doesn&#39;t answer",
        "catalog news",
        "Not run yet",
        "not since the start",
        "when something changed",
        "every 60 s",
        "Off by configuration: 1",
    ] {
        page.holds(text);
    }
}

fn state(answers: bool) -> Value {
    let known = |value: Value| if answers { value } else { Value::Null };
    json!({"data": {
        "process": {"version": "0.1.0", "started_at": DAY, "uptime_s": 86_400, "workers": 2, "memory_bytes": 50_331_648,
            "in_flight": 3, "holds_open": 1, "hold_waiters": 0, "panics": 0, "keys": 4},
        "failing": if answers { json!([]) } else { json!([{"check": "store", "reason": "the store doesn't answer"}]) },
        "journal": {"is_well": true, "segments": 2, "bytes": 4_096, "unfolded_bytes": known(json!(512)), "unfolded_records": 7,
            "backlog_bytes_max": 1_073_741_824, "waiting_bytes": 0, "folded_at": known(json!(DAY)), "synced_at": DAY,
            "sync": "each_second", "errors": 0, "last_error_at": null, "last_error": null},
        "store": {"kind": "sqlite", "answers": answers, "bytes": known(json!(1_048_576)), "schema": known(json!(23)),
            "connections": {"open": 2, "idle": 1, "max": 5}, "entry": known(json!(17)), "entry_hash": known(json!("9f86")),
            "records_refused": known(json!(0))},
        "disk": {"free_bytes": 1_000, "total_bytes": 1_000_000},
    }})
}

#[tokio::test]
async fn the_state_says_what_stands_behind_and_what_is_bad() {
    let api = |answers| Arc::new(operator().answering("GET /v1/server/state", 200, state(answers)));
    let page = visit(&api(true), "/console/server/state", None).await;
    for text in [
        "Calls can be served",
        "48 MiB",
        "7 records; beyond 1 GiB new calls are refused",
        "<code>17:9f86</code>",
        "once a second",
        "1 d 0 h",
        "class=\"is-bad\"><span title=\"1,000 bytes\">1000 B",
    ] {
        page.holds(text);
    }
    let down = visit(&api(false), "/console/server/state", None).await;
    down.holds("The store doesn&#39;t answer.");
    down.holds("it does not answer: the books wait");
    down.holds("unknown");
    down.lacks("--noted");
}

#[tokio::test]
async fn fees_say_which_setting_to_change_and_what_came_in() {
    let earned = |of: &str, count: u64, amount: &str| json!({"of": of, "count": count, "amount_usd": amount});
    let told = |earned: Value| {
        json!({"data": {"settings": [{"setting": "fees.byok_percent", "value": "\"5\"", "about": "the fee of own keys"}],
            "summary": ["Topping up is free of fees."], "from": "a", "to": "b", "fees_usd": "1.32", "earned": earned}})
    };
    let rows = json!([
        earned("top_ups", 1, "1.25"),
        earned("refunds", 0, "0"),
        earned("own_keys", 7, "0.07"),
        earned("promotions", 2, "-5"),
        earned("grants", 1, "-3")
    ]);
    let api = Arc::new(operator().answering("GET /v1/server/fees", 200, told(rows)));
    let page = visit(&api, "/console/server/fees?period=7d", None).await;
    assert!(api.asked().contains(&"GET /v1/server/fees?from=2026-06-27&to=2026-07-03".to_owned()));
    for text in [
        "<code class=\"plain\">fees.byok_percent</code>",
        "<code>&#34;5&#34;</code>",
        "$1.32",
        "7 calls",
        "Trial credit and vouchers<small>given away; no fee</small>",
        "$5.00",
        "Topping up is free of fees.",
        "/console/server/margin?from=2026-06-27&#38;to=2026-07-03",
    ] {
        page.holds(text);
    }
    page.lacks("-$5.00");
    let none = json!([earned("top_ups", 0, "0"), earned("grants", 0, "0")]);
    let quiet = Arc::new(operator().answering("GET /v1/server/fees", 200, told(none)));
    visit(&quiet, "/console/server/fees", None).await.holds("No fee and no gift in this span.");
}

fn news(text: &str) -> FakeApi {
    let one = |id: &str, state: &str, until: Value| {
        json!({"id": id, "text": text, "level": "warning", "audience": "everybody", "from": DAY, "until": until,
            "state": state, "changed_at": DAY, "created_at": DAY})
    };
    let all = json!({"data": [one("ann_1", "in_force", Value::Null), one("ann_2", "over", json!(DAY))]});
    let refused =
        json!({"error": {"type": "invalid_request", "message": "`until` must not be before `from`"}});
    operator()
        .answering("GET /v1/server/announcements", 200, all)
        .answering("POST /v1/server/announcements", 201, json!({"data": {}}))
        .answering("PATCH /v1/server/announcements/ann_1", 200, json!({"data": {}}))
        .answering("PATCH /v1/server/announcements/ann_2", 400, refused)
        .answering("DELETE /v1/server/announcements/ann_1", 200, json!({"deleted": true}))
}

#[tokio::test]
async fn announcements_are_written_ended_and_taken_away_by_calls() {
    const PATH: &str = "/console/server/announcements";
    let api = Arc::new(news("We *move*."));
    let page = visit(&api, PATH, None).await;
    for text in [
        "We <em>move</em>.",
        "Shown now",
        "without an end",
        "Over",
        "value=\"2026-07-02T12:00\"",
        "POST /v1/server/announcements</figcaption>",
    ] {
        page.holds(text);
    }
    assert_eq!(page.text.matches("value=\"end\"").count(), 1, "only what is shown can be ended");
    let form = "act=make&text=Tonight.&level=info&audience=signed_in&from=&until=2026-12-31T18%3A00";
    let made = visit(&api, PATH, Some(form)).await;
    assert_eq!((made.status, made.header("location")), (303, "/console/server/announcements?done=made"));
    let sent: Value = serde_json::from_str(&api.sent("POST /v1/server/announcements")[0]).unwrap();
    let expect = json!({"text": "Tonight.", "level": "info", "audience": "signed_in", "until": "2026-12-31T18:00:00Z"});
    assert_eq!(sent, expect);
    visit(&api, PATH, Some("act=end&id=ann_1")).await;
    visit(
        &api,
        PATH,
        Some("act=save&id=ann_1&text=x&level=info&audience=everybody&from=2026-07-02T12%3A00&until="),
    )
    .await;
    let edits = api.sent("PATCH /v1/server/announcements/ann_1");
    assert_eq!(edits[0], r#"{"until":"2026-07-03T12:00:00Z"}"#);
    let saved: Value = serde_json::from_str(&edits[1]).unwrap();
    assert_eq!((&saved["until"], &saved["from"]), (&Value::Null, &json!("2026-07-02T12:00:00Z")));
    let gone = visit(&api, PATH, Some("act=delete&id=ann_1")).await;
    assert_eq!(gone.header("location"), "/console/server/announcements?done=deleted");
    let wrong = visit(&api, PATH, Some("act=save&id=ann_2&text=kept+words&until=2020-01-01T00%3A00")).await;
    assert_eq!(wrong.status, 400);
    wrong.holds("must not be before");
    wrong.holds("kept words");
    wrong.holds("<details class=\"sure anew\" open>");
}

#[tokio::test]
async fn a_hostile_announcement_runs_nothing_where_it_is_written() {
    for payload in PAYLOADS.lines().filter(|line| !line.is_empty()) {
        let page = visit(&Arc::new(news(payload)), "/console/server/announcements", None).await;
        let told = page
            .text
            .split("<div class=\"news\">")
            .nth(1)
            .unwrap()
            .split("</div>\n<div class=\"decide\">")
            .next()
            .unwrap();
        assert_eq!(told, crate::safe::markdown(payload).as_str(), "{payload}");
        let typed = page.text.split("<textarea name=\"text\"").nth(1).unwrap();
        let typed = typed.split_once(">\n").unwrap().1.split("</textarea>").next().unwrap();
        assert!(!typed.contains('<'), "{payload}: {typed}");
    }
}
