//! `GET /v1/server/providers`: every provider: whether it is on and why, and how its endpoints do on this node.

use catalog::Provider;
use http::Response;
use routing::health::{MINUTES_SHOWN, Uptime};
use serde_json::{Value, json};
use types::Timestamp;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::router;
use crate::world::{ProviderState, World};

/// How the endpoints of a provider do.
#[derive(Default)]
struct Doing {
    endpoints: usize,
    /// They are left alone after failures.
    resting: Vec<String>,
    recent: Uptime,
    day: Uptime,
    /// The medians of the endpoints that were measured, milliseconds.
    ttft_ms: Vec<f64>,
}

/// Those that are on first.
pub(super) fn list(worker: &Worker) -> Response<ResponseBody> {
    let world = worker.gateway.world.load_full();
    let now = worker.gateway.clock.now();
    let all = world.snapshot.providers.iter().zip(&world.providers).enumerate();
    let mut shown: Vec<(bool, Value)> = all
        .map(|(at, (provider, state))| (state.off.is_none(), object(&world, at, (provider, state), now)))
        .collect();
    shown.sort_by_key(|(is_on, _)| !is_on);
    let shown: Vec<Value> = shown.into_iter().map(|(_, one)| one).collect();
    router::json(json!({"data": shown, "minutes": MINUTES_SHOWN}).to_string())
}

fn object(world: &World, at: usize, (provider, state): (&Provider, &ProviderState), now: Timestamp) -> Value {
    let mut doing = doing(world, at, now);
    doing.ttft_ms.sort_by(f64::total_cmp);
    let answered =
        |uptime: Uptime| json!({"answered": uptime.answered, "failed": uptime.failed, "busy": uptime.busy});
    json!({
        "id": provider.id.to_string(),
        "name": provider.name.to_string(),
        "is_on": state.off.is_none(),
        "why": state.off.as_deref().unwrap_or(&state.why),
        "base_url": state.base_url,
        "keys": state.target.as_ref().map(|target| target.keys.len().max(1)),
        "endpoints": doing.endpoints,
        "resting": doing.resting,
        "recent": answered(doing.recent),
        "day": answered(doing.day),
        "ttft_p50_ms": doing.ttft_ms.get(doing.ttft_ms.len() / 2),
    })
}

fn doing(world: &World, provider: usize, now: Timestamp) -> Doing {
    let mut doing = Doing::default();
    let own = world.snapshot.endpoints.iter().zip(&world.endpoints);
    for (endpoint, vitals) in own.filter(|(endpoint, _)| endpoint.provider == provider) {
        doing.endpoints += 1;
        if !vitals.is_well(now) {
            doing.resting.push(endpoint.id.to_string());
        }
        vitals.health(|health| {
            if health.is_empty() {
                return;
            }
            let figures = health.figures(None, MINUTES_SHOWN, now);
            add(&mut doing.recent, figures.uptime);
            health.hours(now).iter().for_each(|hour| add(&mut doing.day, *hour));
            doing.ttft_ms.extend(figures.ttft_ms.map(|quantiles| quantiles.p50));
        });
    }
    doing
}

fn add(sum: &mut Uptime, more: Uptime) {
    sum.answered += more.answered;
    sum.failed += more.failed;
    sum.busy += more.busy;
}
