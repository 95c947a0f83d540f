//! One attempt's stream: the provider's bytes in, our events out. Shared by the attempt loop, which waits for the first
//! event before anything is committed, and by the pump, which carries on from there.

use std::ops::ControlFlow;

use bytes::Bytes;
use wire::hub::{Carry, ChunkError, Ident};
use wire::openai_chat::Relay;

use crate::cache::{Player, Tape};
use crate::frames::{FrameOf, Frames};
use crate::guarding::{self, Found};
use crate::upstream::{Framing, UpstreamBody};

/// Why a stream is over before it was complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegFailure {
    /// The provider reported an error.
    Provider(wire::provider_error::ProviderError),
    /// A chunk or event is broken or too large.
    Malformed(String),
    /// The connection broke, or ended before the answer did.
    CutOff,
    /// A guardrail blocks what it says.
    Refused,
}

/// A stream on its way through.
#[derive(Debug)]
pub struct Leg {
    upstream: Option<UpstreamBody>,
    frames: Frames,
    /// The translation; knows what was seen so far.
    pub carry: Box<dyn Carry>,
    /// What the client gets next.
    pub out: Vec<u8>,
    /// Set when it is over before it was complete.
    pub failure: Option<LegFailure>,
    /// Nothing more will come.
    pub over: bool,
    /// Takes down what the provider says, for the cache; gone when that is too large for it.
    pub tape: Option<Box<Tape>>,
    /// What guardrails found so far, where any look.
    pub found: Option<Found>,
    /// Bytes of the provider's body so far.
    pub read_bytes: u64,
    /// An answer of the cache, told once more in the provider's stead.
    player: Option<Player>,
}

impl Leg {
    /// Begins with a provider's body.
    pub fn new(upstream: UpstreamBody, frames: Frames, carry: Box<dyn Carry>) -> Leg {
        Leg {
            upstream: Some(upstream),
            frames,
            carry,
            out: Vec::with_capacity(1024),
            failure: None,
            over: false,
            tape: None,
            found: None,
            read_bytes: 0,
            player: None,
        }
    }

    /// Tells an answer of the cache once more.
    pub(crate) fn again(player: Player, carry: Box<dyn Carry>) -> Leg {
        Leg { player: Some(player), over: false, ..Leg::whole(carry, Vec::new()) }
    }

    /// A stream of an answer that came whole.
    pub fn whole(carry: Box<dyn Carry>, out: Vec<u8>) -> Leg {
        let frames = Frames::new(Framing::Sse, 0);
        Leg {
            upstream: None,
            frames,
            carry,
            out,
            failure: None,
            over: true,
            tape: None,
            found: None,
            read_bytes: 0,
            player: None,
        }
    }

    /// Takes over what was found in an answer that came whole; where something blocks it, nothing of it leaves.
    pub(crate) fn refuse_whole(&mut self, found: Option<Found>) {
        if guarding::blocked(found.as_ref()).is_some() {
            self.out.clear();
            self.failure = Some(LegFailure::Refused);
        }
        self.found = found;
    }

    /// Polls the provider once and takes in what came. `Ready(true)`: an event was among it, which is progress.
    pub fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<bool> {
        let Some(upstream) = &mut self.upstream else { return std::task::Poll::Ready(self.play()) };
        upstream.poll(cx).map(|next| match next {
            Some(Ok(bytes)) => self.feed(&bytes),
            Some(Err(_)) => {
                self.fail_unless_complete(LegFailure::CutOff);
                false
            }
            None => {
                self.end();
                false
            }
        })
    }

    /// Takes in the next frame of an answer of the cache; true when there was one.
    fn play(&mut self) -> bool {
        let Some(player) = &mut self.player else { return false };
        let (carry, out) = (&mut *self.carry, &mut self.out);
        let (mut failure, mut progress) = (None, false);
        let more = player.play(|name, data| {
            let _ = take(FrameOf::Data { name, data }, carry, out, &mut progress, &mut failure);
        });
        match more {
            true => self.after(failure),
            false => self.end(),
        }
        progress
    }

