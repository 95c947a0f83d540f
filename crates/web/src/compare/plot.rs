//! Output price against speed, one dot per offer of the models that are compared: only what this place's own traffic measured.

use types::PriceKind;

use crate::chart::{Axis, Chart, Dot, Frame, State, scatter};
use crate::format;
use crate::index::rate;
use crate::visit::Visit;

/// `None` where no offer of theirs is measured and priced.
pub(super) fn price_speed(visit: &Visit, models: &[usize]) -> Option<Chart> {
    let snapshot = visit.snapshot();
    let mut found: Vec<(f64, f64, String, String, usize)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (series, at) in models.iter().enumerate() {
        let Some(model) = snapshot.models.get(*at) else { continue };
        names.push(model.name.as_str());
        for position in snapshot.endpoints_of(*at) {
            let Some(endpoint) = snapshot.endpoints.get(*position as usize) else { continue };
            let speed = visit.board.live(*position as usize).and_then(|live| live.tokens_per_s);
            let (Some(speed), Some(price), Some(provider)) =
                (speed, rate(endpoint, PriceKind::Output), endpoint.provider_in(snapshot))
            else {
                continue;
            };
            let variant = endpoint.variant.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
            let name = format!("{} at {}{variant}", model.name, provider.name);
            found.push((
                price.nanos_per_million() as f64 / 1e9,
                speed.p50,
                name,
                format!("/{}", model.id),
                series,
            ));
        }
    }
    let dots: Vec<Dot<'_>> = found
        .iter()
        .map(|(x, y, name, path, series)| Dot {
            x: *x,
            y: *y,
            name,
            href: Some(path),
            series: *series,
            is_marked: false,
        })
        .collect();
    let frame = Frame {
        id: "price-speed",
        title: "Output price against speed",
        x: Axis { title: "Output price, $ per 1M tokens", show: &crate::charts::dollars },
        y: Axis { title: "Speed, tokens per second (median)", show: &|speed| format::speed(speed).short },
    };
    let chart = scatter(&frame, &names, &dots);
    (chart.state != State::Empty).then_some(chart)
}
