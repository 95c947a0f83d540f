use ledger::{App, Attempt, Routed, Status};

use super::*;
use crate::{
    APPS_PER_DAY_MAX, CacheUseRow, EarnedBy, EarnedRow, OTHER, PublicDefault, Tally, TrafficBy,
    TrafficQuestion, TrafficRow,
};

const HOUR: i64 = 3_600_000_000;

/// Calls of three accounts, two models and two apps, one every six hours; every fifth failed at its first provider.
fn calls(count: u64) -> Vec<GenerationRecord> {
    (0..count).map(call).collect()
}

fn call(n: u64) -> GenerationRecord {
    let mut call = record(n % 40);
    call.created = Timestamp(NOW.micros() + i64::try_from(n).unwrap() * HOUR * 6);
    call.id = GenerationId::new(call.created, u128::from(n) * 1_000_003);
    call.account = account(["owner", "two", "three"][usize::try_from(n % 3).unwrap()]);
    call.key = KeyId::new(format!("key_{}", n % 3));
    call.model = format!("author/model-{}", n % 2);
    let referer = Some("https://owl.example.com/private?token=1".to_owned());
    let title = n.is_multiple_of(2).then(|| "Night Owl".to_owned());
    call.app = Some(App { title, referer });
    call.streamed = true;
    let answer = Attempt {
        endpoint: "mistral/small".to_owned(),
        status: 200,
        first_byte_us: Some(300),
        outcome: "ok".to_owned(),
        ..Attempt::default()
    };
    let failed = Attempt {
        endpoint: "venice/small".to_owned(),
        status: 503,
        outcome: "http_503".to_owned(),
        ..Attempt::default()
    };
    call.attempts = if n % 5 == 4 { vec![failed, answer] } else { vec![answer] };
    if n % 4 == 3 {
        call.routed = Some(Routed { task: "code".to_owned(), ..Routed::default() });
    }
    if n % 10 == 9 {
        call.status = Status::Failed;
        call.attempts.truncate(1);
    }
    call
}

fn everything(by: TrafficBy) -> TrafficQuestion<'static> {
    TrafficQuestion { from: 0, to: i64::MAX, by, model: None, apps: &[], keys: PublicDefault::Counted }
}

fn requests(rows: &[TrafficRow], value: &str) -> i64 {
    rows.iter().filter(|row| row.value == value).map(|row| row.sums.requests).sum()
}

async fn accounts(store: &Store) {
    for name in ["owner", "two", "three"] {
        store.ensure_account(&account(name), name, NOW).await.unwrap();
    }
}

