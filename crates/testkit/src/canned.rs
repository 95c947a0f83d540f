//! A provider for measurements: one thread, prepared bytes, no latency of its own. Whatever time a measurement
//! shows is the time of what stands in front of it.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::upstream::{Tokens, chat_body, chunk_body, head_end};

/// What the provider answers.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Content chunks of a stream.
    pub stream_frames: usize,
    /// Pause before each frame of a stream, microseconds.
    pub delay_us: u64,
    /// Pause after the first frame of a stream, microseconds: who shares a core with the provider sees that frame when it
    /// comes, not when the provider has written all others.
    pub pause_us: u64,
    /// Size of a whole answer's body, bytes, as near as the text allows.
    pub answer_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { stream_frames: 50, delay_us: 0, pause_us: 0, answer_bytes: 700 }
    }
}

struct Answers {
    plain: Vec<u8>,
    stream_head: Vec<u8>,
    frames: Vec<Vec<u8>>,
    delay: Option<Duration>,
    pause: Option<Duration>,
}

impl Answers {
    fn new(options: Options) -> Answers {
        let tokens = Tokens::new(200, options.stream_frames as u64);
        let bare = chat_body("", tokens).to_string().len();
        let body = chat_body(&"x".repeat(options.answer_bytes.saturating_sub(bare)), tokens).to_string();
        let length = body.len();
        let plain = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let stream_head =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec();
        let framed = |data: String| {
            let event = format!("data: {data}\n\n");
            format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
        };
        let word = chunk_body(json!({ "content": "word " }), None).to_string();
        let mut frames = vec![framed(word); options.stream_frames];
        frames.push(framed(chunk_body(json!({}), Some("stop")).to_string()));
        let mut usage = chunk_body(json!({}), None);
        usage["choices"] = json!([]);
        usage["usage"] = tokens.json();
        frames.push(framed(usage.to_string()));
        let mut done = framed("[DONE]".to_owned());
        done.extend_from_slice(b"0\r\n\r\n");
        frames.push(done);
        let wait = |us: u64| (us > 0).then(|| Duration::from_micros(us));
        let (delay, pause) = (wait(options.delay_us), wait(options.pause_us));
        Answers { plain: plain.into_bytes(), stream_head, frames, delay, pause }
    }
}

/// Serves until the process ends. Run it on a current-thread runtime inside a `LocalSet`.
pub async fn serve(listener: TcpListener, options: Options) -> io::Result<()> {
    let answers = Rc::new(Answers::new(options));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Rc::clone(&answers);
        tokio::task::spawn_local(async move {
            // A caller who leaves ends its connection and nothing else.
            let _ = connection(stream, &answers).await;
        });
    }
}

async fn connection(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    loop {
        let head = loop {
            if let Some(end) = head_end(&buffer) {
                break end;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let whole = head + content_length(buffer.get(..head).unwrap_or_default());
        while buffer.len() < whole {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let streamed = wants_stream(buffer.get(head..whole).unwrap_or_default());
        let _ = buffer.split_to(whole);
        if streamed {
            send_stream(&mut stream, answers).await?;
        } else {
            stream.write_all(&answers.plain).await?;
        }
    }
}

async fn send_stream(stream: &mut TcpStream, answers: &Answers) -> io::Result<()> {
    stream.write_all(&answers.stream_head).await?;
    for (number, frame) in answers.frames.iter().enumerate() {
        if let Some(wait) = answers.pause.filter(|_| number == 1).or(answers.delay) {
            tokio::time::sleep(wait).await;
        }
        stream.write_all(frame).await?;
    }
    Ok(())
}

fn content_length(head: &[u8]) -> usize {
    let lower = head.to_ascii_lowercase();
    let name = b"content-length:";
    let value = memchr::memmem::find(&lower, name).and_then(|at| lower.get(at + name.len()..));
    let digits = value.unwrap_or_default().iter().copied().skip_while(u8::is_ascii_whitespace);
    digits.take_while(u8::is_ascii_digit).fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}

fn wants_stream(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"stream\":true").is_some()
        || memchr::memmem::find(body, b"\"stream\": true").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(content_length(b"POST / HTTP/1.1\r\nContent-Length:  42\r\n\r\n"), 42);
        assert_eq!(content_length(b"GET / HTTP/1.1\r\n\r\n"), 0);
        assert!(wants_stream(br#"{"stream": true}"#));
        assert!(!wants_stream(br#"{"stream":false}"#));
    }

    #[test]
    fn a_plain_answer_has_about_the_size_asked_for() {
        let answers = Answers::new(Options { answer_bytes: 900, ..Options::default() });
        let head = head_end(&answers.plain).unwrap();
        assert_eq!(answers.plain.len() - head, 900);
        assert_eq!(answers.frames.len(), 53);
    }
}
