//! How many tokens a request has: asked of the provider where it has a call for that, else estimated and marked so. Free,
//! and no generation.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Body;
use routing::plan::Step;
use wire::call::{Call, PathSays, count_body};
use wire::hub::{Dialect, Fetched};
use wire::tally::Request;

use crate::app::Worker;
use crate::attempt::Place;
use crate::body::ResponseBody;
use crate::byok::Own;
use crate::call::{self, Path};
use crate::care::Sent;
use crate::course::{Asker, Course};
use crate::error::GatewayError;
use crate::guarding::Guard;
use crate::intake::Hints;
use crate::planning::{self, Asking, Decision};
use crate::upstream::address::Operation;
use crate::upstream::{self, Outbound, collect};
use crate::world::World;
use crate::{filling, read_body, router};

/// Largest answer to a count.
const COUNT_BYTES_MAX: usize = 64 * 1024;

/// Counts.
pub(crate) async fn serve<B>(
    worker: &Arc<Worker>,
    dialect: Dialect,
    headers: HeaderMap,
    body: B,
    path: Path<'_>,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let gateway = &worker.gateway;
    let admitted = call::admit(worker, &headers, path.key)?;
    let body = read_body(&headers, body, gateway.settings.body_bytes_max).await?;
    let says = PathSays { model: path.model, stream: false, memory: None };
    let first = call::scan(dialect, &body, &says)?;
    let whole = filling::of_call(gateway, &admitted.key, &first)?;
    let call = match &whole {
        None => first,
        Some(whole) => {
            let says = PathSays { model: path.model.and(whole.model.as_deref()), ..says };
            call::scan(dialect, &whole.body, &says)?
        }
    };
    let masked = match Guard::of(gateway, &admitted.key, call.asked())? {
        Some(mut guard) => guard.request(gateway, call.body)?,
        None => None,
    };
    let call = match &masked {
        None => call,
        Some(masked) => {
            let model =
                whole.as_ref().and_then(|whole| path.model.and(whole.model.as_deref())).or(path.model);
            call::scan(dialect, masked, &PathSays { model, ..says })?
        }
    };
    let world = gateway.world.load_full();
    let hints = Hints::default();
    let asker = Asker { key: &admitted.key, at: admitted.created, seed: 0, dry: true, policy: None };
    let course = Course::of(gateway, &world, &call, &hints, &asker)?;
    let asking = Asking { world: &world, call: &call, hints: &hints, course: &course, asker: &asker };
    let Decision { plan, facts, own, .. } = planning::decide(gateway, &asking);
    let Some(first) = plan.steps.first() else {
        return Err(planning::no_endpoints(gateway, &world, &course.name, &facts, &admitted.key, plan));
    };
    let betas = headers.get("anthropic-beta").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let counted = ask(worker, (&world, own.as_deref()), &call, first, betas).await;
    let tokens = match counted {
        Some(tokens) => tokens,
        None => {
            gateway.load_tokenizer().await;
            let body = whole.as_ref().map_or(&body, |whole| &whole.body);
            Request::of(body, call.asked()).tokens()
        }
    };
    Ok(router::json(count_body(dialect, tokens, counted.is_none())))
}

/// The provider's own count; `None` where it has none or doesn't tell.
async fn ask(
    worker: &Arc<Worker>,
    (world, own): (&World, Option<&Own>),
    call: &Call<'_>,
    step: &Step,
    betas: &str,
) -> Option<u64> {
    let mut place = Place::of_step(&worker.gateway, world, own, step)?;
    place.take_key(worker.gateway.clock.now());
    let target = place.target().ok()?;
    let dialect = place.dialect();
    let fetched = Fetched::new();
    let wire_target = place.wire_target(&world.snapshot, &fetched);
    let outgoing = call.outgoing(dialect, &wire_target).ok()?;
    let counting = wire::call::count_request(dialect, &outgoing.body, &wire_target)?;
    let path = target.path(dialect, wire_target.model, Operation::CountTokens)?;
    let told = wire::call::anthropic_betas(betas, place.provider.flavor);
    let beta = HeaderValue::from_str(&told).ok().filter(|v| !v.is_empty() && dialect == Dialect::Messages);
    let beta = beta.map(|value| (HeaderName::from_static("anthropic-beta"), value));
    let headers = beta.into_iter().chain(place.key_header()).collect();
    let outbound = Outbound { path, headers, body: counting.body.into() };
    let (clock, timeout) = (&*worker.gateway.clock, place.provider.connect_timeout);
    let mut sent = Sent::default();
    let sending = upstream::send(&worker.pool, target, outbound, timeout, clock, &mut sent);
    let reply = tokio::time::timeout(place.provider.first_byte_timeout, sending).await.ok()?.ok()?;
    if !(200..300).contains(&reply.status) {
        return None;
    }
    let body = collect(reply.body, COUNT_BYTES_MAX).await.ok()?;
    wire::call::read_count(dialect, &body)
}
