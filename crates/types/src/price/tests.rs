use super::*;
use proptest::prelude::*;

fn rate(text: &str) -> Rate {
    Rate::parse_per_million(text).unwrap()
}

fn sheet() -> PriceSheet {
    let mut sheet = PriceSheet::flat([
        (PriceKind::Input, rate("0.15")),
        (PriceKind::CacheRead, rate("0.015")),
        (PriceKind::Output, rate("0.60")),
    ]);
    sheet.overrides.push(Override {
        above_input_tokens: Some(200_000),
        utc_window: None,
        quotes: vec![(PriceKind::Input, Quote::Known(rate("0.30")))],
    });
    sheet.overrides.push(Override {
        above_input_tokens: None,
        utc_window: UtcMinute::parse("23:30").zip(UtcMinute::parse("00:30")),
        quotes: vec![(PriceKind::Output, Quote::Known(rate("0.30")))],
    });
    sheet
}

const NOON: Timestamp = Timestamp::from_seconds(43_200);

#[test]
fn one_rounding_up_per_kind_of_price() {
    let usage = Usage { input: 7, cache_read: 1, output: 3, reasoning: 4, requests: 1, ..Usage::default() };
    let cost = sheet().cost(&usage, NOON).unwrap();
    let lines: Vec<_> = cost.lines.iter().map(|l| (l.kind, l.units, l.amount.nanos())).collect();
    // 7 x 150 = 1050 nano; 1 x 15 = 15; (3 + 4) x 600 = 4200.
    let expect = [(PriceKind::Input, 7, 1050), (PriceKind::CacheRead, 1, 15), (PriceKind::Output, 7, 4200)];
    assert_eq!(lines, expect);
    assert_eq!(cost.total.to_string(), "0.000005265");
    assert_eq!((cost.input().nanos(), cost.output().nanos()), (1065, 4200));
}

#[test]
fn fractions_of_a_nano_round_up() {
    let sheet = PriceSheet::flat([(PriceKind::Input, rate("0.0001")), (PriceKind::Output, rate("0"))]);
    let usage = Usage { input: 1, output: 9, ..Usage::default() };
    assert_eq!(sheet.cost(&usage, NOON).unwrap().total.nanos(), 1);
}

#[test]
fn tiers_are_cliffs_on_total_input() {
    let at = |cached| Usage { input: 150_000, cache_read: cached, ..Usage::default() };
    let input = |usage: &Usage| sheet().cost(usage, NOON).unwrap().lines[0].rate.per_million();
    assert_eq!(input(&at(50_000)), "0.15");
    assert_eq!(input(&at(50_001)), "0.3");
}

#[test]
fn windows_wrap_midnight_and_end_exclusively() {
    let rows = [("23:29", "0.6"), ("23:30", "0.3"), ("00:29", "0.3"), ("00:30", "0.6")];
    for (time, expect) in rows {
        let at = Timestamp::from_seconds(i64::from(UtcMinute::parse(time).unwrap().minute()) * 60);
        let cost = sheet().cost(&Usage { output: 1, ..Usage::default() }, at).unwrap();
        assert_eq!(cost.lines[0].rate.per_million(), expect, "{time}");
    }
}

#[test]
fn unknown_zero_and_absent_are_three_things() {
    let mut sheet = PriceSheet::flat([(PriceKind::Input, Rate::FREE), (PriceKind::Output, Rate::FREE)]);
    assert!(sheet.bills(Task::Generate));
    let usage = Usage { reasoning: 5, ..Usage::default() };
    assert_eq!(sheet.cost(&usage, NOON).unwrap().total, Money::ZERO);
    sheet.quotes.push((PriceKind::Reasoning, Quote::Unknown));
    assert!(!sheet.bills(Task::Generate));
    assert_eq!(sheet.cost(&usage, NOON), Err(CostError::UnknownPrice(PriceKind::Reasoning)));
    assert!(!PriceSheet::default().bills(Task::Generate));
    let text = Usage { input: 1, ..Usage::default() };
    assert_eq!(PriceSheet::default().cost(&text, NOON), Err(CostError::UnknownPrice(PriceKind::Input)));
}

