use ledger::Percent;
use proptest::prelude::*;
use types::UtcMinute;

use super::*;

const NOON: Timestamp = Timestamp::from_seconds(43_200);

fn rate(text: &str) -> Rate {
    Rate::parse_per_million(text).unwrap()
}

fn small() -> PriceSheet {
    PriceSheet::flat([
        (PriceKind::Input, rate("0.15")),
        (PriceKind::CacheRead, rate("0.015")),
        (PriceKind::Output, rate("0.60")),
    ])
}

fn terms(markup: u32, discount: u32) -> Terms {
    Terms { markup: Percent::from_ppm(markup).unwrap(), discount: Percent::from_ppm(discount).unwrap() }
}

#[test]
fn the_examples_of_a_known_price() {
    let rows: Vec<(String, String, u64, String)> = examples(&small(), Terms::default(), NOON)
        .into_iter()
        .map(|row| (row.input.short, row.output.short, row.calls, row.cost.short))
        .collect();
    let row = |a: &str, b: &str, calls, c: &str| (a.to_owned(), b.to_owned(), calls, c.to_owned());
    // 0.1 x 0.15 + 0.01 x 0.60 = 0.021.
    assert_eq!(
        rows,
        [row("100K", "10K", 10, "$0.021"), row("1M", "100K", 100, "$0.21"), row("10M", "1M", 1_000, "$2.10")]
    );
    assert!(examples(&PriceSheet::default(), Terms::default(), NOON).is_empty());
}

#[test]
fn a_month_is_thirty_days_of_single_charges() {
    let workload =
        Workload { input: 1_500, cached_percent: 50, output: 400, requests: 1_000, ..Workload::default() };
    let got = estimate(&small(), Terms::default(), &workload, NOON).unwrap();
    // 750 x 150 + 750 x 15 + 400 x 600 nano = 363,750.
    assert_eq!((got.request.total.nanos(), got.month.nanos()), (363_750, 363_750 * 30_000));
    let marked = estimate(&small(), terms(50_000, 0), &workload, NOON).unwrap();
    assert_eq!((marked.request.cost.nanos(), marked.request.total.nanos()), (363_750, 381_938));
    let month = Workload { per: Per::Month, ..workload };
    assert_eq!(estimate(&small(), Terms::default(), &month, NOON).unwrap().month.nanos(), 363_750_000);
    let endless = Workload { requests: u64::MAX, ..workload };
    assert_eq!(estimate(&small(), Terms::default(), &endless, NOON).unwrap().month, Money::MAX);
}

#[test]
fn results_explain_themselves() {
    let mut sheet = small();
    sheet.overrides.push(Override {
        above_input_tokens: Some(200_000),
        utc_window: None,
        quotes: vec![(PriceKind::Input, Quote::Known(rate("0.30")))],
    });
    sheet.overrides.push(Override {
        above_input_tokens: None,
        utc_window: UtcMinute::parse("16:30").zip(UtcMinute::parse("00:30")),
        quotes: vec![(PriceKind::Output, Quote::Known(rate("0.30")))],
    });
    let workload = Workload { input: 200_001, output: 10, reasoning: 5, images: 1, ..Workload::default() };
    let got = estimate(&sheet, Terms::default(), &workload, NOON).unwrap();
    assert_eq!(got.conditions, ["above 200,000 input tokens"]);
    assert_eq!(got.uncharged, [PriceKind::Images]);
    let lines: Vec<_> =
        got.lines.iter().map(|line| (line.kind, line.units, line.amount, line.covers.as_slice())).collect();
    let output = [PriceKind::Output, PriceKind::Reasoning];
    assert_eq!(
        lines,
        [
            (PriceKind::Input, 200_001, Money::from_nanos(60_000_300), &[PriceKind::Input][..]),
            (PriceKind::Output, 15, Money::from_nanos(9_000), &output[..]),
        ]
    );
    let night = estimate(&sheet, Terms::default(), &workload, Timestamp::from_seconds(0)).unwrap();
    assert_eq!(night.conditions, ["above 200,000 input tokens", "from 16:30 to 00:30 UTC"]);
    let below = Workload { input: 200_000, ..workload };
    assert!(estimate(&sheet, Terms::default(), &below, NOON).unwrap().conditions.is_empty());
}

