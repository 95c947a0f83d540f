//! Programs to copy: how a model is called here, and how it is called at its provider without us.
//!
//! - They run as printed: the key comes from the variable that is named beside them, everything else stands in them.
//! - Every value in them is written as a literal of its language, so that no id and no address becomes code.
//! - TypeScript is also plain JavaScript, as a module.

mod anthropic;
mod literal;
mod openai;
mod others;
mod recipe;

use catalog::{Modality, Model, Purpose};

pub(crate) use recipe::{Recipe, recipe};

/// What a model is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The next turn of a conversation.
    Chat,
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

impl Kind {
    /// What a model is called for; `None` where there is no path for it (video, live connections, moderation).
    pub(crate) fn of(model: &Model) -> Option<Kind> {
        if matches!(model.purpose(), Purpose::Realtime | Purpose::Moderation | Purpose::Completion) {
            return None;
        }
        let (inputs, outputs) = (model.input_modalities(), model.output_modalities());
        let gives = |modality| outputs.contains(&modality);
        let takes_text = inputs.contains(&Modality::Text);
        match () {
            () if gives(Modality::Embeddings) => Some(Kind::Embeddings),
            () if gives(Modality::Rerank) => Some(Kind::Rerank),
            () if gives(Modality::Transcription) => Some(Kind::Transcription),
            () if gives(Modality::Text) && takes_text => Some(Kind::Chat),
            () if gives(Modality::Text) && inputs.contains(&Modality::Audio) => Some(Kind::Transcription),
            () if gives(Modality::Image) && takes_text => Some(Kind::Images),
            () if gives(Modality::Audio) && takes_text => Some(Kind::Speech),
            () => None,
        }
    }
}

/// What a program is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// A shell with curl.
    Curl,
    /// Python 3.
    Python,
    /// TypeScript, or JavaScript as a module.
    TypeScript,
}

impl Language {
    /// The name in classes and data.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Language::Curl => "curl",
            Language::Python => "python",
            Language::TypeScript => "typescript",
        }
    }

    /// The name for people.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Language::Curl => "curl",
            Language::Python => "Python",
            Language::TypeScript => "TypeScript",
        }
    }
}

/// A program to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// Unique among those beside it: `python-openai`.
    pub(crate) id: String,
    /// For people: `Python`, `Python, Anthropic SDK`.
    pub(crate) label: String,
    /// What it is written in.
    pub(crate) language: Language,
    /// The package that it uses; `None` for curl.
    pub(crate) package: Option<&'static str>,
    /// How to get the package.
    pub(crate) install: Option<String>,
    /// The environment variables that it reads.
    pub(crate) variables: Vec<String>,
    /// A file that it reads from the folder in which it runs.
    pub(crate) reads: Option<&'static str>,
    /// A file that it writes there.
    pub(crate) writes: Option<&'static str>,
    /// The program, with a line feed at its end.
    pub(crate) code: String,
}

/// Where the reader reaches this gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Scheme and host without a slash at the end and without `/v1`.
    pub(crate) base_url: &'a str,
    /// The variable that holds the key: `TOLLWAY_KEY`.
    pub(crate) key_variable: &'a str,
}

/// How a key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth<'a> {
    Bearer,
    Header(&'a str),
    None,
}

/// Whom a program calls.
#[derive(Clone, Copy, Debug)]
struct Target<'a> {
    /// The address that paths are appended to; `${NAME}` stands for a variable.
    base: &'a str,
    /// The variable that holds the key.
    key: &'a str,
    auth: Auth<'a>,
    model: &'a str,
}

impl Target<'_> {
    /// The variables that a program reads.
    fn variables(&self) -> Vec<String> {
        let mut all = literal::placeholders(self.base);
        if self.auth != Auth::None {
            all.insert(0, self.key.to_owned());
        }
        all
    }

    fn snippet(&self, language: Language, sdk: Option<Sdk>, code: String) -> Snippet {
        let package = sdk.map(|sdk| sdk.package);
        let install = sdk.map(|sdk| match language {
            Language::Python => format!("pip install {}", sdk.package),
            _ => format!("npm install {}", sdk.package),
        });
        let id = match sdk {
            Some(sdk) => format!("{}-{}", language.name(), sdk.id),
            None => language.name().to_owned(),
        };
        Snippet {
            id,
            label: language.label().to_owned(),
            language,
            package,
            install,
            variables: self.variables(),
            reads: None,
            writes: None,
            code,
        }
    }
}

/// A package of an author's.
#[derive(Clone, Copy, Debug)]
struct Sdk {
    id: &'static str,
    package: &'static str,
}

/// How a model is called here: with curl and the OpenAI SDKs, for conversations streamed and with the Anthropic SDKs too.
pub(crate) fn quickstart(place: &Place<'_>, model_id: &str, kind: Kind) -> Vec<Snippet> {
    let base = format!("{}/v1", place.base_url);
    let target = Target { base: &base, key: place.key_variable, auth: Auth::Bearer, model: model_id };
    let mut all = openai::calls(&target, kind);
    if kind == Kind::Chat {
        all.push(openai::streamed(&target));
        // Its SDKs append `/v1` themselves, and send the key in a header of their own, which is taken on their paths.
        all.extend(
            anthropic::sdks(&target, place.base_url, false)
                .into_iter()
                .map(|snippet| Snippet { label: format!("{}, Anthropic SDK", snippet.label), ..snippet }),
        );
    }
    all
}

/// The shell variable that examples keep the key in: `tollway` gives `TOLLWAY_KEY`.
pub(crate) fn key_variable(brand_slug: &str) -> String {
    let upper =
        brand_slug.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    let name: String = upper.collect();
    // A variable can't begin with a digit.
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { format!("{name}_KEY") } else { "API_KEY".into() }
}

#[cfg(test)]
mod tests;
