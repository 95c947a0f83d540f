//! Prompts that are put together: an instruction (`xtask/training/frames`) around a text that somebody hands over with it
//! (`xtask/training/texts`). What the text says is never what is asked for, and a classifier that has seen the same text under many
//! instructions learns to look at these. A fifth of both is kept apart: instructions that were never trained on around texts that weren't.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use routing::classify::{LABELS, Label};
use routing::random::Random;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Prompt, SEED, is_apart};
use crate::sh;

/// How often a text is in the language of its instruction, where there is one.
const SAME_LANGUAGE: f64 = 0.7;
/// Takes texts of every kind.
const ANY: &str = "any";

#[derive(Debug, Deserialize)]
struct Frame {
    before: String,
    after: String,
    #[serde(default)]
    system: String,
    lang: String,
    /// Kinds of texts, or [`ANY`].
    takes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Text {
    text: String,
    lang: String,
}

/// Frames and texts that may come together.
#[derive(Default)]
pub(super) struct Frames {
    /// By label.
    frames: Vec<Vec<Frame>>,
    /// By kind.
    texts: BTreeMap<String, Vec<Text>>,
}

impl Frames {
    /// Those that are trained on, and those kept apart.
    pub(super) fn read() -> Result<(Frames, Frames)> {
        let folder = sh::root().join("xtask/training");
        let frames =
            Label::ALL.map(|label| read(&folder.join("frames").join(format!("{}.jsonl", label.name()))));
        let frames: Vec<Vec<Frame>> = frames.into_iter().collect::<Result<_>>()?;
        let mut texts = BTreeMap::new();
        for entry in fs::read_dir(folder.join("texts"))? {
            let path = entry?.path();
            let kind = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            texts.insert(kind.to_owned(), read(&path)?);
        }
        for frame in frames.iter().flatten() {
            let unknown = frame.takes.iter().find(|kind| *kind != ANY && !texts.contains_key(*kind));
            ensure!(unknown.is_none(), "{frame:?} takes {unknown:?}, of which there are no texts");
            ensure!(!frame.takes.is_empty(), "{frame:?} takes nothing");
        }
        let (mut seen, mut apart) = (Frames::default(), Frames::default());
        for frames in frames {
            let is_apart = |frame: &Frame| is_apart([&*frame.before, &frame.after, &frame.system]);
            let (theirs, ours) = frames.into_iter().partition(is_apart);
            seen.frames.push(ours);
            apart.frames.push(theirs);
        }
        for (kind, texts) in texts {
            let (theirs, ours) = texts.into_iter().partition(|text: &Text| is_apart([&*text.text]));
            seen.texts.insert(kind.clone(), ours);
            apart.texts.insert(kind, theirs);
        }
        Ok((seen, apart))
    }

    /// So many of them, always the same.
    pub(super) fn drawn(&self, count: usize) -> Vec<Prompt> {
        let mut random = Random::new(SEED);
        std::iter::repeat_with(|| self.draw(&mut random)).flatten().take(count).collect()
    }

    /// One of very many, each label as often as the others.
    pub(super) fn draw(&self, random: &mut Random) -> Option<Prompt> {
        let label = below(random, LABELS);
        let frame = one(self.frames.get(label)?, random)?;
        let kinds: Vec<&String> = match frame.takes.iter().any(|kind| kind == ANY) {
            true => self.texts.keys().collect(),
            false => frame.takes.iter().collect(),
        };
        let texts = self.texts.get(*one(&kinds, random)?)?;
        let same: Vec<&Text> = texts.iter().filter(|text| text.lang == frame.lang).collect();
        let text = match !same.is_empty() && random.unit() < SAME_LANGUAGE {
            true => one(&same, random)?,
            false => one(texts, random)?,
        };
        Some(Prompt {
            text: format!("{}{}{}", frame.before, text.text, frame.after),
            turns: Vec::new(),
            system: frame.system.clone(),
            lang: frame.lang.clone(),
            kind: String::from("frame"),
            label,
            file: String::new(),
        })
    }
}

fn below(random: &mut Random, end: usize) -> usize {
    ((random.unit() * end as f64) as usize).min(end.saturating_sub(1))
}

fn one<'a, T>(of: &'a [T], random: &mut Random) -> Option<&'a T> {
    of.get(below(random, of.len()))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), number + 1))
        })
        .collect()
}
