//! Opaque reasoning in `thoughtSignature`.
//!
//! Google's own signature is base64 and stays as it is. What another family sealed is wrapped, so that a Gemini client, which
//! gives every signature back, keeps the tool loops of other families going: a marker, then the seal's JSON in hexadecimal.
//! Both are base64 letters and the length is a multiple of four, so that clients that decode and encode it again (their type
//! is bytes) change nothing.

use serde_json::{Value, json};

use crate::hub::{Seal, SealFormat};

/// Twelve letters: whole groups of base64.
const MARKER: &str = "TollwaySeal1";

/// What stands in `thoughtSignature` for a seal.
pub(super) fn write(seal: &Seal) -> String {
    if seal.format == SealFormat::Gemini {
        return seal.data.clone();
    }
    let mut text = json!([seal.format.name(), seal.data, seal.signature, seal.id]).to_string();
    if text.len() % 2 == 1 {
        text.push(' ');
    }
    let mut out = String::with_capacity(MARKER.len() + text.len() * 2);
    out.push_str(MARKER);
    for byte in text.bytes() {
        out.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    out
}

/// What a `thoughtSignature` holds. `signature`: readable reasoning stands beside it.
pub(super) fn read(text: &str, signature: bool) -> Seal {
    text.strip_prefix(MARKER).and_then(unwrap).unwrap_or_else(|| Seal {
        format: SealFormat::Gemini,
        data: text.to_owned(),
        signature,
        id: None,
    })
}

fn unwrap(hex: &str) -> Option<Seal> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect();
    let (format, data, signature, id): (String, String, bool, Option<String>) =
        serde_json::from_slice(&bytes?).ok()?;
    Some(Seal { format: SealFormat::read(&format), data, signature, id })
}

/// Google's own signature of a seal, where it is Google's.
pub(super) fn own(seal: Option<&Seal>) -> Option<&str> {
    seal.filter(|seal| seal.format == SealFormat::Gemini).map(|seal| seal.data.as_str())
}

/// OpenAI's `logprobs` from Google's `logprobsResult`: `{"content":[...]}`.
pub(super) fn logprobs_in(result: &Value) -> Option<Value> {
    let entry = |candidate: &Value| {
        let token = candidate.get("token")?.as_str()?;
        let logprob = candidate.get("logProbability").cloned().unwrap_or_else(|| json!(0));
        Some(json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()}))
    };
    let chosen = result.get("chosenCandidates")?.as_array()?;
    let top = result.get("topCandidates").and_then(Value::as_array);
    let content = chosen.iter().enumerate().filter_map(|(at, chosen)| {
        let mut one = entry(chosen)?;
        let others = top.and_then(|top| top.get(at)?.get("candidates")?.as_array());
        let others: Vec<Value> = others.into_iter().flatten().filter_map(entry).collect();
        one.as_object_mut()?.insert("top_logprobs".into(), others.into());
        Some(one)
    });
    let content: Vec<Value> = content.collect();
    (!content.is_empty()).then(|| json!({"content": content}))
}

/// The reverse of [`logprobs_in`].
pub(super) fn logprobs_out(logprobs: &Value) -> Option<Value> {
    let entry = |one: &Value| {
        let token = one.get("token")?.as_str()?;
        let logprob = one.get("logprob").cloned().unwrap_or_else(|| json!(0));
        Some(json!({"token": token, "logProbability": logprob}))
    };
    let content = logprobs.get("content")?.as_array()?;
    let chosen: Vec<Value> = content.iter().filter_map(entry).collect();
    let top: Vec<Value> = content
        .iter()
        .map(|one| {
            let others = one.get("top_logprobs").and_then(Value::as_array);
            json!({"candidates": others.into_iter().flatten().filter_map(entry).collect::<Vec<_>>()})
        })
        .collect();
    (!chosen.is_empty()).then(|| json!({"chosenCandidates": chosen, "topCandidates": top}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn googles_own_stays_as_it_is() {
        let own = read("AbC+/w==", true);
        assert_eq!((own.format.clone(), write(&own).as_str()), (SealFormat::Gemini, "AbC+/w=="));
        assert_eq!(read("TollwaySeal1zz", false).format, SealFormat::Gemini);
    }

    #[test]
    fn log_probabilities_go_both_ways() {
        let google = json!({"chosenCandidates": [{"token": "a", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}]}]});
        let openai = logprobs_in(&google).unwrap();
        assert_eq!(openai["content"][0]["top_logprobs"][0]["logprob"], -0.5);
        assert_eq!(logprobs_out(&openai).unwrap(), google);
    }

    proptest! {
        #[test]
        fn seals_of_others_survive(data: String, signature: bool, id: Option<String>) {
            let seal = Seal { format: SealFormat::Anthropic, data, signature, id };
            let text = write(&seal);
            prop_assert_eq!(text.len() % 4, 0);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
            prop_assert_eq!(read(&text, !signature), seal);
        }
    }
}
