//! Models, who makes them, and who says what about them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::facts::facts;
use crate::kind;
use crate::named::named;

/// Where facts come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file's name.
    pub id: Arc<str>,
    /// Its name for people.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What to know about it.
    pub note: Option<String>,
}

/// Who makes models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The file's name: `mistralai`.
    pub id: Arc<str>,
    /// Its name for people.
    pub name: String,
    /// Its site.
    pub url: Option<String>,
    /// Where it sits, ISO 3166 two letters.
    pub country: Option<String>,
}

named! {
    /// What goes into a model or comes out.
    #[derive(PartialOrd, Ord)]
    Modality {
        /// Words.
        Text = "text",
        /// Pictures.
        Image = "image",
        /// Documents, such as PDF.
        File = "file",
        /// Sound.
        Audio = "audio",
        /// Moving pictures.
        Video = "video",
        /// Vectors.
        Embeddings = "embeddings",
        /// An order of documents.
        Rerank = "rerank",
        /// The words of sound.
        Transcription = "transcription",
    }
}

impl Modality {
    /// What can go in.
    pub const INPUTS: [Modality; 5] =
        [Modality::Text, Modality::Image, Modality::File, Modality::Audio, Modality::Video];
    /// What can come out.
    pub const OUTPUTS: [Modality; 7] = [
        Modality::Text,
        Modality::Embeddings,
        Modality::Image,
        Modality::Audio,
        Modality::Video,
        Modality::Rerank,
        Modality::Transcription,
    ];
}

named! {
    /// What a model is for. Only `Chat` models are candidates of automatic choice.
    #[derive(Default)]
    Purpose {
        /// General conversation and instructions.
        #[default]
        Chat = "chat",
        /// Continues raw text.
        Completion = "completion",
        /// Judges whether text is allowed.
        Moderation = "moderation",
        /// Reads documents.
        Ocr = "ocr",
        /// Translates.
        Translation = "translation",
        /// Applies edits to code.
        Edit = "edit",
        /// Speaks over a live connection only.
        Realtime = "realtime",
    }
}

facts! {
    /// What is known of a model. Absent is unknown.
    ModelFacts {
        /// The day of release; a month or a year where no more is known.
        released: String = DATE,
        /// The date up to which it was trained.
        knowledge_cutoff: String = DATE,
        /// Whether its weights can be had.
        open_weights: bool = BOOL,
        /// Where its weights are.
        weights_url: String = URL,
        /// SPDX id or name.
        license: String = TEXT,
        /// Such as `Mixture of Experts`.
        architecture: String = TEXT,
        /// Parameters in all.
        parameters: u64 = COUNT,
        /// Parameters used per token.
        active_parameters: u64 = COUNT,
        /// Input and output tokens together.
        context_tokens: u64 = COUNT,
        /// The most output tokens of one answer.
        max_output_tokens: u64 = COUNT,
        /// What it takes.
        input_modalities: Vec<Modality> = INPUTS,
        /// What it gives.
        output_modalities: Vec<Modality> = OUTPUTS,
        /// Whether it can reason before it answers.
        reasoning: bool = BOOL,
        /// Whether it can call tools.
        tool_call: bool = BOOL,
        /// Whether it can be held to a JSON schema.
        structured_output: bool = BOOL,
        /// Whether it takes the parameter `temperature`.
        temperature: bool = BOOL,
        /// What it is for; absent: chat.
        purpose: Purpose = PURPOSE,
        /// The day from which its maker no longer stands behind it; hosts may serve it on.
        retires: String = DATE,
        /// Id of the model that its maker names in its place.
        successor: String = TEXT,
    }
}

/// A published result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Benchmark {
    /// Which test.
    pub name: String,
    /// Decimal text.
    pub score: String,
    /// What the score counts: `percent`.
    pub metric: Option<String>,
    /// Source id.
    #[serde(with = "crate::codec::shared")]
    pub source: Arc<str>,
    /// When it was published.
    pub date: Option<String>,
}

/// What people ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// `<author>/<slug>`.
    pub id: Arc<str>,
    /// Author id: the part of the id before the slash.
    pub author: Arc<str>,
    /// The part of the id after the slash.
    pub slug: Arc<str>,
    /// Its name for people.
    pub name: String,
    /// Two or three sentences.
    pub description: Option<String>,
    /// The line of models it belongs to: `mistral-small`.
    pub family: Option<String>,
    /// Other ids under which it is asked for.
    pub aliases: Vec<String>,
    /// What is known of it.
    pub facts: ModelFacts,
    /// Published results.
    pub benchmarks: Vec<Benchmark>,
    /// Source of what carries none of its own.
    #[serde(with = "crate::codec::shared")]
    pub source: Arc<str>,
    /// Date of what carries none of its own.
    #[serde(with = "crate::codec::shared")]
    pub as_of: Arc<str>,
    /// True for a model that only the configuration knows.
    pub from_config: bool,
}

impl Model {
    /// True for what answers conversations: purpose chat, text in, text out.
    pub fn is_chat(&self) -> bool {
        self.purpose() == Purpose::Chat
            && self.input_modalities().contains(&Modality::Text)
            && self.output_modalities().contains(&Modality::Text)
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.facts.purpose.as_ref().map_or(Purpose::Chat, |claim| claim.value)
    }

    /// The day of release since 1970; a month or year counts from its first day.
    pub fn released_day(&self) -> Option<i64> {
        self.facts.released.as_ref().and_then(|claim| kind::day(&claim.value))
    }

    /// The day from which its maker no longer stands behind it, since 1970.
    pub fn retires_day(&self) -> Option<i64> {
        self.facts.retires.as_ref().and_then(|claim| kind::day(&claim.value))
    }

    /// The instant of release, seconds since 1970.
    pub fn released_unix(&self) -> Option<i64> {
        self.released_day().map(|day| day.saturating_mul(86_400))
    }

    /// Input and output tokens together.
    pub fn context_tokens(&self) -> Option<u64> {
        self.facts.context_tokens.as_ref().map(|claim| claim.value)
    }

    /// The most output tokens of one answer.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.facts.max_output_tokens.as_ref().map(|claim| claim.value)
    }

    /// What it takes; text where nobody says.
    pub fn input_modalities(&self) -> &[Modality] {
        self.facts.input_modalities.as_ref().map_or(&[Modality::Text], |claim| claim.value.as_slice())
    }

    /// What it gives; text where nobody says.
    pub fn output_modalities(&self) -> &[Modality] {
        self.facts.output_modalities.as_ref().map_or(&[Modality::Text], |claim| claim.value.as_slice())
    }

    /// Whether it can reason; `None` where nobody says.
    pub fn reasoning(&self) -> Option<bool> {
        self.facts.reasoning.as_ref().map(|claim| claim.value)
    }

    /// Whether it can call tools; `None` where nobody says.
    pub fn tool_call(&self) -> Option<bool> {
        self.facts.tool_call.as_ref().map(|claim| claim.value)
    }

    /// Whether it can be held to a JSON schema; `None` where nobody says.
    pub fn structured_output(&self) -> Option<bool> {
        self.facts.structured_output.as_ref().map(|claim| claim.value)
    }
}
