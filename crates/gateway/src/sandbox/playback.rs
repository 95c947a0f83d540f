//! A script of bytes and waits, played as a provider's body.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Sleep;

use crate::upstream::BodyBroken;

/// What is played, step by step.
#[derive(Debug)]
pub(crate) struct Playback {
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Step {
    Wait(Duration),
    Bytes(Vec<u8>),
    Hang,
    Break,
}

impl Playback {
    /// A body that comes whole after a wait.
    pub(crate) fn whole(text: String, wait: Duration) -> Playback {
        let mut play = Playback::after(wait);
        play.raw(&text);
        play
    }

    /// An empty body that begins after a wait.
    pub(crate) fn after(wait: Duration) -> Playback {
        let mut play = Playback { steps: VecDeque::new(), waiting: None };
        play.wait(wait);
        play
    }

    pub(crate) fn wait(&mut self, wait: Duration) {
        if !wait.is_zero() {
            self.steps.push_back(Step::Wait(wait));
        }
    }

    pub(crate) fn raw(&mut self, text: &str) {
        // What is played without a wait between arrives together, as from a socket.
        match self.steps.back_mut() {
            Some(Step::Bytes(bytes)) => bytes.extend_from_slice(text.as_bytes()),
            _ => self.steps.push_back(Step::Bytes(text.as_bytes().to_vec())),
        }
    }

    pub(crate) fn event(&mut self, data: &Value) {
        self.raw(&format!("data: {data}\n\n"));
    }

    pub(crate) fn then_hang(mut self) -> Playback {
        self.steps.push_back(Step::Hang);
        self
    }

    pub(crate) fn then_break(mut self) -> Playback {
        self.steps.push_back(Step::Break);
        self
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyBroken>>> {
        loop {
            if let Some(sleep) = &mut self.waiting {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes.into()))),
                Some(Step::Wait(wait)) => self.waiting = Some(Box::pin(tokio::time::sleep(wait))),
                Some(Step::Break) => return Poll::Ready(Some(Err(BodyBroken))),
                Some(Step::Hang) => {
                    // Nothing will ever wake this: the caller's own timeouts end it.
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
            }
        }
    }
}
