//! A caller's request for a Gemini endpoint, on the byte path: only our extensions leave, and what the endpoint refuses.

use std::ops::Range;

use super::keys::camel;
use super::{is_ours, keys};
use crate::hub::{Flavor, Losses, Outgoing, RequestError, Target};
use crate::json::{self, Member};
use crate::splice::Splice;

/// Writes the request. The model and whether to stream are in the URL ([`path`](super::path)): `_stream` changes nothing here.
pub fn splice_request(body: &[u8], target: &Target<'_>, _stream: bool) -> Result<Outgoing, RequestError> {
    let members = json::object(body)?;
    let mut splice = Splice::new();
    let mut losses = Losses::default();
    for member in &members {
        let key = String::from_utf8_lossy(json::slice(body, &member.key));
        if is_ours(&key) {
            splice.remove(member);
            continue;
        }
        match &*camel(&key) {
            "generationConfig" => {
                let config = config(body, &key, &member.value, target, &mut losses);
                if let Some(config) = config {
                    splice.replace(member.value.clone(), config);
                }
            }
            "contents" if target.flavor == Flavor::Vertex => roles(body, &member.value, &mut splice),
            _ => (),
        }
    }
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let mut out = Vec::with_capacity(body.len() + 64);
    splice.apply(body, start..end, &members, &mut out);
    Ok(Outgoing { body: out, warnings: losses.warnings, ..Outgoing::default() })
}

/// The settings without those that the endpoint refuses; `None` where it takes all. Quirks name them as OpenAI does, or as
/// Google does.
fn config(
    body: &[u8],
    key: &str,
    span: &Range<usize>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Option<Vec<u8>> {
    let members: Vec<Member> = json::members(body, span);
    let mut splice = Splice::new();
    for member in &members {
        let raw = String::from_utf8_lossy(json::slice(body, &member.key));
        let name = camel(&raw);
        let refused = |known: &String| {
            let known = match known.as_str() {
                "max_tokens" | "max_completion_tokens" => "maxOutputTokens",
                "stop" => "stopSequences",
                "n" => "candidateCount",
                known => return camel(known) == name,
            };
            known == name
        };
        if target.adapt.unsupported.iter().any(refused) {
            splice.remove(member);
            losses.dropped(&format!("/{key}/{raw}"), "the provider doesn't support it");
        }
    }
    if splice.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    splice.apply(body, span.clone(), &members, &mut out);
    Some(out)
}

/// Vertex insists on a role where AI Studio assumes the user's.
fn roles(body: &[u8], span: &Range<usize>, splice: &mut Splice) {
    if !json::slice(body, span).starts_with(b"[") {
        return;
    }
    json::each_element(body, span, &mut |content| {
        let members = json::members(body, &content);
        let node = crate::node::Node::at(body, &content);
        if members.is_empty() || keys::get(node, "role").is_some() {
            return;
        }
        match json::find(body, &members, "role") {
            Some(null) => splice.replace(null.value.clone(), *b"\"user\""),
            None => splice.replace(content.start..content.start + 1, *b"{\"role\":\"user\","),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Fetched;
    use crate::openai_chat::Adapt;

    #[test]
    fn only_ours_and_the_refused_leave() {
        let adapt = Adapt { unsupported: vec!["top_k".into(), "stop".into()], ..Adapt::default() };
        let fetched = Fetched::new();
        let target = |flavor| Target {
            model: "m",
            max_output_tokens: None,
            flavor,
            adapt: &adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched: &fetched,
        };
        let body = br#" {"model":"m", "contents":[{"parts":[{"text":"h\u00e9"}]},{"role":"model","parts":[]},{"role":null}],"generation_config":{"topK":1,"top_p":0.10,"stopSequences":["a"]},"odd":1.50,"provider":{"only":[]}} "#;
        let out = splice_request(body, &target(Flavor::Direct), true).unwrap();
        assert_eq!(
            String::from_utf8(out.body).unwrap(),
            r#"{"contents":[{"parts":[{"text":"h\u00e9"}]},{"role":"model","parts":[]},{"role":null}],"generation_config":{"top_p":0.10},"odd":1.50}"#
        );
        let pointers: Vec<_> = out.warnings.iter().map(|w| w.pointer.as_str()).collect();
        assert_eq!(pointers, ["/generation_config/topK", "/generation_config/stopSequences"]);
        let out = splice_request(body, &target(Flavor::Vertex), true).unwrap();
        let out: serde_json::Value = serde_json::from_slice(&out.body).unwrap();
        let roles: Vec<_> = out["contents"].as_array().unwrap().iter().map(|c| c["role"].clone()).collect();
        assert_eq!(roles, ["user", "model", "user"]);
        assert!(splice_request(b"[]", &target(Flavor::Direct), false).is_err());
    }
}
