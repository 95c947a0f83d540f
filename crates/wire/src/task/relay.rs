//! Streams of images, speech and transcripts: each event as it came; the last one, which has the usage, with our cost in it.

use types::{Task, Usage};

use super::{images, transcriptions};
use crate::hub::{CallError, Carry, ChunkError, Ident, Seen, Settlement};
use crate::json;
use crate::node::Node;
use crate::openai_chat::response;
use crate::provider_error;
use crate::splice::Splice;

/// A stream on its way through.
#[derive(Debug)]
pub(super) struct Relay {
    task: Task,
    ident: Ident,
    seen: Seen,
    /// The event that ends the stream, held back until it is settled: its name and its data.
    end: Option<(String, Vec<u8>)>,
    images: u64,
    /// Events of an end that are to come: one per image.
    ends: u64,
}

impl Relay {
    pub(super) fn new(task: Task, ident: Ident, ends: u64) -> Relay {
        Relay { task, ident, seen: Seen::default(), end: None, images: 0, ends: ends.max(1) }
    }

    fn usage(&self, told: Node<'_>) -> Option<Usage> {
        match self.task {
            Task::Images => images::usage(told, self.images),
            Task::Speech => images::usage(told, 0).map(|usage| Usage {
                audio_output: usage.image_output,
                image_output: 0,
                ..usage
            }),
            _ => transcriptions::usage(told),
        }
    }
}

fn write(name: &str, data: &[u8], out: &mut Vec<u8>) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend(data.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
    out.extend_from_slice(b"\n\n");
}

impl Carry for Relay {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn is_complete(&self) -> bool {
        self.end.is_some() || self.seen.done
    }

    fn frame(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        if data == b"[DONE]" {
            self.seen.done = true;
            return Ok(());
        }
        let node = Node::parse(data)?;
        let kind = node.get_string("type").unwrap_or_default();
        if node.get("error").is_some() || kind == "error" {
            return Err(ChunkError::Provider(provider_error::read(200, data)));
        }
        self.seen.chunks += 1;
        let ends = (kind.ends_with(".completed") || kind.ends_with(".done")) && self.ends > 0;
        self.images += u64::from(self.task == Task::Images && ends);
        if let Some(usage) = node.get("usage").and_then(|told| self.usage(told)) {
            self.seen.usage = Some(usage);
        }
        if let Some((name, held)) = self.end.take() {
            write(&name, &held, out);
        }
        if ends {
            self.ends -= 1;
            self.seen.done = self.ends == 0;
            self.seen.finish_reason = Some("stop".to_owned());
            if self.seen.usage.is_none() && self.images > 0 {
                self.seen.usage = Some(Usage { images: self.images, requests: 1, ..Usage::default() });
            }
            self.end = Some((name.to_owned(), data.to_vec()));
        } else {
            write(name, data, out);
        }
        Ok(())
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        let Some((name, held)) = self.end.take() else { return };
        let members = json::object(&held).unwrap_or_default();
        let mut splice = Splice::new();
        response::name(&mut splice, &held, &members, &self.ident);
        response::tell(&mut splice, &held, &members, settlement);
        let mut data = Vec::with_capacity(held.len() + 400);
        splice.apply(&held, 0..held.len(), &members, &mut data);
        write(&name, &data, out);
    }

    fn fail(&mut self, error: &CallError, _: &Settlement, out: &mut Vec<u8>) {
        let data = format!("{{\"type\":\"error\",\"error\":{}}}", error.object);
        write("error", data.as_bytes(), out);
    }
}
