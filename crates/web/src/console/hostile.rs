//! Names are whatever somebody typed: on every page of what is ruled a hostile one stands as text where a harmless one would stand, and
//! changes nothing else.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::safe::payloads::PAYLOADS;
use crate::testing::api::{FakeApi, visit};

const PAGES: [&str; 25] = [
    "/console/keys",
    "/console/keys/key_1",
    "/console/budgets",
    "/console/budgets/bud_1",
    "/console/account",
    "/console/members",
    "/console/projects",
    "/console/settings",
    "/console/credits",
    "/console/invoices",
    "/console/provider-keys",
    "/console/provider-keys/byk_1",
    "/console/presets",
    "/console/presets/p",
    "/console/policies",
    "/console/policies/p",
    "/console/guardrails",
    "/console/approved-models?key=key_1",
    "/console/access-lists/l",
    "/console/groups/g",
    "/console/webhooks",
    "/console/server/catalog?author=acme",
    "/console/server/jobs",
    "/console/server/state",
    "/console/server/fees",
];

const DAY: &str = "2026-06-01T00:00:00Z";

fn money_and_keys(api: FakeApi, name: &str) -> FakeApi {
    let key = json!({"hash": "ab", "id": "key_1", "name": name, "label": name, "project": name, "holder": "usr_1", "disabled": true,
        "frozen": name, "usage_usd": "1", "held_usd": "0", "created_at": DAY, "tags": [name], "allowed_models": [name]});
    let budget = json!({"id": "bud_1", "name": name, "subject": "key:key_1", "period": "month", "amount_usd": "1", "hard": true,
        "thresholds": [50]});
    let rows = json!({"data": [{"date": "2026-07-01", "key": "key_1", "model": name, "project": name, "total_usage": 1,
        "request_count": 1, "error_count": 0}]});
    let credits = json!({"mode": "prepaid", "used_usd": "1", "metered_usd": "0", "balance_usd": "1", "held_usd": "0",
        "byok": {"fee_percent": "5", "fees_usd": "0", "usage_usd": "0", "requests": 0}});
    let statement = json!({"from": "2026-06-01", "to": "2026-07-01", "opening_usd": "0", "closing_usd": "1",
        "movements": [{"at": DAY, "kind": "grant", "entry": name, "amount_usd": "1", "balance_usd": "1"}]});
    let auto = json!({"enabled": false, "threshold_usd": "0", "amount_usd": "0", "month_max_usd": "0", "payment_method_saved": false,
        "why_off": name});
    let fees = json!({"summary": [name], "top_up": {"offered": true, "min_usd": "5"}});
    api.answering("GET /v1/keys", 200, json!({"data": [key]}))
        .answering("GET /v1/keys/key_1", 200, json!({"data": key}))
        .answering("GET /v1/budgets", 200, json!({"data": [budget]}))
        .answering("POST /v1/analytics/query", 200, json!({"data": rows}))
        .answering("GET /v1/credits", 200, json!({"data": credits}))
        .answering("GET /v1/credits/statement", 200, json!({"data": statement}))
        .answering("GET /v1/credits/orders", 200, json!({"data": []}))
        .answering("GET /v1/credits/auto-top-up", 200, json!({"data": auto}))
        .answering("GET /v1/fees", 200, json!({"data": fees}))
        .answering("GET /v1/invoices", 200, json!({"data": []}))
        .answering(
            "GET /v1/account/billing",
            200,
            json!({"data": {"name": name, "address": [name], "country": name}}),
        )
}

