//! What a virtual model is told of a request: the kind of work, and where the dial stands.

use std::borrow::Cow;

use routing::classify::features::View;
use routing::classify::{self, CONFIDENCE_MIN, Judgement, LABELS, Label};
use routing::quality::Work;
use wire::call::Call;
use wire::hub::{Content, Role};

use crate::intake::{Hints, Preference};

/// User messages that are looked at.
const MESSAGES_MAX: usize = 3;

/// What was judged of a request.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// `code`, `chat`, ...; `tool_use` and `multimodal` go before any label; `unknown` where no label is likely enough.
    pub task: &'static str,
    /// How sure that is, 0 to 1; `None` where nothing was guessed.
    pub confidence: Option<f32>,
    /// What models are rated for.
    pub work: Work,
}

/// Judges a request.
pub fn judge(call: &Call<'_>) -> Judged {
    let needs = call.asked().needs;
    let unknown = Work::Mixture([1.0 / LABELS as f32; LABELS]);
    if needs.tools {
        return Judged { task: "tool_use", confidence: None, work: Work::Tools };
    }
    if needs.image || needs.audio || needs.file {
        return Judged { task: "multimodal", confidence: None, work: unknown };
    }
    let judgement = judgement(call);
    let (label, confidence) = judgement.best();
    let task = if confidence >= CONFIDENCE_MIN { label.name() } else { "unknown" };
    Judged { task, confidence: Some(confidence), work: Work::judged(&judgement) }
}

fn judgement(call: &Call<'_>) -> Judgement {
    let Ok(request) = call.request() else {
        // What can't be read is refused elsewhere.
        let mut shares = [0.0; LABELS];
        if let Some(share) = shares.get_mut(Label::Chat as usize) {
            *share = 1.0;
        }
        return Judgement { shares };
    };
    let of_role = |role: Role| request.turns.iter().filter(move |turn| turn.role == role);
    let system = of_role(Role::System).map(|turn| text(&turn.blocks)).find(|text| !text.is_empty());
    let users = of_role(Role::User).rev().map(|turn| text(&turn.blocks)).filter(|text| !text.is_empty());
    let users: Vec<Cow<'_, str>> = users.take(MESSAGES_MAX).collect();
    let earlier = users.iter().skip(1).rev().map(AsRef::as_ref).collect();
    let answer = of_role(Role::Assistant).next_back().map(|turn| text(&turn.blocks));
    let view = View {
        system: system.as_deref().unwrap_or_default(),
        earlier,
        answer: answer.as_deref().unwrap_or_default(),
        last: users.first().map(AsRef::as_ref).unwrap_or_default(),
    };
    classify::judge(&view)
}

/// The text of a message: borrowed where it is one piece.
fn text<'r>(blocks: &'r [wire::hub::Block<'_>]) -> Cow<'r, str> {
    let mut texts = blocks.iter().filter_map(|block| match &block.content {
        Content::Text(text) => Some(text.as_ref()),
        _ => None,
    });
    let Some(first) = texts.next() else { return Cow::Borrowed("") };
    texts.fold(Cow::Borrowed(first), |all, text| Cow::Owned(format!("{all}\n{text}")))
}

/// Where the caller put the dial, and whether it wants what begins soonest: a preference goes before the dial.
pub fn dial(hints: &Hints) -> (Option<f64>, bool) {
    match hints.preference {
        Some(Preference::Latency) => (hints.cost_quality, true),
        Some(Preference::Cost) => (Some(routing::guide::CHEAP_DIAL), false),
        Some(Preference::Quality) => (Some(0.0), false),
        Some(Preference::Balanced) => (Some(routing::guide::AUTO_DIAL), false),
        None => (hints.cost_quality, false),
    }
}
