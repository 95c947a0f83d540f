//! Plays scripts on one connection. While a script waits, the socket is watched, so that a caller who leaves is
//! seen at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::request::{self, Phase};
use super::script::{Split, Step, pieces};
use super::{Script, Shared};

/// Read ahead at most, bytes: a caller that talks on while it waits for its answer.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;

/// How a script's play ended.
enum Ending {
    /// The next request may come.
    KeepAlive,
    /// The upstream closes.
    Close,
    /// The upstream closes with RST.
    Reset,
    /// The caller has left.
    CallerLeft,
}

pub(super) async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let mut player =
        Player { read, write, buffer: BytesMut::with_capacity(8192), out: Vec::new(), body_offset: 0 };
    loop {
        let Some(request) = request::read(&mut player.read, &mut player.buffer).await else { return };
        let script = shared.take(&request);
        let ending = player.play(&script).await;
        request.set_phase(if matches!(ending, Ending::CallerLeft) {
            Phase::CallerLeft
        } else {
            Phase::Played
        });
        match ending {
            Ending::KeepAlive => {}
            Ending::Close | Ending::CallerLeft => return,
            Ending::Reset => {
                if let Ok(stream) = player.read.reunite(player.write) {
                    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                }
                return;
            }
        }
    }
}

struct Player {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    buffer: BytesMut,
    out: Vec<u8>,
    body_offset: usize,
}

impl Player {
    async fn play(&mut self, script: &Script) -> Ending {
        self.body_offset = 0;
        for step in &script.steps {
            let alive = match step {
                Step::Raw(bytes) => {
                    self.out.extend_from_slice(bytes);
                    true
                }
                Step::Payload(bytes) => self.payload(bytes, script).await,
                Step::End => {
                    self.out.extend_from_slice(b"0\r\n\r\n");
                    true
                }
                Step::Delay(delay_ms) => {
                    let delay = tokio::time::sleep(Duration::from_millis(*delay_ms));
                    self.flush().await && self.watch(delay).await
                }
                Step::Wait(gate) => self.flush().await && self.watch(gate.wait()).await,
                Step::Hang => self.flush().await && self.watch(std::future::pending()).await,
                Step::Reset | Step::Close => {
                    let flushed = self.flush().await;
                    let close = if matches!(step, Step::Reset) { Ending::Reset } else { Ending::Close };
                    return if flushed { close } else { Ending::CallerLeft };
                }
            };
            if !alive {
                return Ending::CallerLeft;
            }
        }
        if self.flush().await { Ending::KeepAlive } else { Ending::CallerLeft }
    }

    /// Adds a payload in its framing. A streamed piece is written at once, a plain body with its head at the end.
    async fn payload(&mut self, payload: &Bytes, script: &Script) -> bool {
        let parts = pieces(payload, self.body_offset, script.split);
        self.body_offset += payload.len();
        for piece in parts {
            if script.chunked {
                self.out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                self.out.extend_from_slice(&piece);
                self.out.extend_from_slice(b"\r\n");
            } else {
                self.out.extend_from_slice(&piece);
            }
            if (script.chunked || script.split != Split::Whole) && !self.flush().await {
                return false;
            }
        }
        true
    }

    async fn flush(&mut self) -> bool {
        let written = self.write.write_all(&self.out).await.is_ok();
        self.out.clear();
        written
    }

    /// Waits for `until` and says whether the caller is still there.
    async fn watch(&mut self, until: impl Future<Output = ()>) -> bool {
        tokio::pin!(until);
        loop {
            if self.buffer.len() > READ_AHEAD_BYTES_MAX {
                return false;
            }
            tokio::select! {
                biased;
                read = self.read.read_buf(&mut self.buffer) => {
                    if !matches!(read, Ok(bytes) if bytes > 0) {
                        return false;
                    }
                }
                () = &mut until => return true,
            }
        }
    }
}