    /// Takes in the provider's next bytes; true when an event was among them.
    fn feed(&mut self, bytes: &Bytes) -> bool {
        self.read_bytes += bytes.len() as u64;
        let (carry, out, tape) = (&mut *self.carry, &mut self.out, &mut self.tape);
        let mut failure = None;
        let mut progress = false;
        let mut on = |frame: FrameOf<'_>| {
            record(frame, tape);
            take(frame, carry, out, &mut progress, &mut failure)
        };
        let fed = self.frames.feed(bytes, &mut on);
        if let Err(error) = fed {
            failure = Some(LegFailure::Malformed(error));
        }
        self.after(failure);
        progress
    }

    /// The provider's body has ended.
    fn end(&mut self) {
        let (carry, out, tape) = (&mut *self.carry, &mut self.out, &mut self.tape);
        let mut failure = None;
        let mut progress = false;
        self.frames.finish(&mut |frame| {
            record(frame, tape);
            take(frame, carry, out, &mut progress, &mut failure)
        });
        if failure.is_none() {
            carry.end(out);
            failure = carry.refused().map(|_| LegFailure::Refused);
        }
        self.after(failure);
        self.upstream = None;
        if !self.over {
            self.fail_unless_complete(LegFailure::CutOff);
        }
    }

    fn after(&mut self, failure: Option<LegFailure>) {
        if let Some(failure) = failure {
            self.failure = Some(failure);
            self.over = true;
        } else if self.carry.seen().done {
            self.over = true;
        }
    }

    /// A provider that said its finish reason and then breaks off has said all there is to say.
    fn fail_unless_complete(&mut self, failure: LegFailure) {
        self.over = true;
        if !self.carry.is_complete() {
            self.failure = Some(failure);
        }
    }

    /// It has taken too long: nothing more is waited for.
    pub(crate) fn give_up(&mut self, why: String) {
        self.upstream = None;
        self.fail_unless_complete(LegFailure::Malformed(why));
    }

    /// The whole leg, leaving a spent one behind.
    pub fn take(&mut self) -> Leg {
        let spent = Leg::whole(Box::new(Relay::new(Ident::default())), Vec::new());
        std::mem::replace(self, spent)
    }

    /// What is left of the provider's body: its end, so that the connection can be used again.
    pub fn rest(&mut self) -> Option<UpstreamBody> {
        self.upstream.take()
    }
}

/// Takes a frame down, as long as there is room for it.
fn record(frame: FrameOf<'_>, tape: &mut Option<Box<Tape>>) {
    if let (Some(on), FrameOf::Data { name, data }) = (tape.as_mut(), frame)
        && !on.take(name, data)
    {
        *tape = None;
    }
}

fn take(
    frame: FrameOf<'_>,
    carry: &mut dyn Carry,
    out: &mut Vec<u8>,
    progress: &mut bool,
    failure: &mut Option<LegFailure>,
) -> ControlFlow<()> {
    match frame {
        FrameOf::Comment(text) => {
            // A keep-alive is passed on once the stream has begun; before, it would commit us to nothing.
            if carry.seen().chunks > 0 {
                carry.comment(text, out);
            }
            ControlFlow::Continue(())
        }
        FrameOf::Data { name, data } => {
            *progress = true;
            match carry.frame(name, data, out) {
                Ok(()) if carry.seen().done => ControlFlow::Break(()),
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    *failure = Some(match error {
                        ChunkError::Provider(error) => LegFailure::Provider(error),
                        ChunkError::Json(error) => LegFailure::Malformed(error.to_string()),
                        ChunkError::Refused(_) => LegFailure::Refused,
                    });
                    ControlFlow::Break(())
                }
            }
        }
    }
}
