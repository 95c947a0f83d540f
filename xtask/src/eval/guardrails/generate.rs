//! Samples from templates: each line of a template file becomes several texts, its slots filled with values of one kind.
//!
//! `{email}` is filled and labelled, `{=email:a@b.de}` is labelled as it stands; `{no:uuid}` is filled with what only looks like
//! something, and is not. `!injection` before a
//! line labels the whole text. Values that check themselves are made with the right check, by arithmetic of its own: what is tested
//! is not used to make the test.

use std::fmt::Write;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::super::Random;
use super::values::{self, Made};

/// Makes `count` texts of each template.
pub(super) fn samples(templates: &str, count: usize, seed: u64) -> Result<Vec<Value>> {
    let mut random = Random(seed);
    let mut samples = Vec::new();
    for line in templates.lines().filter(|line| !line.trim().is_empty()) {
        let (line, is_injection) = match line.strip_prefix("!injection ") {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        // A template without a slot is the same text each time.
        let times = if line.contains('{') && is_varied(line) { count } else { 1 };
        for _ in 0..times {
            samples.push(sample(line, is_injection, &mut random)?);
        }
    }
    Ok(samples)
}

fn is_varied(line: &str) -> bool {
    slots(line).iter().any(|part| matches!(part, Part::Slot(name) if !name.starts_with('=')))
}

enum Part<'l> {
    Text(&'l str),
    Slot(&'l str),
}

/// Braces around a name that values know are a slot; all others are the text's own.
fn slots(line: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), line);
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        let name = from.find('}').and_then(|end| from.get(1..end)).filter(|name| values::knows(name));
        match name {
            Some(name) => {
                parts.extend([Part::Text(before), Part::Slot(name)]);
                rest = from.get(name.len() + 2..).unwrap_or_default();
            }
            None => {
                let (text, more) = rest.split_at(start + 1);
                parts.push(Part::Text(text));
                rest = more;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

fn sample(line: &str, is_injection: bool, random: &mut Random) -> Result<Value> {
    let (mut text, mut find) = (String::new(), Vec::new());
    for part in slots(line) {
        match part {
            Part::Text(plain) => text.push_str(&plain.replace("\\n", "\n")),
            Part::Slot(name) => {
                let Some(Made { value, kind }) = values::make(name, random) else {
                    bail!("no value for {name}")
                };
                if let Some(kind) = kind {
                    find.push(json!({"kind": kind, "start": text.len(), "end": text.len() + value.len()}));
                }
                text.push_str(&value);
            }
        }
    }
    if is_injection {
        find.push(json!({"kind": "prompt_injection", "start": 0, "end": text.len()}));
    }
    Ok(json!({"text": text, "find": find}))
}

/// One sample per line. The first character of each finding is escaped, so that nothing that looks for secrets in files takes a
/// sample for one; reading the JSON brings it back.
pub(super) fn write(samples: &[Value]) -> String {
    let mut out = String::new();
    for sample in samples {
        let text = sample["text"].as_str().unwrap_or_default();
        let starts: Vec<u64> =
            sample["find"].as_array().into_iter().flatten().filter_map(|f| f["start"].as_u64()).collect();
        out.push_str("{\"text\":\"");
        for (at, c) in text.char_indices() {
            match starts.contains(&(at as u64)) && c.is_ascii() {
                // Writing to a text can't fail.
                true => drop(write!(out, "\\u{:04x}", u32::from(c))),
                false => guardrails::escape(c.encode_utf8(&mut [0; 4]), &mut out),
            }
        }
        let _ = writeln!(out, "\",\"find\":{}}}", sample["find"]);
    }
    out
}
