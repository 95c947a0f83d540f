use proptest::prelude::*;

use super::*;

fn plain(value: f64) -> String {
    format!("{value}")
}

fn frame<'a>(id: &'a str, title: &'a str) -> Frame<'a> {
    Frame { id, title, x: Axis { title: "Day", show: &plain }, y: Axis { title: "USD", show: &plain } }
}

/// Markup is well-formed when a strict XML reader takes it; and nothing in it is a script, a style or an address elsewhere.
#[track_caller]
fn check(svg: &Svg) {
    let text = svg.as_str();
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut depth = 0_i32;
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) => {
                depth += 1;
                assert_tag(&tag);
            }
            quick_xml::events::Event::Empty(tag) => assert_tag(&tag),
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Text(_) | quick_xml::events::Event::GeneralRef(_) => {}
            other => panic!("{other:?} in {text}"),
        }
    }
    assert_eq!(depth, 0);
}

#[track_caller]
fn assert_tag(tag: &quick_xml::events::BytesStart<'_>) {
    let name = tag.name().as_ref().to_string();
    assert!(["svg", "title", "desc", "path", "rect", "g", "a"].contains(&name.as_str()), "{name}");
    for attribute in tag.attributes() {
        let attribute = attribute.unwrap();
        let key = attribute.key.as_ref().to_string();
        let value = attribute.value.to_string();
        assert!(key != "style" && !key.starts_with("on"), "{key}");
        assert!(!value.contains("NaN") && !value.contains("inf"), "{key}={value}");
        if key == "href" {
            assert!(value.starts_with('/') && !value.starts_with("//"), "{value}");
        }
    }
}

const HOSTILE: &str = "</title><script>alert(1)</script>\" onload='x' &\u{0}";

#[test]
fn steps_hold_until_the_next() {
    let points = [(0.0, Some(0.5)), (5.0, Some(0.25)), (7.0, None), (8.0, Some(0.5))];
    let chart = steps(&frame("price", "Input"), &[Series { name: "mistral", points: &points }], 10.0);
    check(&chart.svg);
    assert!(chart.svg.as_str().contains("d=\"M0 50H500V175H700\""), "{}", chart.svg);
    assert!(chart.svg.as_str().contains("d=\"M800 50H1000\""), "{}", chart.svg);
    assert_eq!(chart.x, ["0", "2.5", "5", "7.5", "10"]);
    assert_eq!((chart.y.first().unwrap().as_str(), chart.y.last().unwrap().as_str()), ("0.6", "0"));
    assert_eq!(chart.description, "3 values of USD between 0.25 and 0.5; see the table.");
    assert_eq!(chart.table.rows, [["0", "0.5"], ["5", "0.25"], ["7", "–"], ["8", "0.5"]]);
    assert_eq!((chart.state, chart.legend.len()), (State::Many, 0));
}

#[test]
fn lines_leave_gaps() {
    let a = [(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(2.0))];
    let b = [(1.0, Some(0.0)), (3.0, Some(f64::NAN))];
    let chart =
        lines(&frame("l", "t"), &[Series { name: "a", points: &a }, Series { name: "b", points: &b }]);
    check(&chart.svg);
    assert!(chart.svg.as_str().contains("d=\"M0 150L333.3 0\""), "{}", chart.svg);
    assert_eq!(
        chart.legend,
        [
            Key { class: "series-1".into(), name: "a".into() },
            Key { class: "series-2".into(), name: "b".into() }
        ]
    );
    assert_eq!(chart.table.head, ["Day", "a", "b"]);
    assert_eq!(chart.table.rows, [["0", "1", "–"], ["1", "2", "0"], ["2", "–", "–"], ["3", "2", "–"]]);
}

#[test]
fn much_one_and_nothing() {
    let chart = lines(&frame("l", "t"), &[]);
    assert_eq!((chart.state, chart.svg.as_str(), chart.x.len(), chart.y.len()), (State::Empty, "", 0, 0));
    assert_eq!(scatter(&frame("s", "t"), &[], &[]).state, State::Empty);
    let none = Stack { label: "1".into(), title: "1".into(), parts: vec![0.0, f64::NAN, -3.0] };
    assert_eq!(stacked(&frame("k", "t"), &["a", "b", "c"], &[none]).state, State::Empty);
    assert_eq!(strip("x", &[]).as_str(), "");

    let one = [(3.0, Some(0.0))];
    let chart = steps(&frame("l", "t"), &[Series { name: "a", points: &one }], 3.0);
    check(&chart.svg);
    assert_eq!((chart.state, chart.x.len()), (State::One, 1));
    assert!(chart.svg.as_str().contains("d=\"M500 300h0\""), "{}", chart.svg);

    let many: Vec<(f64, Option<f64>)> = (0..5_000).map(|x| (f64::from(x), Some(f64::from(x % 97)))).collect();
    let chart = lines(&frame("l", "t"), &[Series { name: "a", points: &many }]);
    check(&chart.svg);
    assert_eq!((chart.y.len() <= 6, chart.x.len()), (true, 5));
}

