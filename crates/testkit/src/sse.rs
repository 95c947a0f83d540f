//! Reads server-sent events back into values, for assertions.

use serde_json::Value;

/// What one event of a chat stream carried.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A `data:` line with JSON.
    Data(Value),
    /// `data: [DONE]`.
    Done,
    /// A `data:` line with anything else.
    Other(String),
}

impl Event {
    /// The JSON of a data event.
    pub fn json(&self) -> Option<&Value> {
        match self {
            Event::Data(value) => Some(value),
            Event::Done | Event::Other(_) => None,
        }
    }
}

/// The data events of a whole stream, comments left out.
pub fn events(body: &[u8]) -> Vec<Event> {
    String::from_utf8_lossy(body)
        .replace("\r\n", "\n")
        .split("\n\n")
        .filter_map(|block| {
            let lines: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            (!lines.is_empty()).then(|| event(&lines.join("\n")))
        })
        .collect()
}

fn event(data: &str) -> Event {
    let data = data.trim();
    if data == "[DONE]" {
        return Event::Done;
    }
    serde_json::from_str(data).map_or_else(|_| Event::Other(data.to_owned()), Event::Data)
}

/// The text that all chunks of a chat stream say together.
pub fn text(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(Event::json)
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whatever_the_line_ends() {
        let body = b": wait\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\ndata: x\n\ndata: [DONE]\n\n";
        let read = events(body);
        assert_eq!(read.len(), 3);
        assert_eq!(text(&read), "a");
        assert_eq!(read[1], Event::Other("x".to_owned()));
        assert_eq!(read[2], Event::Done);
    }
}
