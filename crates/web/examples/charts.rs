//! Every kind of chart with much, little and no data as a page of its own, to look at without the site around it:
//!
//! ```text
//! cargo run -p tollway-web --example charts > charts.html
//! ```

use tollway_web::chart::{
    Axis, Cell, Chart, Dot, Frame, Series, Spread, Stack, State, band, lines, scatter, sparkline, stacked,
    steps, strip,
};
use tollway_web::format;

const STYLE: &str = "body{font:14px/1.5 system-ui;margin:24px;max-width:720px;background:Canvas;color:CanvasText;color-scheme:light dark}\
    .chart{margin:0 0 40px}figcaption{font-weight:600;margin-bottom:12px}.chart-body{display:grid;grid-template-columns:auto 1fr;gap:8px}\
    ol,ul{list-style:none;margin:0;padding:0;color:GrayText;font-size:12px;font-variant-numeric:tabular-nums}\
    .chart-y{display:flex;flex-direction:column;justify-content:space-between;margin-block:-.75em;text-align:right}\
    .chart-plot{width:100%;height:200px;overflow:visible}.chart-grid{color:#8884}\
    .chart-x{grid-column:2;display:grid;grid-auto-flow:column;grid-auto-columns:1fr}.chart-x li{grid-column:span 2;text-align:center;white-space:nowrap;min-width:0}\
    .chart-x li:first-child{grid-column:span 1;text-align:left}.chart-x li:last-child{grid-column:span 1;text-align:right}\
    .chart-x li:only-child{text-align:center}.has-slots li,.has-slots li:first-child,.has-slots li:last-child{grid-column:span 1;display:flex;justify-content:center}\
    .series-1{color:#2f5bd7}.series-2{color:#c2571a}.series-3{color:#2a8a57}.spark,.strip{width:100px;height:24px}.cell-bad{color:#c22}.cell-good{color:#2a8a57}.cell-some{color:#c90}\
    .chart-legend li{display:inline-block;margin-right:16px}.chart-legend i{display:inline-block;width:10px;height:10px;border-radius:5px;background:currentColor;margin-right:6px}";

#[expect(clippy::print_stdout, reason = "this program is for reading its output")]
fn main() {
    let usd = |value: f64| format!("${value:.2}");
    let day = |value: f64| format::day(value as i64).short;
    let ms = |value: f64| format::milliseconds(value).short;
    let speed = |value: f64| format::count(value as u64);
    let over_days = |id, title, y| Frame { id, title, x: Axis { title: "Day", show: &day }, y };
    let price = Axis { title: "USD per 1M tokens", show: &usd };
    let history = [(20_300.0, Some(0.5)), (20_400.0, Some(0.25)), (20_470.0, None), (20_490.0, Some(0.15))];
    let output = [(20_300.0, Some(1.5)), (20_420.0, Some(0.6))];
    let wave = |at: i32| 400.0 + 150.0 * f64::from(at).sin().abs();
    let spreads: Vec<Spread> = (0..60)
        .map(|at| Spread {
            at: f64::from(20_400 + at),
            p50: (at % 19 != 7).then(|| wave(at)),
            p95: Some(wave(at) * 1.7),
            samples: 40,
        })
        .collect();
    let bars: Vec<Stack> = (0..30)
        .map(|at| Stack {
            label: day(f64::from(20_400 + at)),
            title: day(f64::from(20_400 + at)),
            parts: vec![wave(at), wave(at + 3) / 2.0],
        })
        .collect();
    let many: Vec<(f64, Option<f64>)> =
        (0..400).map(|at| (f64::from(20_000 + at), Some(wave(at / 20)))).collect();
    let dots: Vec<Dot<'_>> = (0..40)
        .map(|at| Dot {
            x: wave(at) / 300.0,
            y: 20.0 + wave(at * 3) / 4.0,
            name: "acme/small",
            href: Some("/acme/small"),
            series: at as usize % 2,
            is_marked: at == 7,
        })
        .collect();
    let latency = Axis { title: "Time to first token", show: &ms };
    let scattered =
        Frame { id: "scatter", title: "Price and speed", x: price, y: Axis { title: "tok/s", show: &speed } };
    let series = [Series { name: "Input", points: &history }, Series { name: "Output", points: &output }];
    let charts = [
        steps(&over_days("steps", "Price history", price), &series, 20_520.0),
        steps(
            &over_days("one", "One price", price),
            &[Series { name: "Input", points: &[(20_500.0, Some(0.15))] }],
            20_500.0,
        ),
        band(&over_days("band", "Time to first token", latency), &spreads),
        lines(&over_days("lines", "Four hundred days", latency), &[Series { name: "a", points: &many }]),
        stacked(&over_days("bars", "Tokens per day", latency), &["in", "out"], &bars),
        stacked(&over_days("bar", "One bar", latency), &["in", "out"], bars.get(..1).unwrap_or_default()),
        scatter(&scattered, &["EU", "US"], &dots),
        scatter(&scattered, &[], &[]),
    ];
    println!("<!doctype html><meta charset=utf-8><title>Charts</title><style>{STYLE}</style>");
    for chart in &charts {
        println!("{}", figure(chart));
    }
    let values: Vec<Option<f64>> = (0..30).map(|at| (at % 11 != 4).then(|| wave(at))).collect();
    let cells = [Cell::Good, Cell::Good, Cell::Some, Cell::Bad, Cell::None, Cell::Good].repeat(5);
    println!("<p>{} {}</p>", sparkline("speed", &values), strip("uptime", &cells));
}

fn figure(chart: &Chart) -> String {
    if chart.state == State::Empty {
        return format!("<p>{}: nothing yet.</p>", chart.title);
    }
    let items = |all: &[String]| all.iter().map(|text| format!("<li>{text}</li>")).collect::<String>();
    let keys: String = chart
        .legend
        .iter()
        .map(|key| format!("<li><i class=\"{}\"></i>{}</li>", key.class, key.name))
        .collect();
    let slots = if chart.has_slots { " has-slots" } else { "" };
    format!(
        "<figure class=chart><figcaption>{} ({})</figcaption><div class=chart-body><ol class=chart-y>{}</ol>{}<ol class=\"chart-x{slots}\">{}</ol></div><ul class=chart-legend>{keys}</ul></figure>",
        chart.title,
        chart.y_title,
        items(&chart.y),
        chart.svg,
        items(&chart.x)
    )
}