#[test]
fn bars_stand_on_each_other() {
    let bar = |at: usize, parts: &[f64]| Stack {
        label: at.to_string(),
        title: format!("day {at}"),
        parts: parts.to_vec(),
    };
    let bars = [bar(0, &[1.0, 3.0]), bar(1, &[2.0]), bar(2, &[0.0, 0.0])];
    let chart = stacked(&frame("k", "t"), &["in", "out"], &bars);
    check(&chart.svg);
    let svg = chart.svg.as_str();
    assert!(
        svg.contains("class=\"chart-bar series-1\" x=\"83.3\" y=\"225\" width=\"166.7\" height=\"75\""),
        "{svg}"
    );
    assert!(
        svg.contains("class=\"chart-bar series-2\" x=\"83.3\" y=\"0\" width=\"166.7\" height=\"225\""),
        "{svg}"
    );
    assert_eq!(
        chart.table.rows,
        [["day 0", "1", "3", "4"], ["day 1", "2", "0", "2"], ["day 2", "0", "0", "0"]]
    );
    for (count, expect) in [(1, 1), (2, 2), (6, 6), (7, 4), (31, 6), (90, 6)] {
        let bars: Vec<Stack> = (0..count).map(|at| bar(at, &[1.0])).collect();
        let chart = stacked(&frame("k", "t"), &["in"], &bars);
        assert_eq!((chart.x.len(), chart.has_slots), (count, true));
        assert_eq!(chart.x.iter().filter(|label| !label.is_empty()).count(), expect, "{count}");
        // The newest is always told.
        assert_eq!(chart.x.last(), Some(&(count - 1).to_string()));
    }
}

#[test]
fn dots_lead_to_their_pages_and_nowhere_else() {
    let dot = |href, series| Dot { x: 1.0, y: 2.0, name: "Small 4", href, series, is_marked: false };
    let rows = [
        (Some("/mistralai/mistral-small-2603"), true),
        (Some("//evil.example"), false),
        (Some("/\\evil.example"), false),
        (Some("javascript:alert(1)"), false),
        (Some("https://evil.example"), false),
        (None, false),
    ];
    for (href, is_linked) in rows {
        let chart = scatter(&frame("s", "t"), &["a", "b"], &[dot(href, 7)]);
        check(&chart.svg);
        assert_eq!(chart.svg.as_str().contains("<a href"), is_linked, "{href:?}");
        assert!(chart.svg.as_str().contains("<title>Small 4: 1, 2</title>"));
        // Links inside an image would not be reached.
        assert_eq!(chart.svg.as_str().contains("role=\"group\""), is_linked);
    }
}

#[test]
fn no_dot_lies_on_the_right_edge_and_only_dots_have_colors() {
    let dot = |x, series| Dot { x, y: 2.0, name: "a", href: None, series, is_marked: false };
    for largest in [0.6, 1.0, 2.5, 10.0] {
        let chart = scatter(&frame("s", "t"), &["a", "b"], &[dot(largest / 8.0, 1), dot(largest, 1)]);
        let end: f64 = chart.x.last().unwrap().parse().unwrap();
        assert!(end > largest, "{end} for {largest}");
        assert_eq!(chart.legend, [Key { class: "series-2".into(), name: "b".into() }]);
    }
}

#[test]
fn hostile_names_stay_text() {
    let points = [(0.0, Some(1.0)), (1.0, Some(2.0))];
    let dots =
        [Dot { x: 1.0, y: 1.0, name: HOSTILE, href: Some("/a\"><script>"), series: 0, is_marked: true }];
    let bars = [Stack { label: HOSTILE.into(), title: HOSTILE.into(), parts: vec![1.0] }];
    let frame = frame(HOSTILE, HOSTILE);
    let all = [
        steps(&frame, &[Series { name: HOSTILE, points: &points }], 2.0).svg,
        scatter(&frame, &[HOSTILE], &dots).svg,
        stacked(&frame, &[HOSTILE], &bars).svg,
        strip(HOSTILE, &[Cell::Good, Cell::Some, Cell::Bad, Cell::None]),
    ];
    for svg in all {
        check(&svg);
        assert!(svg.as_str().contains("&#60;script&#62;"));
    }
}

#[test]
fn small_pictures() {
    let strip = strip("3 of 4 hours", &[Cell::Good, Cell::Bad]);
    check(&strip);
    assert!(strip.as_str().contains("<path class=\"cell-bad\" d=\"M55 14.4h40.00V24h-40.00z\""), "{strip}");
}

proptest! {
    /// Whatever the numbers: well-formed, inside the plot, and the same twice.
    #[test]
    fn any_numbers_make_a_chart(
        points in prop::collection::vec((any::<f64>(), prop::option::of(any::<f64>())), 0..40),
        until: f64,
    ) {
        let series = [Series { name: "a", points: &points }];
        let frame = frame("x", "t");
        let dots: Vec<Dot<'_>> = points.iter().filter_map(|(x, y)| {
            Some(Dot { x: *x, y: (*y)?, name: "n", href: Some("/n"), series: 1, is_marked: false })
        }).collect();
        let bars: Vec<Stack> = points.iter().map(|(x, y)| {
            Stack { label: "l".into(), title: "l".into(), parts: vec![*x, y.unwrap_or(0.0)] }
        }).collect();
        let draw = || [
            lines(&frame, &series), steps(&frame, &series, until),
            scatter(&frame, &["a"], &dots), stacked(&frame, &["a", "b"], &bars),
        ];
        for (chart, again) in draw().into_iter().zip(draw()) {
            prop_assert_eq!(&chart, &again);
            check(&chart.svg);
            let told = chart.x.iter().filter(|label| !label.is_empty()).count();
            prop_assert!(told <= 6 && chart.y.len() <= 6);
            prop_assert_eq!(chart.state == State::Empty, chart.svg.as_str().is_empty());
            for row in &chart.table.rows {
                prop_assert_eq!(row.len(), chart.table.head.len());
            }
        }
    }
}
