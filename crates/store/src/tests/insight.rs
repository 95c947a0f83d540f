use ledger::{App, Status};

use super::*;
use crate::{
    By, DIMENSIONS_MAX, Figures, Filter, LogCursor, LogFilter, LogNumber, LogText, Measure, OTHER, Question,
    Said, Spread, StoreError, UsedRow, VALUES_PER_DAY_MAX, VALUES_PER_HOUR_MAX,
};

const HOUR: i64 = 3_600_000_000;

/// Calls of two keys, three models and many users, one each ten minutes, some failed, some with a cache.
pub(crate) fn calls(count: u64) -> Vec<GenerationRecord> {
    (0..count).map(call).collect()
}

fn call(n: u64) -> GenerationRecord {
    let mut call = record(n % 40);
    call.created = Timestamp(NOW.micros() - NOW.micros() % HOUR + i64::try_from(n).unwrap() * HOUR / 6);
    call.id = GenerationId::new(call.created, u128::from(n) * 1_000_003);
    call.key = KeyId::new(if n.is_multiple_of(3) { "key_b" } else { "key_a" });
    call.model = format!("author/model-{}", n % 3);
    call.usage.cache_read = n % 5;
    call.cost = call.price_sheet.cost(&call.usage, call.created).unwrap();
    (call.charged, call.provider_cost) = (call.cost.total, call.cost.total);
    call.streamed = n.is_multiple_of(2);
    call.ttft_us = Some(100_000 + i64::try_from(n).unwrap() * 1_000);
    call.duration_us = 1_000_000 + i64::try_from(n).unwrap() * 10_000;
    call.user = Some(format!("user-{}", n % 7));
    call.app = Some(App { title: Some("An app".to_owned()), referer: None });
    call.session_id = Some(format!("session-{}", n / 4));
    call.dimensions.insert("team".to_owned(), if n.is_multiple_of(2) { "blue" } else { "red" }.to_owned());
    call.dimensions.insert("trace.trace_id".to_owned(), format!("trace-{}", n / 2));
    call.counted = vec![
        "project:web".to_owned(),
        format!("tag:t{}", n % 2),
        format!("member:usr_{}", n % 2),
        "user:nobody".to_owned(),
    ];
    call.finish_reason = Some("stop".to_owned());
    call.dialect = "openai_chat".to_owned();
    if n % 10 == 9 {
        call.status = Status::Failed;
        call.error = Some("timeout".to_owned());
    }
    call
}

fn first_hour() -> i64 {
    NOW.micros() / HOUR
}

struct Ask {
    hours: bool,
    split: bool,
    groups: Vec<By>,
    filters: Vec<Filter>,
    key: Option<KeyId>,
}

impl Ask {
    fn by(groups: &[By]) -> Ask {
        Ask { hours: true, split: false, groups: groups.to_vec(), filters: Vec::new(), key: None }
    }

    async fn of(&self, store: &Store) -> Result<Vec<UsedRow>, StoreError> {
        let unit = if self.hours { 1 } else { 24 };
        let question = Question {
            account: &account("owner"),
            key: self.key.as_ref(),
            hours: self.hours,
            from: first_hour() / unit,
            to: (first_hour() + 240) / unit,
            split: self.split,
            groups: &self.groups,
            filters: &self.filters,
            measures: &Measure::ALL,
            joined: &[],
            spreads: &Spread::ALL,
            most: None,
        };
        store.used(&question).await
    }
}

/// What some calls come to.
fn together(calls: &[GenerationRecord], is: impl Fn(&GenerationRecord) -> bool) -> Figures {
    let mut all = Figures::default();
    for call in calls.iter().filter(|call| is(call)) {
        all.add(&Figures::of(call, &call.price_sheet));
    }
    all
}

fn facet(name: &str) -> By {
    By::Facet(name.to_owned())
}

