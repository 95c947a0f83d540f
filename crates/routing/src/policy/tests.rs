use super::*;

const WHOLE: &str = r#"{"description": "d", "strategy": "fallback", "dial": 0.5,
    "models": [{"model": "a/one", "retries": 2}, "b/two"],
    "rules": [
        {"name": "night", "when": {"hours": ["22:00", "06:00"], "days": ["fri", "sat"]}, "strategy": "cost", "models": ["c/three"]},
        {"when": {"task": "code", "input_tokens_min": 10, "input_tokens_max": 20, "tags": {"team": "blue"}, "key": ["prod"], "tools": false},
         "strategy": "balance", "sticky_by": "user_id", "models": [{"model": "a/one", "weight": 70}, {"model": "b/two", "weight": 30}]}]}"#;

fn situation<'a>(at: i64, tokens: u64, tag: &'a dyn Fn(&str) -> Option<&'a str>) -> Situation<'a> {
    Situation {
        task: &|| "code",
        input_tokens: tokens,
        tag,
        key: ["key_1", "prod"],
        tools: false,
        at: Timestamp(at * 1_000_000),
    }
}

#[test]
fn the_first_rule_that_holds_decides() {
    let policy = Policy::read(WHOLE).unwrap();
    assert_eq!(policy.otherwise.models.first().and_then(|link| link.retries), Some(2));
    // 1970-01-02 was a Friday.
    let friday = 86_400;
    let rows = [
        (friday + 23 * 3_600, 15, "blue", Some(0)),
        (friday + 3 * 3_600, 15, "blue", Some(0)),
        (friday + 12 * 3_600, 15, "blue", Some(1)),
        (23 * 3_600, 15, "blue", Some(1)),
        (friday + 12 * 3_600, 15, "red", None),
        (friday + 12 * 3_600, 21, "blue", None),
        (friday + 12 * 3_600, 9, "blue", None),
    ];
    for (at, tokens, team, expect) in rows {
        let tag = |name: &str| (name == "team").then_some(team);
        assert_eq!(policy.route(&situation(at, tokens, &tag)).1, expect, "{at} {tokens}");
    }
    let named: Vec<_> = policy.models().collect();
    assert_eq!(named.len(), 5);
    assert_eq!(
        named.first().map(|(path, model)| (path.as_str(), *model)),
        Some(("rules[0].models[0]", "c/three"))
    );
}

#[test]
fn a_draw_has_chances_and_what_belongs_together_a_hash() {
    let policy = Policy::read(WHOLE).unwrap();
    let drawn = &policy.rules[1].route;
    assert_eq!([0, 1, 2].map(|at| drawn.chance(at)), [Some(0.7), Some(0.3), Some(0.0)]);
    assert_eq!(policy.otherwise.chance(0), None);
    assert_eq!(drawn.together(Some("t"), None), None, "it goes by the user");
    assert_eq!(drawn.together(Some("t"), Some("u")), policy.otherwise.together(None, Some("u")));
    assert_ne!(policy.otherwise.together(Some("t"), Some("u")), drawn.together(None, Some("u")));
}