#[test]
fn what_has_no_price_is_never_free() {
    let images = Workload { images: 1, ..Workload::default() };
    let ask = |sheet: &PriceSheet, workload: &Workload| estimate(sheet, Terms::default(), workload, NOON);
    assert_eq!(ask(&small(), &images), Err(Missing::NotBilled));
    assert_eq!(ask(&PriceSheet::default(), &images), Err(Missing::NotBilled));
    let text = Workload { input: 1, ..Workload::default() };
    assert_eq!(ask(&PriceSheet::default(), &text), Err(Missing::Price(PriceKind::Input)));
    let unknown = PriceSheet { quotes: vec![(PriceKind::Input, Quote::Unknown)], overrides: vec![] };
    assert_eq!(ask(&unknown, &text), Err(Missing::Price(PriceKind::Input)));
    assert_eq!(
        Missing::Price(PriceKind::CacheWrite1h).text(),
        "the price for cache write, 1 hour is unknown"
    );
    let free = PriceSheet::flat([(PriceKind::Input, Rate::FREE), (PriceKind::Output, Rate::FREE)]);
    assert_eq!(ask(&free, &text).unwrap().month, Money::ZERO);
    assert_eq!(ask(&free, &Workload::default()).unwrap().month, Money::ZERO);
}

#[test]
fn presets_are_readable_by_their_names() {
    for preset in PRESETS {
        let asked = read(&format!("preset={}", preset.slug));
        assert_eq!((asked.workload, asked.preset, asked.problems.len()), (preset.workload, Some(preset), 0));
    }
    assert_eq!(read("").preset, PRESETS.first());
    assert_eq!(read("?utm_source=x&m=a/b").preset, PRESETS.first());
    let changed = read("preset=agent&out=9");
    assert_eq!((changed.workload.output, changed.workload.input, changed.preset), (9, 60_000, None));
    assert_eq!(read("in=7").workload, Workload { input: 7, ..Workload::default() });
}

#[test]
fn numbers_are_read_as_people_write_them() {
    let rows = [
        ("1500", Some(1_500)),
        ("1,500", Some(1_500)),
        ("1_500", Some(1_500)),
        ("1%C2%A0500", Some(1_500)),
        ("1.5k", Some(1_500)),
        ("2M", Some(2_000_000)),
        ("0.0000010m", Some(1)),
        ("1000000000", Some(1_000_000_000)),
        ("+5", Some(5)),
        ("1.0", Some(1)),
        ("1000000001", None),
        ("99999999999999999999", None),
        ("-1", None),
        ("1.5", None),
        ("1.2345k", None),
        ("1e3", None),
        ("0x10", None),
        ("k", None),
        (".5k", None),
        ("1.5.5k", None),
        ("NaN", None),
        ("%D9%A1", None),
        ("%00", None),
        ("1%F0%9F%98%80", None),
        ("<script>", None),
    ];
    for (text, expect) in rows {
        let asked = read(&format!("in={text}&n=1"));
        assert_eq!(asked.problems.is_empty(), expect.is_some(), "{text}: {:?}", asked.problems);
        assert_eq!(asked.workload.input, expect.unwrap_or(0), "{text}");
    }
    let asked = read("in=lots&cached=101&per=year&preset=x&n=1&m=a%20b&m=<b>&m=&out=");
    let told: Vec<&str> = asked.problems.iter().map(|problem| problem.field).collect();
    assert_eq!(told, ["preset", "in", "cached", "per", "m", "m"]);
    assert_eq!(
        asked.problems[1].message,
        "input tokens per request: write a whole number from 0 to 1,000,000,000, such as 1500, 1.5k or 2M"
    );
    assert!(asked.problems[2].message.contains("from 0 to 100"));
    let many = read(&"m=a/x&m=a/1&m=a/2&m=a/3&m=a/4&m=a/5&m=a/6&m=a/x".replace("a/x", "a/0"));
    assert_eq!((many.models.len(), many.problems.len()), (6, 1));
    assert!(many.problems[0].message.contains("at most 6 models"));
    assert_eq!(read(&format!("in={}", "9".repeat(100_000))).problems[0].given.len(), 40);
}

