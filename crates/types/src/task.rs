//! What a call wants made.

use crate::PriceKind;

/// What a call wants made. Each has a path of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Task {
    /// The next turn of a conversation.
    #[default]
    Generate,
    /// Vectors of texts.
    Embeddings,
    /// Documents in the order of their relevance.
    Rerank,
    /// Images from a text.
    Images,
    /// Speech from a text.
    Speech,
    /// Text from speech.
    Transcription,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 6] =
        [Task::Generate, Task::Embeddings, Task::Rerank, Task::Images, Task::Speech, Task::Transcription];

    /// What its answers are counted in: at least one of these needs a price.
    pub const fn counted_in(self) -> &'static [PriceKind] {
        match self {
            Task::Generate => &[PriceKind::Input, PriceKind::Output],
            Task::Embeddings => &[PriceKind::Input, PriceKind::Requests],
            Task::Rerank => &[PriceKind::Searches, PriceKind::Input, PriceKind::Requests],
            Task::Images => {
                &[PriceKind::Images, PriceKind::ImageOutput, PriceKind::Output, PriceKind::Requests]
            }
            Task::Speech => {
                &[PriceKind::Characters, PriceKind::AudioOutput, PriceKind::Output, PriceKind::Requests]
            }
            Task::Transcription => {
                &[PriceKind::AudioSeconds, PriceKind::AudioInput, PriceKind::Input, PriceKind::Requests]
            }
        }
    }
}