#[test]
fn a_rules_cache_goes_before_the_policys_member_by_member() {
    let rule = r#"{"when": {"tools": true}, "models": ["a/b"], "cache": {"ttl_s": 5}}"#;
    let text =
        format!(r#"{{"models": ["a/b"], "cache": {{"enabled": true, "ttl_s": 60}}, "rules": [{rule}]}}"#);
    let policy = Policy::read(&text).unwrap();
    let (whole, short) = (Some(true), Some(5));
    assert_eq!(policy.otherwise.cache, CacheRule { enabled: whole, ttl_s: Some(60) });
    assert_eq!(policy.rules[0].route.cache, CacheRule { enabled: whole, ttl_s: short });
    assert_eq!(Policy::read(WHOLE).unwrap().otherwise.cache, CacheRule::default());
    let rows = [
        (r#""cache": true"#, "cache: must be an object"),
        (r#""cache": {"enabled": 1}"#, "cache.enabled: must be true or false"),
        (r#""cache": {"ttl_s": 0}"#, "cache.ttl_s: must be a whole number of seconds from 1 to 86400"),
        (r#""cache": {"ttl": 1}"#, "cache.ttl: is not known here; known are enabled, ttl_s"),
    ];
    for (cache, expect) in rows {
        let error = Policy::read(&format!(r#"{{"models": ["a/b"], {cache}}}"#)).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }
}

#[test]
fn bad_ones_are_refused_with_place_and_remedy() {
    let rows = [
        ("[]", "the policy: must be an object"),
        ("{", "the policy: is no JSON"),
        ("{}", "models: is missing; name at least one model"),
        (r#"{"models":["a"],"retry":1}"#, "retry: is not known here; known are description, rules,"),
        (r#"{"models":["policy/x"]}"#, "models[0]: is a policy"),
        (
            r#"{"models":[{"model":"a","retries":11}]}"#,
            "models[0].retries: must be a whole number from 0 to 10",
        ),
        (r#"{"models":[{"retries":1}]}"#, "models[0].model: is missing"),
        (r#"{"models":[7]}"#, "models[0]: must be a model's name, or an object"),
        (r#"{"models":["a"],"strategy":"best"}"#, "strategy: must be fallback, balance, latency or cost"),
        (r#"{"models":["a"],"escalate_to":"policy/x"}"#, "escalate_to: is a policy"),
        (r#"{"models":["a"],"escalate_to":" "}"#, "escalate_to: is empty"),
        (r#"{"models":["a"],"escalate_to":true}"#, "escalate_to: must be a text"),
        (r#"{"models":["a"],"dial":2}"#, "dial: must be a number from 0"),
        (r#"{"strategy":"balance","models":[{"model":"a","weight":0}]}"#, "models: have no weight"),
        (r#"{"models":["a"],"rules":[{"models":["b"]}]}"#, "rules[0].when: is missing"),
        (r#"{"models":["a"],"rules":[{"when":{},"models":["b"]}]}"#, "rules[0].when: is empty"),
        (
            r#"{"models":["a"],"rules":[{"when":{"task":"coding"},"models":["b"]}]}"#,
            "rules[0].when.task: `coding` is no kind of work",
        ),
        (
            r#"{"models":["a"],"rules":[{"when":{"hours":["9","25:00"]},"models":["b"]}]}"#,
            "rules[0].when.hours: must be two times of day",
        ),
        (
            r#"{"models":["a"],"rules":[{"when":{"days":["monday"]},"models":["b"]}]}"#,
            "rules[0].when.days: `monday` is no day",
        ),
    ];
    for (json, expect) in rows {
        let told = Policy::read(json).unwrap_err().to_string();
        assert!(told.starts_with(expect), "{json}: {told}");
    }
}

#[test]
fn weights_are_kept_and_what_belongs_together_stays_together() {
    let policy = Policy::read(WHOLE).unwrap();
    let route = &policy.rules.last().unwrap().route;
    let first = |together, seed| *route.order(together, seed).first().unwrap();
    let drawn = (0..20_000).filter(|seed| first(None, *seed) == 0).count();
    assert!((13_700..14_300).contains(&drawn), "{drawn}");
    assert!((0..100).all(|seed| first(Some(9), seed) == first(Some(9), 0)));
    assert_eq!(route.order(None, 1).len(), 2);
    let fallback = &policy.otherwise;
    assert_eq!(fallback.order(None, 5), [0, 1]);
}

#[test]
fn the_pause_doubles_to_four_seconds() {
    let middle: Vec<u64> = (0..6).map(|round| backoff_ms(round, 0.5)).collect();
    assert_eq!(middle, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
    assert_eq!((backoff_ms(0, 0.0), backoff_ms(0, 1.0)), (450, 550));
}

#[test]
fn a_route_names_where_its_answers_escalate_to() {
    let text = r#"{"models":["a"],"escalate_to":"b","rules":[{"when":{"tools":true},"models":["c"],"escalate_to":"d"}]}"#;
    let policy = Policy::read(text).unwrap();
    assert_eq!(policy.otherwise.escalate_to.as_deref(), Some("b"));
    let models: Vec<_> = policy.models().collect();
    let expect = [
        ("rules[0].models[0]", "c"),
        ("rules[0].escalate_to", "d"),
        ("models[0]", "a"),
        ("escalate_to", "b"),
    ];
    assert_eq!(models, expect.map(|(path, model)| (path.to_owned(), model)));
}