both! {
    async fn use_of_all_accounts_is_that_of_the_records(store) {
        accounts(&store).await;
        let calls = calls(60);
        fold(&store, "s1", 0, 10, &calls[..40]).await.unwrap();
        fold(&store, "s1", 10, 20, &calls[30..]).await.unwrap();
        assert_eq!(store.verify().await.unwrap().problems, []);

        let models = store.traffic(&everything(TrafficBy::Model)).await.unwrap();
        assert_eq!((requests(&models, "author/model-0"), requests(&models, "author/model-1")), (30, 30));
        let charged: i64 = models.iter().map(|row| row.sums.charged).sum();
        assert_eq!(charged, calls.iter().map(|call| call.charged.nanos()).sum::<i64>());
        let output: i64 = models.iter().map(|row| row.sums.output).sum();
        assert_eq!(output, calls.iter().map(|call| call.usage.output).sum::<u64>().cast_signed());
        assert_eq!(models.iter().map(|row| row.sums.failed).sum::<i64>(), 6);

        let apps = store.traffic(&everything(TrafficBy::App)).await.unwrap();
        assert_eq!((requests(&apps, "Night Owl"), requests(&apps, "owl.example.com")), (30, 30));
        let tasks = store.traffic(&everything(TrafficBy::Task)).await.unwrap();
        assert_eq!((requests(&tasks, "code"), requests(&tasks, "")), (15, 45));

        let owl = ["Night Owl".to_owned()];
        let of_app = TrafficQuestion { apps: &owl, ..everything(TrafficBy::Model) };
        let of_app = store.traffic(&of_app).await.unwrap();
        assert_eq!((requests(&of_app, "author/model-0"), requests(&of_app, "author/model-1")), (30, 0));
        let of_model = TrafficQuestion { model: Some("author/model-1"), ..everything(TrafficBy::App) };
        assert_eq!(requests(&store.traffic(&of_model).await.unwrap(), "Night Owl"), 0);
        let first = TrafficQuestion { from: NOW.day(), to: NOW.day() + 1, ..everything(TrafficBy::Model) };
        let first = store.traffic(&first).await.unwrap();
        let expect = calls.iter().filter(|call| call.created.day() == NOW.day()).count();
        assert_eq!(first.iter().map(|row| row.sums.requests).sum::<i64>(), i64::try_from(expect).unwrap());
    }

    async fn what_was_read_from_caches_is_told_by_provider(store) {
        accounts(&store).await;
        let mut calls = calls(30);
        for (read, call) in (0..7).cycle().zip(&mut calls) {
            call.usage.cache_read = read;
        }
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        let cached = store.cache_use(0, PublicDefault::Counted).await.unwrap();
        let whole = |usage: &types::Usage| usage.input + usage.cache_read + usage.cache_write + usage.cache_write_1h;
        let (input, read): (u64, u64) =
            calls.iter().fold((0, 0), |(input, read), call| (input + whole(&call.usage), read + call.usage.cache_read));
        let sum = |of: fn(&CacheUseRow) -> i64| cached.iter().map(of).sum::<i64>().unsigned_abs();
        assert!(read > 0 && input > read, "{read} of {input}");
        assert_eq!((sum(|row| row.requests), sum(|row| row.input), sum(|row| row.cache_read)), (30, input, read));
        let models: std::collections::BTreeSet<&str> = cached.iter().map(|row| row.model.as_str()).collect();
        assert_eq!(models.into_iter().collect::<Vec<_>>(), ["author/model-0", "author/model-1"]);
        assert_eq!(store.cache_use(i64::MAX, PublicDefault::Counted).await.unwrap(), []);
    }

    async fn a_key_that_stays_out_is_in_no_answer(store) {
        accounts(&store).await;
        let rules = [r#"{"public_stats":false}"#, r#"{"tags":["\"public_stats\":false"]}"#, r#"{"public_stats":true}"#];
        for (n, rules) in rules.into_iter().enumerate() {
            let name = ["owner", "two", "three"][n];
            let key = NewKey { account: account(name), rules: rules.to_owned(), ..new_key(&n.to_string()) };
            store.insert_key(&key).await.unwrap();
        }
        fold(&store, "s1", 0, 10, &calls(30)).await.unwrap();
        let of = |rows: Vec<TrafficRow>| {
            let all: std::collections::BTreeSet<String> = rows.into_iter().map(|row| row.account).collect();
            all.into_iter().collect::<Vec<_>>()
        };
        for (keys, expect) in
            [(PublicDefault::Counted, &["acct_three", "acct_two"][..]), (PublicDefault::LeftOut, &["acct_three"])]
        {
            let rows = store.cache_use(0, keys).await.unwrap();
            let all: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.account.as_str()).collect();
            assert_eq!(all.into_iter().collect::<Vec<_>>(), expect);
        }
        for by in [TrafficBy::Model, TrafficBy::App, TrafficBy::Task] {
            let counted = store.traffic(&everything(by)).await.unwrap();
            assert_eq!(of(counted), ["acct_three", "acct_two"], "a tag that looks like the rule is none");
            let asked = TrafficQuestion { keys: PublicDefault::LeftOut, ..everything(by) };
            assert_eq!(of(store.traffic(&asked).await.unwrap()), ["acct_three"]);
        }
    }

    async fn an_account_keeps_so_many_apps_a_day(store) {
        accounts(&store).await;
        let count = u64::try_from(APPS_PER_DAY_MAX).unwrap() + 20;
        let many = |from: u64, to: u64| -> Vec<GenerationRecord> {
            (from..to).map(|n| GenerationRecord {
                id: GenerationId::new(NOW, u128::from(n)),
                created: NOW,
                app: Some(App { title: Some(format!("App {n:04}")), referer: None }),
                ..call(0)
            }).collect()
        };
        fold(&store, "s1", 0, 10, &many(0, count / 2)).await.unwrap();
        fold(&store, "s1", 10, 20, &many(count / 2, count)).await.unwrap();
        let apps = store.traffic(&everything(TrafficBy::App)).await.unwrap();
        assert_eq!((apps.len(), requests(&apps, OTHER)), (APPS_PER_DAY_MAX + 1, 20));
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn attempts_are_told_by_hour_and_day(store) {
        accounts(&store).await;
        let mut calls = calls(40);
        let own = Attempt { byok_key: Some("byok_1".to_owned()), status: 503, outcome: "http_503".to_owned(), ..calls[0].attempts[0].clone() };
        calls[0].attempts.push(own);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        assert_eq!(store.verify().await.unwrap().problems, []);
        let days = store.attempts_by_day(0).await.unwrap();
        let sum = |endpoint: &str| {
            let mut all = Tally::default();
            days.iter().filter(|row| row.endpoint == endpoint).for_each(|row| all.add(&row.tally));
            all
        };
        assert_eq!(sum("mistral/small"), Tally { answered: 36, ttft_us: 36 * 300, ttft_count: 36, ..Tally::default() });
        assert_eq!(sum("venice/small"), Tally { errors: 8, ..Tally::default() });
        let hour = NOW.micros() / HOUR;
        assert_eq!(store.attempts_by_hour(hour + 6).await.unwrap().len(), 35 + 8);
        assert_eq!(store.failing_hours(hour + 30, 1, 50).await.unwrap().len(), 7, "those of the first day are before it");
        assert_eq!(store.failing_hours(0, 2, 50).await.unwrap(), [], "no hour has two of them");

        let wrong = "UPDATE endpoint_hours SET errors = 0, answered = 1 WHERE endpoint = 'venice/small' AND hour = $1";
        assert_eq!(tamper(&store, wrong, &[(hour + 24).into()]).await, 1);
        let problems = store.verify().await.unwrap().problems;
        assert_eq!((problems.len(), problems[0].check), (1, "endpoint_hours"), "{problems:?}");
    }

    async fn what_was_folded_before_is_counted_once(store, url) {
        accounts(&store).await;
        fold(&store, "s1", 0, 10, &calls(30)).await.unwrap();
        let before = store.traffic(&everything(TrafficBy::App)).await.unwrap();
        for sql in [
            "DELETE FROM traffic_days",
            "DELETE FROM endpoint_hours",
            "UPDATE books_state SET number = 0, text = '' WHERE name = 'traffic'",
        ] {
            tamper(&store, sql, &[]).await;
        }
        let problems = store.verify().await.unwrap().problems;
        assert!(problems.iter().any(|problem| problem.check == "traffic_unfinished"), "{problems:?}");
        store.close().await;
        for _ in 0..2 {
            let again = Store::open(&url).await.unwrap();
            assert_eq!(again.traffic(&everything(TrafficBy::App)).await.unwrap(), before);
            assert_eq!(again.verify().await.unwrap().problems, []);
            again.close().await;
        }
    }
}

both! {
    async fn what_was_earned_is_what_was_charged_less_what_providers_take(store) {
        accounts(&store).await;
        let calls = calls(60);
        fold(&store, "s1", 0, 10, &calls).await.unwrap();
        for by in [EarnedBy::Model, EarnedBy::Provider, EarnedBy::Account] {
            let rows = store.earned(by, 0, i64::MAX).await.unwrap();
            let total = rows.iter().fold(EarnedRow::default(), |sum, row| sum.plus(row));
            let charged: i64 = calls.iter().map(|call| call.charged.nanos()).sum();
            let taken: i64 = calls.iter().map(|call| call.provider_cost.nanos()).sum();
            assert_eq!((total.requests, total.charged.nanos(), total.provider_cost.nanos()), (60, charged, taken), "{by:?}");
            assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.charged)));
        }
        assert_eq!(store.earned(EarnedBy::Account, 0, i64::MAX).await.unwrap().len(), 3);
        let first = NOW.day();
        let of_first: i64 = calls.iter().filter(|call| call.created.day() == first).count().try_into().unwrap();
        let rows = store.earned(EarnedBy::Provider, first, first + 1).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.requests).sum::<i64>(), of_first);
    }
}