fn people(api: FakeApi, name: &str) -> FakeApi {
    let session = json!({"id": "ses_1", "current": true, "created_at": DAY, "seen_at": DAY, "expires_at": DAY, "address": name, "agent": name});
    let person = json!({"id": "usr_2", "email": name, "name": name, "role": "viewer", "since": DAY});
    let invitation = json!({"id": "inv_1", "email": name, "role": "viewer", "expires_at": DAY});
    let program = json!({"id": "sa_1", "name": name, "role": "viewer", "created_at": DAY});
    let identity =
        json!({"id": "idt_1", "issuer": name, "issuer_url": name, "email": name, "created_at": DAY});
    api.answering("GET /v1/auth/sessions", 200, json!({"data": [session]}))
        .answering("GET /v1/auth/totp", 200, json!({"data": {"enabled": true, "recovery_codes_left": 1}}))
        .answering("GET /v1/auth/identities", 200, json!({"data": [identity]}))
        .answering("GET /v1/organization/members", 200, json!({"data": [person]}))
        .answering("GET /v1/organization/invitations", 200, json!({"data": [invitation]}))
        .answering("GET /v1/organization/service-accounts", 200, json!({"data": [program]}))
        .answering("GET /v1/organization/projects", 200, json!({"data": [{"slug": "web", "name": name, "created_at": DAY}]}))
        .answering("GET /v1/organization", 200, json!({"data": {"id": "acct_1", "name": name, "personal": false, "role": "owner", "created_at": DAY}}))
        .answering("GET /v1/webhooks", 200, json!({"data": [{"id": "wh_1", "url": name, "kinds": [name], "disabled": true,
            "created_at": DAY, "secret": name}]}))
}

fn rules(api: FakeApi, name: &str) -> FakeApi {
    let own = json!({"id": "byk_1", "provider": "mistral", "name": name, "label": name, "disabled": false, "is_fallback": false,
        "sort_order": 0, "allowed_models": [name], "tested": "ok", "test_note": name, "requests": 0, "usage_usd": "0", "fees_usd": "0"});
    let preset = json!({"slug": "p", "name": name, "description": name, "status": "active", "updated_at": DAY,
        "designated_version": {"version": 1, "config": {}, "system_prompt": name}});
    let policy = json!({"id": "policy/p", "name": "p", "version": 1, "updated_at": DAY, "policy": {"models": ["a/b"]}});
    let listed = json!({"id": "policy/p", "name": "p", "version": 1, "updated_at": DAY,
        "policy": {"models": [name], "description": name}});
    let approved = json!({"version": 1, "updated_at": DAY, "approval": {"models": [name]}, "model_ids": [], "waiting": [name]});
    let list = json!({"name": "l", "version": 1, "access_list": {"description": name, "models": [name]}, "model_ids": [name], "waiting": [name]});
    let group = json!({"name": "g", "version": 1, "group": {"description": name, "members": ["usr_2"]}});
    let version = json!([{"version": 1, "created_at": DAY, "created_by": name, "deleted": true}]);
    let guardrails = json!({"version": 0, "guardrails": {}});
    let access =
        json!({"key": name, "decided_by": "key", "names": [name], "model_count": 1, "models": [name]});
    let data = |value: Value| json!({ "data": value });
    api.answering("GET /v1/byok", 200, json!({"data": [own]}))
        .answering("GET /v1/byok/byk_1", 200, data(own))
        .answering("GET /v1/byok/strategy", 200, json!({"data": {"providers": {}, "models": {name: "mine"}}}))
        .answering("GET /v1/byok/settings", 200, json!({"data": {"on_empty": "refuse"}}))
        .answering("GET /v1/presets", 200, json!({"data": [preset]}))
        .answering("GET /v1/presets/p", 200, data(preset))
        .answering("GET /v1/presets/p/versions", 200, data(version.clone()))
        .answering("GET /v1/policies", 200, json!({"data": [listed]}))
        .answering("GET /v1/policies/p", 200, data(policy))
        .answering("GET /v1/policies/p/versions", 200, data(version.clone()))
        .answering("GET /v1/guardrails", 200, data(guardrails))
        .answering("GET /v1/approved-models", 200, data(approved))
        .answering("GET /v1/approved-models/versions", 200, data(version.clone()))
        .answering("GET /v1/access-lists", 200, json!({"data": [list]}))
        .answering("GET /v1/access-lists/l", 200, data(list))
        .answering("GET /v1/access-lists/l/versions", 200, data(version))
        .answering("GET /v1/groups", 200, json!({"data": [group]}))
        .answering("GET /v1/groups/g", 200, data(group))
        .answering("GET /v1/access", 200, data(access))
}

