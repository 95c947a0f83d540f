//! Text from speech: a form in, as OpenAI has it, or OpenRouter's JSON with the sound in base64; out a form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use types::Usage;

use super::answer::{self, Kept};
use super::form::{self, Upload};
use super::{TaskCall, field};
use crate::asked::Expected;
use crate::extensions::is_ours;
use crate::hub::{AnswerError, Ident, Outgoing, Plain, RequestError, Seen, Settlement, Target};
use crate::json::Kind;
use crate::node::Node;
use crate::provider_error;

/// Bytes of a second of sound where the file itself doesn't tell: 128 kbit/s, which is likely, and 16 kbit/s.
const BYTES_PER_SECOND: (u64, u64) = (16_000, 2_000);
/// Tokens of a second of sound, as OpenAI and Google count about.
const TOKENS_PER_SECOND: u64 = 32;

/// What a request will use; takes the sound out of a JSON body.
pub(super) fn expect(call: &mut TaskCall<'_>) -> Result<Expected, RequestError> {
    if call.form.file.is_none() {
        from_json(call)?;
    }
    let Some(file) = call.form.file.as_ref().filter(|file| !file.bytes.is_empty()) else {
        return Err(field(
            "file",
            "is missing; send the sound as the form's field `file`, or as `input_audio` in JSON",
        ));
    };
    let bytes = file.bytes.len() as u64;
    let (likely, most) = match wav_seconds(&file.bytes) {
        Some(seconds) => (seconds, seconds),
        None => (bytes.div_ceil(BYTES_PER_SECOND.0), bytes.div_ceil(BYTES_PER_SECOND.1)),
    };
    let usage = |audio_seconds: u64| Usage {
        audio_seconds,
        audio_input: audio_seconds.saturating_mul(TOKENS_PER_SECOND),
        output: audio_seconds.saturating_mul(4),
        requests: 1,
        ..Usage::default()
    };
    Ok(Expected { likely: usage(likely), most: usage(most) })
}

/// `{"input_audio": {"data": "<base64>", "format": "wav"}, "language": "en", ...}`.
fn from_json(call: &mut TaskCall<'_>) -> Result<(), RequestError> {
    let node = call.node();
    let Some(audio) = node.get("input_audio") else { return Ok(()) };
    let format = audio.get_string("format").unwrap_or("wav".into()).into_owned();
    let data = audio.get_string("data").unwrap_or_default();
    let data = data.split_once(";base64,").map_or(&*data, |(_, data)| data);
    let bytes = STANDARD
        .decode(data)
        .map_err(|error| field("input_audio/data", format!("is not base64: {error}")))?;
    call.form.file = Some(Upload { name: format!("audio.{format}"), content_type: None, bytes });
    for (key, value) in node.members() {
        let name = match (&*key, value.kind()) {
            ("input_audio" | "model", _) => continue,
            (key, Kind::Array) => format!("{key}[]"),
            (key, _) => key.to_owned(),
        };
        let values = if value.kind() == Kind::Array { value.elements() } else { vec![value] };
        for value in values {
            let text = value.string().unwrap_or_else(|| String::from_utf8_lossy(value.raw()));
            call.form.fields.push((name.clone(), text.into_owned()));
        }
    }
    Ok(())
}

/// Begun seconds of a WAV file: its data over the bytes per second that its format names.
fn wav_seconds(bytes: &[u8]) -> Option<u64> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (mut at, mut rate) = (12usize, None);
    while let (Some(kind), Some(size)) = (bytes.get(at..at + 4), number(at + 4)) {
        match kind {
            b"fmt " => rate = number(at + 16).map(u64::from).filter(|rate| *rate > 0),
            b"data" => {
                let there = (bytes.len() - (at + 8)) as u64;
                // Written on the fly, the size may be a placeholder.
                return Some(u64::from(size).min(there).div_ceil(rate?));
            }
            _ => (),
        }
        at = at.checked_add(8)?.checked_add(usize::try_from(size).ok()?)?.checked_add((size & 1) as usize)?;
    }
    None
}