both! {
    async fn sums_by_anything_are_those_of_the_records(store) {
        let calls = calls(200);
        fold(&store, "s1", 0, 10, &calls[..150]).await.unwrap();
        fold(&store, "s1", 10, 20, &calls[100..]).await.unwrap();
        for hours in [true, false] {
            let ask = |groups: &[By]| Ask { hours, ..Ask::by(groups) };
            let all = ask(&[]).of(&store).await.unwrap();
            assert_eq!((all.len(), &all[0].figures), (1, &together(&calls, |_| true)));
            assert_eq!(all[0].figures.sums.get(Measure::Failed), 20);
            let models = ask(&[By::Model]).of(&store).await.unwrap();
            assert_eq!(models.len(), 3);
            for row in &models {
                assert_eq!(row.figures, together(&calls, |call| call.model == row.groups[0]));
            }
            let keys = ask(&[By::Key]).of(&store).await.unwrap();
            assert_eq!(keys.iter().map(|row| row.groups[0].as_str()).collect::<Vec<_>>(), ["key_a", "key_b"]);
            for row in &keys {
                assert_eq!(row.figures, together(&calls, |call| call.key.as_str() == row.groups[0]));
                let key = Some(KeyId::new(row.groups[0].clone()));
                let of_key = Ask { key, ..ask(&[]) }.of(&store).await.unwrap();
                assert_eq!((of_key.len(), &of_key[0].figures), (1, &row.figures));
            }
            let both = ask(&[By::Key, By::Model]).of(&store).await.unwrap();
            assert_eq!(both.len(), 3, "key_b has one model, and key_a two");
            let users = ask(&[facet("user")]).of(&store).await.unwrap();
            assert_eq!(users.len(), 7);
            for row in &users {
                assert_eq!(row.figures, together(&calls, |call| call.user.as_deref() == Some(&*row.groups[0])));
            }
            let teams = Ask { key: Some(KeyId::new("key_b")), ..ask(&[facet("dim:team")]) }.of(&store).await;
            if hours {
                assert!(matches!(teams, Err(StoreError::Invalid(_))), "hours are of the whole account");
                continue;
            }
            let teams = teams.unwrap();
            let blue = together(&calls, |call| call.key.as_str() == "key_b" && call.dimensions["team"] == "blue");
            assert_eq!((teams[0].groups[0].as_str(), &teams[0].figures), ("blue", &blue));
            for (name, values) in [("tag", 2), ("project", 1), ("member", 2), ("app", 1), ("error", 1), ("finish_reason", 1), ("api_type", 1)] {
                assert_eq!(ask(&[facet(name)]).of(&store).await.unwrap().len(), values, "{name}");
            }
            assert!(ask(&[facet("dim:trace.trace_id")]).of(&store).await.unwrap().is_empty());
        }
        for part in ["all", "key", "model", "provider"] {
            let changed = |by: i64| [part.into(), first_hour().into(), by.into()];
            let wrong = "UPDATE facet_hours SET charged = charged + $3
                WHERE facet = $1 AND hour = $2 AND value IN ('', 'key_b', 'author/model-0', 'mistral')";
            assert_eq!(tamper(&store, wrong, &changed(1)).await, 1, "{part}");
            let problems = store.verify().await.unwrap().problems;
            assert_eq!((problems.len(), problems[0].check), (1, "facet_hours"), "{problems:?}");
            tamper(&store, wrong, &changed(-1)).await;
        }
        for key in ["", "key_a"] {
            let wrong = "UPDATE facet_days SET requests = requests + 1 WHERE facet = 'tag' AND value = 't0' AND api_key = $1 AND day = $2";
            assert_eq!(tamper(&store, wrong, &[key.into(), NOW.day().into()]).await, 1);
            let problems = store.verify().await.unwrap().problems;
            assert_eq!((problems.len(), problems[0].check), (1, "facet_days"), "{problems:?}");
            let back = "UPDATE facet_days SET requests = requests - 1 WHERE facet = 'tag' AND value = 't0' AND api_key = $1 AND day = $2";
            tamper(&store, back, &[key.into(), NOW.day().into()]).await;
        }
        let rows = Ask { split: true, ..Ask::by(&[]) }.of(&store).await.unwrap();
        assert_eq!(rows.len(), 34, "six calls an hour");
        assert_eq!((rows[0].at, rows[1].at), (first_hour(), first_hour() + 1));
        assert_eq!(rows[1].figures, together(&calls[6..12], |_| true));
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn what_is_counted_together_is_one_sum(store) {
        let calls = calls(60);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        let together_of = |by: &Figures| [Measure::Input, Measure::CacheRead, Measure::Output].map(|m| by.sums.get(m)).iter().sum::<i64>();
        for (groups, split) in [(vec![], false), (vec![facet("user")], true), (vec![By::Key, By::Model], false), (vec![facet("tag"), By::Key], true)] {
            let question = Question {
                account: &account("owner"),
                key: None,
                hours: false,
                from: NOW.day(),
                to: NOW.day() + 10,
                split,
                groups: &groups,
                filters: &[],
                measures: &[Measure::Requests],
                joined: &[Measure::Input, Measure::CacheRead, Measure::Output],
                spreads: &[Spread::Ttft],
                most: None,
            };
            let joined = store.used(&question).await.unwrap();
            let apart = store.used(&Question { joined: &[], measures: &Measure::ALL, ..question }).await.unwrap();
            assert_eq!(joined.len(), apart.len());
            for (joined, apart) in joined.iter().zip(&apart) {
                assert_eq!((joined.at, &joined.groups), (apart.at, &apart.groups));
                assert_eq!(joined.figures.sums.get(Measure::Input), together_of(&apart.figures));
                assert_eq!(joined.figures.sums.get(Measure::Requests), apart.figures.sums.get(Measure::Requests));
                assert_eq!((joined.figures.sums.get(Measure::Output), joined.figures.sums.get(Measure::Charged)), (0, 0));
                assert_eq!(joined.figures.spread(Spread::Ttft), apart.figures.spread(Spread::Ttft));
            }
        }
    }

    async fn the_most_are_the_first_of_all(store) {
        let calls = calls(60);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        for (groups, split) in [(vec![facet("user")], false), (vec![By::Key, By::Model], true), (vec![facet("tag")], true), (vec![], true)] {
            for (most, joined) in [(Measure::Charged, &[][..]), (Measure::Input, &[Measure::Input, Measure::Output]), (Measure::Failed, &[])] {
                let question = Question {
                    account: &account("owner"),
                    key: None,
                    hours: true,
                    from: first_hour(),
                    to: first_hour() + 240,
                    split,
                    groups: &groups,
                    filters: &[],
                    measures: &[Measure::Requests, Measure::Charged, Measure::Failed],
                    joined,
                    spreads: &[],
                    most: None,
                };
                let mut all = store.used(&question).await.unwrap();
                all.sort_by_key(|row| std::cmp::Reverse(row.figures.sums.get(most)));
                for count in [1, 3, all.len(), all.len() + 5] {
                    let rows = store.used(&Question { most: Some((most, count)), ..question }).await.unwrap();
                    assert_eq!(rows, all.iter().take(count).cloned().collect::<Vec<_>>(), "{groups:?} {most:?} {count}");
                }
            }
        }
    }

    async fn filters_keep_or_leave_out(store) {
        let calls = calls(60);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        let only = |by: By, values: &[&str], keeps: bool| Filter {
            by, keeps, values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let rows = [
            (only(By::Model, &["author/model-1"], true), 20),
            (only(By::Model, &["author/model-1", "author/model-2"], false), 20),
            (only(By::Key, &["key_b"], true), 20),
            (only(By::Provider, &["nobody"], true), 0),
            (only(By::Provider, &[], false), 60),
            (only(facet("dim:team"), &["blue"], true), 30),
            (only(facet("user"), &["user-0", "user-1"], true), 18),
        ];
        for (filter, expect) in rows {
            let ask = Ask { filters: vec![filter.clone()], ..Ask::by(&[]) };
            let rows = ask.of(&store).await.unwrap();
            let requests = rows.first().map_or(0, |row| row.figures.sums.get(Measure::Requests));
            assert_eq!(requests, expect, "{filter:?}");
        }
        // Of few values, by key and by day: what is read is named one by one, and comes to the same.
        let users = || vec![only(facet("user"), &["user-0", "user-1"], true)];
        let is_one = |call: &GenerationRecord, key: &str| {
            call.key.as_str() == key && ["user-0", "user-1"].contains(&call.user.as_deref().unwrap())
        };
        let by_key = Ask { hours: false, filters: users(), ..Ask::by(&[By::Key]) }.of(&store).await.unwrap();
        let found: Vec<(&str, &Figures)> = by_key.iter().map(|row| (row.groups[0].as_str(), &row.figures)).collect();
        let (a, b) = (together(&calls, |c| is_one(c, "key_a")), together(&calls, |c| is_one(c, "key_b")));
        assert_eq!(found, [("key_a", &a), ("key_b", &b)]);
        let by_day = Ask { hours: false, split: true, filters: users(), ..Ask::by(&[]) }.of(&store).await.unwrap();
        assert_eq!(by_day.iter().map(|row| row.figures.sums.get(Measure::Requests)).sum::<i64>(), 18);
        let of_key = Ask { hours: false, filters: users(), key: Some(KeyId::new("key_b")), ..Ask::by(&[]) };
        assert_eq!(of_key.of(&store).await.unwrap()[0].figures, b);
        for groups in [vec![facet("user"), By::Model], vec![facet("user"), facet("tag")]] {
            assert!(matches!(Ask::by(&groups).of(&store).await, Err(StoreError::Invalid(_))));
        }
    }

    async fn what_prompt_caches_saved_is_the_difference_in_price(store) {
        let sheet = PriceSheet::flat([
            (PriceKind::Input, Rate::parse_per_million("1").unwrap()),
            (PriceKind::CacheRead, Rate::parse_per_million("0.1").unwrap()),
            (PriceKind::CacheWrite, Rate::parse_per_million("1.25").unwrap()),
            (PriceKind::Output, Rate::parse_per_million("2").unwrap()),
        ]);
        let mut call = record(1);
        call.usage = Usage { input: 100, cache_read: 1_000, cache_write: 200, output: 10, requests: 1, ..Usage::default() };
        call.cost = sheet.cost(&call.usage, call.created).unwrap();
        (call.charged, call.provider_cost) = (call.cost.total, call.cost.total);
        call.price_version = types::price_version("mistral/small", &serde_json::to_string(&sheet).unwrap());
        call.price_sheet = Arc::new(sheet);
        // The second names its prices only, as most records of a journal do.
        let mut named = call.clone();
        named.id = record(2).id;
        named.price_sheet = Arc::default();
        fold(&store, "s1", 0, 10, &[call]).await.unwrap();
        fold(&store, "s1", 10, 20, &[named]).await.unwrap();
        let all = Ask::by(&[]).of(&store).await.unwrap();
        // 1,000 tokens at 0.9 less, 200 at 0.25 more, dollars per million.
        assert_eq!(all[0].figures.sums.get(Measure::Saved), 2 * (900_000 - 50_000));
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn a_facet_keeps_the_first_values_and_counts_the_others(store) {
        let count = VALUES_PER_DAY_MAX as u64 + 300;
        let mut calls: Vec<GenerationRecord> = (0..count).map(record).collect();
        for (n, call) in calls.iter_mut().enumerate() {
            call.user = Some(format!("user-{n:05}"));
            let name = format!("name-{:03}", n % (DIMENSIONS_MAX + 20));
            call.dimensions.insert(name, "x".to_owned());
        }
        for (n, chunk) in (0..).zip(calls.chunks(500)) {
            fold(&store, "s1", n, n + 1, chunk).await.unwrap();
        }
        for (hours, max) in [(true, VALUES_PER_HOUR_MAX), (false, VALUES_PER_DAY_MAX)] {
            let users = Ask { hours, ..Ask::by(&[facet("user")]) }.of(&store).await.unwrap();
            assert_eq!(users.len(), max + 1);
            let other = users.iter().find(|row| row.groups[0] == OTHER).unwrap();
            assert_eq!(other.figures.sums.get(Measure::Requests), (count as usize - max) as i64);
            let all: i64 = users.iter().map(|row| row.figures.sums.get(Measure::Charged)).sum();
            assert_eq!(all, calls.iter().map(|call| call.charged.nanos()).sum::<i64>());
            let others = Ask { hours, ..Ask::by(&[facet(OTHER)]) }.of(&store).await.unwrap();
            assert!(others[0].figures.sums.get(Measure::Requests) > 0, "dimensions beyond those that are kept");
        }
        assert_eq!(store.verify().await.unwrap().problems, []);
        let wrong = "UPDATE facet_hours SET requests = requests + 1 WHERE value = '(other)' AND facet = 'user'";
        assert_eq!(tamper(&store, wrong, &[]).await, 1);
        assert_eq!(store.verify().await.unwrap().problems[0].check, "facet_hours");
    }

    async fn corrections_reach_every_rollup(store) {
        owner(&store).await;
        grant(&store, "g1", 100_000_000).await.unwrap();
        let mut calls = calls(20);
        calls.iter_mut().for_each(|call| call.usage.cache_read = 0);
        for call in &mut calls {
            call.cost = call.price_sheet.cost(&call.usage, call.created).unwrap();
            (call.charged, call.provider_cost) = (call.cost.total, call.cost.total);
        }
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        let half = super::corrections::version("0.075", "0.30");
        super::corrections::rerate(&store, &half, true, false).await;
        let used = store.credits(&account("owner")).await.unwrap().used;
        for (groups, by_hour) in [
            (vec![], true), (vec![By::Model], true), (vec![facet("user")], true), (vec![facet("tag"), By::Key], false),
            (vec![facet("app")], true),
        ] {
            for hours in [by_hour, false] {
                let rows = Ask { hours, ..Ask::by(&groups) }.of(&store).await.unwrap();
                let charged: i64 = rows.iter().map(|row| row.figures.sums.get(Measure::Charged)).sum();
                assert_eq!(nanos(charged), used, "{groups:?}");
            }
        }
        let page = store.log(&account("owner"), &LogFilter::default(), None, 100).await.unwrap();
        let charged: Money = page.generations.iter().map(|one| one.record.charged.saturating_add(one.charged_corrected)).sum();
        assert_eq!((charged, page.generations.len()), (used, 20));
        let totals = store.log_totals(&account("owner"), None, (LogText::Session, "session-0")).await.unwrap();
        assert_eq!((totals.requests, totals.charged), (4, page.generations[16..].iter().map(|one| one.record.charged.saturating_add(one.charged_corrected)).sum()));
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn pages_of_the_log_are_all_that_match_once(store) {
        let calls = calls(120);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        let me = account("owner");
        let said = |good: bool| serde_json::json!({"score": if good { 1 } else { 0 }}).as_object().unwrap().clone();
        store.merge_feedback(&calls[3].id, &me, said(true), Some(1_000), NOW).await.unwrap();
        store.merge_feedback(&calls[4].id, &me, said(false), Some(0), NOW).await.unwrap();
        let text = |text: LogText, value: &str| LogFilter { texts: vec![(text, value.to_owned())], ..LogFilter::default() };
        let number = |number, least, most| LogFilter { numbers: vec![(number, least, most)], ..LogFilter::default() };
        let heard = |said| LogFilter { feedback: Some(said), ..LogFilter::default() };
        let rows = [
            (LogFilter::default(), 120),
            (LogFilter { from: Some(calls[10].created), to: Some(calls[20].created), ..LogFilter::default() }, 10),
            (text(LogText::Model, "author/model-1"), 40),
            (text(LogText::Key, "key_b"), 40),
            (text(LogText::Status, "failed"), 12),
            (text(LogText::Error, "timeout"), 12),
            (text(LogText::FinishReason, "stop"), 120),
            (text(LogText::Session, "session-3"), 4),
            (text(LogText::Trace, "trace-3"), 2),
            (text(LogText::User, "user-6"), 17),
            (text(LogText::Tag, "t1"), 60),
            (text(LogText::Tag, "t"), 0),
            (text(LogText::App, "An app"), 120),
            (number(LogNumber::Duration, Some(1_500_000), Some(1_600_000)), 11),
            (number(LogNumber::OutputTokens, Some(39), None), 3),
            (heard(Said::Something), 2),
            (heard(Said::Nothing), 118),
            (heard(Said::Good), 1),
            (heard(Said::Bad), 1),
        ];
        for (filter, expect) in rows {
            let (mut found, mut cursor): (Vec<GenerationRecord>, Option<LogCursor>) = (Vec::new(), None);
            loop {
                let page = store.log(&me, &filter, cursor.as_ref(), 7).await.unwrap();
                found.extend(page.generations.into_iter().map(|one| one.record));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found.len(), expect, "{filter:?}");
            assert!(found.windows(2).all(|pair| pair[0].created > pair[1].created), "{filter:?}");
        }
        let one = text(LogText::Session, "session-0");
        assert!(store.log(&account("other"), &one, None, 10).await.unwrap().generations.is_empty());
        let page = store.log(&me, &heard(Said::Good), None, 10).await.unwrap();
        assert_eq!(page.generations[0].feedback["score"], 1);
        let mut onward: Vec<GenerationRecord> = Vec::new();
        let span = (calls[0].created, calls[119].created);
        loop {
            let last = onward.last().map(|call| LogCursor { created: call.created, id: call.id });
            let page = store.log_onward(&me, None, span, last.as_ref()).await.unwrap();
            if page.is_empty() {
                break;
            }
            onward.extend(page.into_iter().map(|one| one.record));
        }
        let ids: Vec<GenerationId> = onward.iter().map(|call| call.id).collect();
        assert_eq!(ids, calls[..119].iter().map(|call| call.id).collect::<Vec<_>>());
    }

    async fn what_was_folded_before_is_counted_when_the_store_is_opened(store, url) {
        let calls = calls(1_100);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        let before = Ask::by(&[facet("user")]).of(&store).await.unwrap();
        // As an older version left it: no rollups but that of days, and that without the newer columns.
        for sql in [
            "DELETE FROM activity_hours",
            "DELETE FROM facet_hours",
            "DELETE FROM facet_days",
            "DELETE FROM generation_log",
            "UPDATE books_state SET number = 0, text = '' WHERE name IN ('insight', 'parts')",
            "UPDATE activity_days SET cancelled = 0, truncated = 0, cached_answers = 0, byok_requests = 0, provider_cost = 0,
                byok_fees = 0, saved = 0, ttft_us = 0, ttft_count = 0, duration_us = 0, speed_tokens = 0, speed_us = 0,
                streamed = 0, embeddings = 0, image_calls = 0, speech_calls = 0, transcriptions = 0, reranks = 0,
                ttft_sketch = '', duration_sketch = '', speed_sketch = ''",
        ] {
            assert!(tamper(&store, sql, &[]).await > 0);
        }
        let checks: Vec<_> = store.verify().await.unwrap().problems.iter().map(|p| p.check).collect();
        assert!(checks.contains(&"insight_unfinished") && checks.contains(&"generation_log"), "{checks:?}");
        store.close().await;
        let store = Store::open(&url).await.unwrap();
        assert_eq!(Ask::by(&[facet("user")]).of(&store).await.unwrap(), before);
        assert_eq!(store.verify().await.unwrap().problems, []);
        fold(&store, "s1", 10, 20, &calls[..3]).await.unwrap();
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn parts_of_what_was_counted_before_are_counted_when_the_store_is_opened(store, url) {
        fold(&store, "s1", 0, 10, &calls(1_100)).await.unwrap();
        let asked = [Ask::by(&[By::Model]), Ask { hours: false, split: true, ..Ask::by(&[By::Key]) }, Ask::by(&[])];
        let mut before = Vec::new();
        for ask in &asked {
            before.push(ask.of(&store).await.unwrap());
        }
        for sql in [
            "DELETE FROM facet_days WHERE facet IN ('all', 'key', 'model', 'provider')",
            "DELETE FROM facet_hours WHERE facet IN ('all', 'key', 'model', 'provider')",
        ] {
            assert!(tamper(&store, sql, &[]).await > 0);
        }
        assert!(!store.verify().await.unwrap().problems.is_empty());
        tamper(&store, "UPDATE books_state SET number = 0, text = '' WHERE name = 'parts'", &[]).await;
        // A try that ends half-way: the next goes on where it ended.
        assert!(store.part_some().await.unwrap());
        assert!(store.part_some().await.unwrap());
        store.close().await;
        let store = Store::open(&url).await.unwrap();
        for (ask, before) in asked.iter().zip(&before) {
            assert_eq!(ask.of(&store).await.unwrap(), *before);
        }
        assert_eq!(store.verify().await.unwrap().problems, []);
    }
}

/// SQLite's planner knows nothing of what is in the tables but what a schema step told it; Postgres looks at them itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_found_by_its_index_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tollway.db").display());
    let store = Store::open(&url).await.unwrap();
    for name in ["session", "trace", "end_user"] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT l.* FROM generation_log l WHERE l.account = '{}' AND l.{name} = 'b' AND l.{name} <> ''
             ORDER BY l.created DESC, l.id DESC LIMIT 50",
            account("owner")
        );
        let plan: Vec<(i64, i64, i64, String)> = store.db.fetch_built(sql, &[]).await.unwrap();
        assert!(
            plan.iter().any(|step| step.3.contains("USING INDEX generation_log_by_")),
            "{name}: {plan:?}"
        );
        assert!(!plan.iter().any(|step| step.3.contains("TEMP B-TREE")), "{name}: {plan:?}");
    }
    let sql = String::from(
        "EXPLAIN QUERY PLAN SELECT l.* FROM generation_log l WHERE l.account = 'a' ORDER BY l.created DESC, l.id DESC LIMIT 50",
    );
    let plan: Vec<(i64, i64, i64, String)> = store.db.fetch_built(sql, &[]).await.unwrap();
    assert!(plan.iter().all(|step| step.3.contains("USING PRIMARY KEY")), "{plan:?}");
}
