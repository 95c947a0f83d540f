//! OpenAI Chat Completions: the dialect of most clients and most providers.

mod adapt;
mod request;
mod response;
mod stream;

pub use adapt::{Adapt, Adapted, StreamUsage};
pub use request::{
    ChatRequest, MESSAGES_MAX, MODELS_MAX, MaxTokens, Needs, ProviderPreferences, RequestError,
};
pub use response::{Answer, render, scan};
pub use stream::Relay;