fn quotes() -> impl Strategy<Value = PriceSheet> {
    let quotes = || {
        prop::collection::btree_map(0..PriceKind::ALL.len(), prop::option::of(0_i64..90_000_000_000), 0..9)
    };
    let change = (
        prop::option::of(0_u64..400_000),
        prop::option::of(("0[0-9]:[0-5][0-9]", "1[0-9]:[0-5][0-9]")),
        quotes(),
    );
    (quotes(), prop::collection::vec(change, 0..4)).prop_map(|(base, changes)| {
        let read = |map: std::collections::BTreeMap<usize, Option<i64>>| {
            let quote = |(at, nanos): (usize, Option<i64>)| {
                let rate = nanos.and_then(Rate::from_nanos_per_million);
                (PriceKind::ALL[at], rate.map_or(Quote::Unknown, Quote::Known))
            };
            map.into_iter().map(quote).collect::<Vec<_>>()
        };
        let overrides = changes.into_iter().map(|(above_input_tokens, window, map)| Override {
            above_input_tokens,
            utc_window: window.and_then(|(from, to)| UtcMinute::parse(&from).zip(UtcMinute::parse(&to))),
            quotes: read(map),
        });
        PriceSheet { quotes: read(base), overrides: overrides.collect() }
    })
}

fn workloads() -> impl Strategy<Value = Workload> {
    (prop::array::uniform8(0_u64..=NUMBERS), 0_u64..=100, any::<bool>()).prop_map(
        |(numbers, cached_percent, is_day)| {
            let [input, output, reasoning, images, audio_seconds, characters, searches, requests] = numbers;
            let per = if is_day { Per::Day } else { Per::Month };
            Workload {
                input,
                output,
                cached_percent,
                reasoning,
                images,
                audio_seconds,
                characters,
                searches,
                requests,
                per,
            }
        },
    )
}

const NUMBERS: u64 = 500_000;

proptest! {
    /// Whatever the sheet and the workload: the estimate is what the formula of billing charges, and nothing is free
    /// for want of a price.
    #[test]
    fn an_estimate_is_the_bill(
        sheet in quotes(), workload in workloads(), markup in 0_u32..500_000, discount in 0_u32..=1_000_000,
        minute in 0_i64..1_440,
    ) {
        let (terms, at) = (terms(markup, discount), Timestamp::from_seconds(minute * 60));
        let usage = workload.usage();
        prop_assert_eq!(usage.input_total(), workload.input);
        match (estimate(&sheet, terms, &workload, at), sheet.cost(&usage, at)) {
            (Ok(got), Ok(cost)) => {
                prop_assert_eq!(got.request, terms.charge(cost.total));
                let month = i128::from(got.request.total.nanos()) * i128::from(workload.per_month());
                prop_assert_eq!(i128::from(got.month.nanos()), month.min(i128::from(i64::MAX)));
                let lines: Money = got.lines.iter().map(|line| line.amount).sum();
                prop_assert_eq!(lines, cost.total);
                for line in &got.lines {
                    let covered: u64 = line.covers.iter().map(|kind| kind.units(&usage)).sum();
                    prop_assert_eq!(covered, line.units);
                }
                let told: usize = got.lines.iter().map(|line| line.covers.len()).sum::<usize>() + got.uncharged.len();
                let used = PriceKind::ALL.iter().filter(|kind| kind.units(&usage) > 0);
                let by_request = usize::from(got.lines.iter().any(|line| line.covers.contains(&PriceKind::Requests)));
                prop_assert_eq!(told, used.count() - 1 + by_request);
            }
            (Err(Missing::Price(kind)), Err(types::CostError::UnknownPrice(same))) => prop_assert_eq!(kind, same),
            (Err(Missing::NotBilled), Ok(cost)) => prop_assert_eq!((cost.lines.len(), cost.total), (0, Money::ZERO)),
            (got, billed) => prop_assert!(false, "{:?} against {:?}", got, billed),
        }
    }

    #[test]
    fn an_address_reads_back(workload in workloads(), models in prop::collection::btree_set("[a-z]{1,9}/[a-z0-9.-]{1,9}", 0..6)) {
        let models: Vec<&str> = models.iter().map(String::as_str).collect();
        let asked = read(&write(&workload, &models));
        prop_assert_eq!(asked.workload, workload);
        prop_assert_eq!(asked.models, models);
        prop_assert!(asked.problems.is_empty());
    }

    #[test]
    fn no_address_breaks_it(query in "\\PC*|([a-z]{1,9}=[^&]{0,9}&){0,9}") {
        let asked = read(&query);
        prop_assert!(asked.models.len() <= MODELS_MAX && asked.workload.cached_percent <= 100);
    }
}