fn server(api: FakeApi, name: &str) -> FakeApi {
    let count = json!([{"value": name, "count": 1}]);
    let finding = json!({"kind": "contradiction", "subject": "model", "id": name, "model": name, "provider": null,
        "fact": "license", "value": name, "source": name, "as_of": "2026-06", "is_undecided": true,
        "others": [{"value": name, "source": name, "as_of": "2026"}], "due": null});
    let change = json!({"id": name, "fact": "license", "old": name, "new": null});
    let catalog = json!({"data": [finding], "total": 1, "next": null,
        "counts": {"contradiction": 1, "undecided": 1, "stale": 0, "unsourced": 0},
        "facts": [], "authors": count, "providers": count, "check_days": 90, "reload": {
            "applied": {"at": DAY, "summary": name, "models_added": [name], "models_removed": [], "endpoints_added": [],
                "endpoints_removed": [], "prices_changed": [], "facts_changed": [change], "deprecations": []},
            "refused": {"at": DAY, "why": [name]}}});
    let job = json!({"name": "fold", "about": name, "rhythm": "regular", "is_on": true, "every_ms": 1_000, "is_running": false,
        "ended_at": DAY, "took_ms": 1, "outcome": "failed", "runs": 2, "failures": 1, "last_failure_at": DAY,
        "last_failure": name, "next_at": DAY, "waiting": 3, "waiting_of": "records"});
    let off = json!({"name": "mails", "about": name, "rhythm": "queue", "is_on": false, "is_running": false, "runs": 0,
        "failures": 0});
    let state = json!({
        "process": {"version": "1", "started_at": DAY, "uptime_s": 5, "workers": 2, "in_flight": 0, "holds_open": 0,
            "hold_waiters": 0, "panics": 0, "keys": 1},
        "failing": [],
        "journal": {"segments": 1, "bytes": 2, "unfolded_bytes": 1, "unfolded_records": 1, "backlog_bytes_max": 9,
            "waiting_bytes": 0, "sync": "always", "errors": 1, "last_error_at": DAY, "last_error": name},
        "store": {"kind": "sqlite", "answers": true, "connections": {"open": 1, "idle": 1, "max": 5}, "entry": 3,
            "entry_hash": name},
        "disk": null});
    let fees = json!({"settings": [{"setting": name, "value": name, "about": name}], "summary": [name], "earned": [],
        "fees_usd": "0"});
    api.answering("GET /v1/server/catalog", 200, catalog)
        .answering("GET /v1/server/jobs", 200, json!({"data": [job, off], "since": DAY}))
        .answering("GET /v1/server/state", 200, json!({ "data": state }))
        .answering("GET /v1/server/fees", 200, json!({ "data": fees }))
}

/// Every page, without the calls at its foot: those quote for a shell.
async fn seen(name: &str) -> Vec<(&'static str, String)> {
    let api = FakeApi::signed_in("owner", false);
    let api = Arc::new(server(rules(people(money_and_keys(api, name), name), name), name));
    let mut pages = Vec::new();
    for path in PAGES {
        let page = visit(&api, path, None).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let (page, calls) =
            page.text.split_once("<details class=\"more calls\">").unwrap_or((&page.text, ""));
        assert!(!calls.contains("<script>") && !calls.contains("<img"), "{path}: {calls}");
        pages.push((path, page.to_owned()));
    }
    pages
}

fn escaped(text: &str) -> String {
    let of = |c: char| match c {
        '&' | '<' | '>' | '"' | '\'' => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(of).collect()
}

#[tokio::test]
async fn a_hostile_name_is_text() {
    const HARMLESS: &str = "qqharmlessqq";
    let plain = seen(HARMLESS).await;
    let holds = plain.iter().filter(|(_, page)| page.contains(HARMLESS)).count();
    assert!(holds >= 22, "names are shown on {holds} pages");
    for payload in PAYLOADS.lines().filter(|line| !line.is_empty()) {
        for ((path, page), (_, plain)) in seen(payload).await.iter().zip(&plain) {
            let same = page.replace(&escaped(payload), HARMLESS);
            assert!(same == *plain, "{payload} on {path}:\n{same}");
        }
    }
}
