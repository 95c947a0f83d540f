//! A caller's bytes for a provider of the same dialect: the model's name, what is ours, and what a host wants otherwise.

use crate::hub::{Flavor, Outgoing, RequestError, Target};
use crate::json;
use crate::splice::Splice;

/// Served by the gateway itself, never sent on.
pub(super) const OURS: [&str; 13] = [
    "auto_cache",
    "requesty",
    "models",
    "provider",
    "route",
    "session_id",
    "trace",
    "usage",
    "sandbox",
    "debug",
    "plugins",
    "transforms",
    "preset",
];

/// The request as the provider gets it; everything else keeps its bytes.
pub fn splice_request(body: &[u8], target: &Target<'_>, stream: bool) -> Result<Outgoing, RequestError> {
    let members = json::object(body)?;
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let hosted = matches!(target.flavor, Flavor::Vertex | Flavor::Bedrock);
    let mut splice = Splice::new();
    let (mut has_model, mut has_max) = (false, false);
    for member in &members {
        match std::str::from_utf8(json::slice(body, &member.key)).unwrap_or_default() {
            "model" if hosted => splice.remove(member),
            "model" => {
                has_model = true;
                splice.replace(member.value.clone(), json::quote(target.model));
            }
            "stream" if target.flavor == Flavor::Bedrock => splice.remove(member),
            "max_tokens" => has_max = true,
            key if OURS.contains(&key) => splice.remove(member),
            _ => (),
        }
    }
    if !hosted && !has_model {
        splice.append("model", json::quote(target.model).as_bytes());
    }
    if hosted {
        let version =
            if target.flavor == Flavor::Vertex { "vertex-2023-10-16" } else { "bedrock-2023-05-31" };
        splice.append("anthropic_version", json::quote(version).as_bytes());
    }
    if !has_max {
        let max = target.max_output_tokens.map_or(8_192, |max| max.min(32_000));
        splice.append("max_tokens", max.to_string().as_bytes());
    }
    let _ = stream;
    let mut out = Vec::with_capacity(body.len() + 128);
    splice.apply(body, start..end, &members, &mut out);
    Ok(Outgoing { body: out, ..Outgoing::default() })
}