/// The request for a provider.
pub(super) fn outgoing(call: &TaskCall<'_>, target: &Target<'_>) -> Outgoing {
    let Some(file) = &call.form.file else { return Outgoing::default() };
    let mut fields: Vec<(&str, &str)> = vec![("model", target.model)];
    let theirs = call.form.fields.iter().filter(|(key, _)| key != "model" && !is_ours(key));
    fields.extend(theirs.map(|(key, value)| (key.as_str(), value.as_str())));
    let (boundary, body) = form::write(&fields, file);
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Outgoing { body, headers: vec![("content-type", content_type)], ..Outgoing::default() }
}

/// Reads a provider's answer: JSON, or subtitles and bare text as they are.
pub(super) fn read(call: &TaskCall<'_>, body: &[u8]) -> Result<Transcript, AnswerError> {
    let content_type = match call.form.get("response_format") {
        Some("text" | "srt") => "text/plain; charset=utf-8",
        Some("vtt") => "text/vtt; charset=utf-8",
        _ => "application/json",
    };
    let is_json = body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    if !is_json && content_type == "application/json" {
        return Err(answer::check(body).err().unwrap_or(AnswerError::Empty));
    }
    if !is_json {
        let text = !body.is_empty();
        let seen = Seen { finish_reason: Some("stop".to_owned()), chunks: 1, done: true, ..Seen::default() };
        return if text {
            Ok(Transcript { kept: None, seen, content_type })
        } else {
            Err(AnswerError::Empty)
        };
    }
    let node = answer::check(body)?;
    if node.get("text").is_none() {
        return Err(AnswerError::Provider(provider_error::read(502, body)));
    }
    let told = node.get("usage").and_then(usage);
    let usage = told.or_else(|| seconds(node.get("duration")?).map(heard));
    let seen = answer::seen(node, usage);
    let kept = Some(Kept::theirs(body, seen.clone())?);
    Ok(Transcript { kept, seen, content_type: "application/json" })
}

/// `{type: tokens, input_tokens, input_token_details: {audio_tokens}, output_tokens}` or `{type: duration, seconds}`;
/// Mistral's has `prompt_audio_seconds` beside tokens.
pub(super) fn usage(told: Node<'_>) -> Option<Usage> {
    let count = |key: &str| told.get(key).and_then(Node::u64);
    let length = ["seconds", "prompt_audio_seconds"].into_iter().find_map(|key| seconds(told.get(key)?));
    let input = count("input_tokens").or_else(|| count("prompt_tokens"));
    let Some(input) = input else { return length.map(heard) };
    let details = told.get("input_token_details").or_else(|| told.get("prompt_tokens_details"));
    let audio = details.and_then(|d| d.get("audio_tokens")?.u64()).unwrap_or(0).min(input);
    let output = count("output_tokens").or_else(|| count("completion_tokens")).unwrap_or(0);
    Some(Usage { input: input - audio, audio_input: audio, output, ..length.map(heard).unwrap_or_default() })
}

fn heard(audio_seconds: u64) -> Usage {
    Usage { audio_seconds, requests: 1, ..Usage::default() }
}

/// Begun seconds of a number that may have a fraction, or be text.
fn seconds(value: Node<'_>) -> Option<u64> {
    let text = value.number().map(std::borrow::Cow::Borrowed).or_else(|| value.string())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let whole: u64 = whole.parse().ok()?;
    Some(whole + u64::from(fraction.bytes().any(|b| b.is_ascii_digit() && b != b'0')))
}

/// A provider's transcript.
#[derive(Debug)]
pub(super) struct Transcript {
    /// JSON, which takes our cost; `None`: text as it is.
    kept: Option<Kept>,
    seen: Seen,
    content_type: &'static str,
}

impl Plain for Transcript {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        self.kept.as_ref().map_or_else(|| body.to_vec(), |kept| kept.render(body, ident, settlement))
    }

    fn content_type(&self) -> &str {
        self.content_type
    }
}