#[test]
fn rates_are_read_and_shown_exactly() {
    assert_eq!(rate("0.15").per_unit(), "0.00000015");
    assert_eq!(Rate::parse_per_unit("0.01").unwrap().times(1).to_string(), "0.01");
    assert!(Rate::parse_per_million("-1").is_err());
    assert_eq!(rate("15").per_million(), "15");
}

proptest! {
    /// The formula against exact rational arithmetic, and never below it.
    #[test]
    fn times_is_the_exact_product_rounded_up(nanos in 0i64..4_000_000_000_000, units in 0u64..20_000_000) {
        let got = i128::from(Rate(nanos).times(units).nanos()) * 1_000_000;
        let exact = i128::from(nanos) * i128::from(units);
        prop_assert!(got >= exact && got - exact < 1_000_000);
    }

    /// No usage and no sheet makes the formula panic or give a negative amount.
    #[test]
    fn cost_is_total(input: u64, cached: u64, output: u64, reasoning: u64, nanos in 0i64..) {
        let usage = Usage { input, cache_read: cached, output, reasoning, requests: 1, ..Usage::default() };
        let rates = [(PriceKind::Input, Rate(nanos)), (PriceKind::Output, Rate(nanos))];
        let cost = PriceSheet::flat(rates).cost(&usage, Timestamp(0)).unwrap();
        prop_assert!(!cost.total.is_negative());
    }

    /// The total alone is that of the lines, whichever prices are known and whatever stands in for which.
    #[test]
    fn a_total_is_that_of_its_lines(
        units in prop::array::uniform7(0_u64..5_000_000),
        quotes in prop::collection::btree_map(0..PriceKind::ALL.len(), prop::option::of(0_i64..90_000_000_000), 0..8),
    ) {
        let [input, cache_read, cache_write, output, reasoning, audio_input, images] = units;
        let usage =
            Usage { input, cache_read, cache_write, output, reasoning, audio_input, images, requests: 1, ..Usage::default() };
        let quote = |(at, nanos): (usize, Option<i64>)| {
            (PriceKind::ALL[at], nanos.map_or(Quote::Unknown, |nanos| Quote::Known(Rate(nanos))))
        };
        let sheet = PriceSheet { quotes: quotes.into_iter().map(quote).collect(), overrides: Vec::new() };
        prop_assert_eq!(sheet.total(&usage, NOON), sheet.cost(&usage, NOON).map(|cost| cost.total));
    }
}

#[test]
fn tasks_are_billed_by_their_own_units() {
    let unit = |text: &str| Rate::parse_per_unit(text).unwrap();
    let by_image = PriceSheet::flat([(PriceKind::Images, unit("0.04"))]);
    assert!(by_image.bills(Task::Images) && !by_image.bills(Task::Generate) && !by_image.bills(Task::Speech));
    let usage = Usage { input: 12, image_output: 4_000, images: 2, requests: 1, ..Usage::default() };
    assert_eq!(by_image.cost(&usage, NOON).unwrap().total.to_string(), "0.08");
    let mut spoken = PriceSheet::flat([(PriceKind::Characters, rate("15"))]);
    let usage = Usage { characters: 7, requests: 1, ..Usage::default() };
    assert_eq!(spoken.cost(&usage, NOON).unwrap().total.to_string(), "0.000105");
    spoken.quotes.push((PriceKind::AudioOutput, Quote::Unknown));
    assert!(!spoken.bills(Task::Speech));
    let heard = PriceSheet::flat([(PriceKind::AudioSeconds, unit("0.0001"))]);
    let usage = Usage { audio_seconds: 61, ..Usage::default() };
    assert_eq!(heard.cost(&usage, NOON).unwrap().input().to_string(), "0.0061");
}
