//! A caller's request, whatever its dialect.

use std::borrow::Cow;

use super::{Address, Dialect, Seal};
use crate::node::Node;

/// A request. Borrowed from the caller's body.
#[derive(Debug)]
pub struct Request<'b> {
    /// The caller's dialect.
    pub origin: Dialect,
    /// The conversation in order, system turns included.
    pub turns: Vec<Turn<'b>>,
    /// Tools on offer.
    pub tools: Vec<Tool<'b>>,
    /// Which tool must or may be called.
    pub tool_choice: Option<ToolChoice<'b>>,
    /// False: at most one call per answer.
    pub parallel_tool_calls: Option<bool>,
    /// The caller's cap on output tokens, reasoning included.
    pub max_tokens: Option<u64>,
    /// How many answers; 1 when absent.
    pub choices: u32,
    /// Whether it is to be streamed.
    pub stream: bool,
    /// Sampling parameters, numbers as they were written.
    pub sampling: Sampling<'b>,
    /// Texts that end the answer.
    pub stop: Vec<Cow<'b, str>>,
    /// What is asked of the model's reasoning; `None`: nothing.
    pub thinking: Option<Thinking<'b>>,
    /// The form that the answer must have; `None`: free text.
    pub format: Option<Format<'b>>,
    /// `low`, `medium`, `high`: how wordy.
    pub verbosity: Option<Cow<'b, str>>,
    /// Log-probabilities are wanted, with so many alternatives.
    pub logprobs: Option<u32>,
    /// `auto`, `default`, `flex`, `priority`, ...
    pub service_tier: Option<Cow<'b, str>>,
    /// The caller's own user, for abuse reports.
    pub user: Option<Cow<'b, str>>,
    /// Cache control of the request as a whole (automatic breakpoints).
    pub cache: Option<CacheControl>,
    /// What a provider may route its cache by.
    pub prompt_cache_key: Option<Cow<'b, str>>,
    /// Key-value pairs for the caller's own records.
    pub metadata: Option<Node<'b>>,
    /// Search the web.
    pub web_search: Option<WebSearch<'b>>,
    /// OpenAI's `prediction`.
    pub prediction: Option<Node<'b>>,
    /// OpenAI's `logit_bias`.
    pub logit_bias: Option<Node<'b>>,
    /// Output modalities, when the caller named them: `text`, `image`, `audio`.
    pub modalities: Vec<Cow<'b, str>>,
    /// OpenAI's `audio`: voice and format of spoken answers.
    pub audio: Option<Node<'b>>,
    /// Fields that no form here names, with where they stood. A target of the caller's family gets them, others warn.
    pub rest: Vec<Rest<'b>>,
}

impl<'b> Request<'b> {
    /// A request with nothing in it.
    pub fn new(origin: Dialect) -> Request<'b> {
        Request {
            origin,
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            max_tokens: None,
            choices: 1,
            stream: false,
            sampling: Sampling::default(),
            stop: Vec::new(),
            thinking: None,
            format: None,
            verbosity: None,
            logprobs: None,
            service_tier: None,
            user: None,
            cache: None,
            prompt_cache_key: None,
            metadata: None,
            web_search: None,
            prediction: None,
            logit_bias: None,
            modalities: Vec::new(),
            audio: None,
            rest: Vec::new(),
        }
    }

    /// Every block, in order, those inside tool results included.
    pub fn each_block<'r>(&'r self, on: &mut dyn FnMut(&'r Block<'b>)) {
        fn walk<'r, 'b>(blocks: &'r [Block<'b>], on: &mut dyn FnMut(&'r Block<'b>)) {
            for block in blocks {
                on(block);
                if let Content::ToolResult { content, .. } = &block.content {
                    walk(content, on);
                }
            }
        }
        for turn in &self.turns {
            walk(&turn.blocks, on);
        }
    }

    /// Results that don't say which tool they are of learn it from their call.
    pub fn name_results(&mut self) {
        let mut names: Vec<(Cow<'b, str>, Cow<'b, str>)> = Vec::new();
        for block in self.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
            match &mut block.content {
                Content::ToolCall { id, name, .. } => names.push((id.clone(), name.clone())),
                Content::ToolResult { id, name: name @ None, .. } => {
                    *name = names.iter().rev().find(|(of, _)| of == id).map(|(_, name)| name.clone());
                }
                _ => (),
            }
        }
    }

    /// Addresses of images and files that a target without URLs needs as bytes.
    pub fn urls(&self) -> Vec<String> {
        let mut urls = Vec::new();
        self.each_block(&mut |block| {
            let source = match &block.content {
                Content::Image { source, .. }
                | Content::File { source, .. }
                | Content::Audio { source }
                | Content::Video { source } => source,
                _ => return,
            };
            if let Source::Url(url) = source
                && !urls.iter().any(|known| known == url)
            {
                urls.push(url.clone().into_owned());
            }
        });
        urls
    }
}

/// A field that no form here names.
#[derive(Debug)]
pub struct Rest<'b> {
    /// Its JSON pointer in the caller's body: `/logit_bias`.
    pub pointer: String,
    /// Its name.
    pub name: Cow<'b, str>,
    /// Its value.
    pub value: Node<'b>,
}

impl Rest<'_> {
    /// Whether it stands at the top of the body.
    pub fn is_top_level(&self) -> bool {
        self.pointer.strip_prefix('/').is_some_and(|name| !name.contains('/'))
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator's instructions; OpenAI's `developer` too.
    System,
    /// The user; results of tools are blocks of a user turn.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Debug)]
pub struct Turn<'b> {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub blocks: Vec<Block<'b>>,
    /// OpenAI's `name` of the speaker.
    pub name: Option<Cow<'b, str>>,
}

/// A piece of a turn.
#[derive(Debug)]
pub struct Block<'b> {
    /// What it is.
    pub content: Content<'b>,
    /// A cache breakpoint after it.
    pub cache: Option<CacheControl>,
    /// Its JSON pointer in the caller's body, for warnings: `/messages/3/content/0`.
    pub pointer: String,
}

impl<'b> Block<'b> {
    /// A block without a cache breakpoint.
    pub fn new(content: Content<'b>, pointer: impl Into<String>) -> Block<'b> {
        Block { content, cache: None, pointer: pointer.into() }
    }
}

/// What a block is.
#[derive(Debug)]
pub enum Content<'b> {
    /// Text.
    Text(Cow<'b, str>),
    /// The model's refusal, as text.
    Refusal(Cow<'b, str>),
    /// An image.
    Image {
        /// Where it is.
        source: Source<'b>,
        /// `low`, `high`, `auto`.
        detail: Option<Cow<'b, str>>,
    },
    /// A document, usually a PDF.
    File {
        /// Where it is.
        source: Source<'b>,
        /// Its name.
        filename: Option<Cow<'b, str>>,
    },
    /// Sound.
    Audio {
        /// Where it is; `media_type` is `audio/wav`, `audio/mpeg`, ...
        source: Source<'b>,
    },
    /// Moving pictures.
    Video {
        /// Where it is.
        source: Source<'b>,
    },
    /// The model's reasoning in an earlier turn.
    Reasoning {
        /// What can be read of it; may be empty.
        text: Cow<'b, str>,
        /// It is a summary rather than the reasoning itself.
        summary: bool,
        /// What proves it to whoever made it.
        seal: Option<Seal>,
    },
    /// A call that the model made in an earlier turn.
    ToolCall {
        /// Its id, as the caller knows it.
        id: Cow<'b, str>,
        /// The tool.
        name: Cow<'b, str>,
        /// JSON text; for a free-form tool the bare text. May be empty or broken: it is what a model wrote.
        arguments: Cow<'b, str>,
        /// A free-form (custom) tool: `arguments` is no JSON.
        custom: bool,
        /// What proves it to whoever made it (Gemini binds a signature to the call).
        seal: Option<Seal>,
    },
    /// What a tool answered.
    ToolResult {
        /// The id of the call.
        id: Cow<'b, str>,
        /// The tool, where the caller says or its call tells.
        name: Option<Cow<'b, str>>,
        /// Text and images; empty for an empty result.
        content: Vec<Block<'b>>,
        /// The tool failed.
        is_error: bool,
    },
    /// A block that only its own dialect knows; carried there, dropped elsewhere with a warning.
    Native(Node<'b>),
}

/// Where the bytes of an image, file or sound are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source<'b> {
    /// At an address.
    Url(Cow<'b, str>),
    /// Here.
    Base64 {
        /// As declared, lower case; empty where nobody says.
        media_type: Cow<'b, str>,
        /// Standard base64.
        data: Cow<'b, str>,
    },
    /// Plain text.
    Text(Cow<'b, str>),
    /// At one provider, under an id that no other knows.
    FileId(Cow<'b, str>),
}

impl<'b> Source<'b> {
    /// Understands an address or a `data:` URL.
    pub fn from_url(url: Cow<'b, str>) -> Source<'b> {
        let Some((head, _)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
            return Source::Url(url);
        };
        let Some(media_type) = head.strip_suffix(";base64") else { return Source::Url(url) };
        let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let comma = "data:".len() + head.len() + 1;
        let data = match url {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(comma..).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(comma..).unwrap_or_default().to_owned()),
        };
        Source::Base64 { media_type: Cow::Owned(kind), data }
    }

    /// As an address again; base64 becomes a `data:` URL. `None` for text and foreign ids.
    pub fn to_url(&self) -> Option<Address<'_>> {
        match self {
            Source::Url(url) => Some(Address::Plain(url)),
            Source::Base64 { media_type, data } => Some(Address::data(media_type, data)),
            Source::Text(_) | Source::FileId(_) => None,
        }
    }
}

/// A cache breakpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// Kept for an hour rather than five minutes.
    pub hour: bool,
}

impl CacheControl {
    /// Reads `{"type":"ephemeral","ttl":"1h"}`.
    pub fn read(node: Node<'_>) -> Option<CacheControl> {
        (node.get_string("type")? == "ephemeral")
            .then(|| CacheControl { hour: node.get_string("ttl").as_deref() == Some("1h") })
    }
}

/// A tool on offer.
#[derive(Debug)]
pub struct Tool<'b> {
    /// What kind of tool.
    pub kind: ToolKind<'b>,
    /// Its name.
    pub name: Cow<'b, str>,
    /// For the model.
    pub description: Option<Cow<'b, str>>,
    /// JSON Schema of its arguments; `None`: it takes none.
    pub parameters: Option<Node<'b>>,
    /// Arguments must follow the schema to the letter.
    pub strict: Option<bool>,
    /// A cache breakpoint after it.
    pub cache: Option<CacheControl>,
    /// Its JSON pointer in the caller's body.
    pub pointer: String,
}

impl Tool<'_> {
    /// The tool as a function of OpenAI's shape, which others took over.
    pub fn as_function(&self, parameters: serde_json::Value) -> serde_json::Value {
        let mut function = serde_json::Map::new();
        function.insert("name".to_owned(), self.name.as_ref().into());
        if let Some(description) = &self.description {
            function.insert("description".to_owned(), description.as_ref().into());
        }
        function.insert("parameters".to_owned(), parameters);
        serde_json::json!({"type": "function", "function": function})
    }
}

/// What kind of tool.
#[derive(Debug)]
pub enum ToolKind<'b> {
    /// A function that the caller runs.
    Function,
    /// A free-form tool that the caller runs: one text in, no schema.
    Custom,
    /// A tool that a provider runs, in the caller's dialect. Its `type` is in [`Tool::name`].
    Hosted(Node<'b>),
}

/// Which tool must or may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'b> {
    /// The model decides.
    Auto,
    /// None.
    None,
    /// Any, but one.
    Required,
    /// This one.
    Named(Cow<'b, str>),
    /// One of these, or none unless `required`.
    Allowed {
        /// Names.
        names: Vec<Cow<'b, str>>,
        /// One must be called.
        required: bool,
    },
}

/// Sampling parameters; numbers as they were written.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the parameter of the same name")]
pub struct Sampling<'b> {
    pub temperature: Option<&'b str>,
    pub top_p: Option<&'b str>,
    pub top_k: Option<&'b str>,
    pub min_p: Option<&'b str>,
    pub top_a: Option<&'b str>,
    pub frequency_penalty: Option<&'b str>,
    pub presence_penalty: Option<&'b str>,
    pub repetition_penalty: Option<&'b str>,
    pub seed: Option<&'b str>,
}

/// How hard to think, as OpenAI names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    Xhigh,
    /// `max`
    Max,
}

impl Effort {
    const ALL: [Effort; 7] = [
        Effort::None,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::Xhigh,
        Effort::Max,
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh => "xhigh",
            Effort::Max => "max",
        }
    }

    /// Reads a name.
    pub fn read(name: &str) -> Option<Effort> {
        Effort::ALL.into_iter().find(|effort| effort.name() == name)
    }

    /// Its share of the output cap in per mille, where only budgets exist: OpenRouter's ratios.
    pub const fn per_mille(self) -> u64 {
        match self {
            Effort::None => 0,
            Effort::Minimal => 100,
            Effort::Low => 200,
            Effort::Medium => 500,
            Effort::High => 800,
            Effort::Xhigh | Effort::Max => 950,
        }
    }

    /// The effort whose share of `max_tokens` is nearest to a budget from above.
    pub fn of_budget(budget_tokens: u64, max_tokens: u64) -> Effort {
        let share = budget_tokens.saturating_mul(1000) / max_tokens.max(1);
        Effort::ALL.into_iter().find(|effort| share <= effort.per_mille()).unwrap_or(Effort::Xhigh)
    }
}

/// What is asked of the model's reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thinking<'b> {
    /// How hard.
    pub effort: Option<Effort>,
    /// At most so many tokens.
    pub budget_tokens: Option<u64>,
    /// Explicitly on or off; `None`: the rest decides.
    pub enabled: Option<bool>,
    /// The model decides how much (Anthropic's `adaptive`, Gemini's budget of -1).
    pub adaptive: bool,
    /// Reason, but don't show it.
    pub exclude: bool,
    /// `auto`, `concise`, `detailed`: which summary OpenAI is to give.
    pub summary: Option<Cow<'b, str>>,
    /// Sealed reasoning is wanted back (`include: ["reasoning.encrypted_content"]`).
    pub encrypted: bool,
}

impl Thinking<'_> {
    /// Smallest and largest budget that is ever asked for.
    pub const BUDGET_MIN: u64 = 1024;
    /// See [`Thinking::BUDGET_MIN`].
    pub const BUDGET_MAX: u64 = 128_000;

    /// True when it is asked not to reason.
    pub fn is_off(&self) -> bool {
        self.enabled == Some(false) || self.effort == Some(Effort::None) || self.budget_tokens == Some(0)
    }

    /// A budget in tokens for a target that knows only budgets, given the output cap in force.
    pub fn budget(&self, max_tokens: u64) -> Option<u64> {
        if self.is_off() {
            return None;
        }
        let share = |effort: Effort| max_tokens.saturating_mul(effort.per_mille()) / 1000;
        let wanted = self.budget_tokens.or_else(|| self.effort.map(share));
        Some(wanted.unwrap_or_else(|| share(Effort::Medium)).clamp(Self::BUDGET_MIN, Self::BUDGET_MAX))
    }

    /// An effort for a target that knows only efforts, given the output cap in force.
    pub fn effort(&self, max_tokens: u64) -> Option<Effort> {
        if self.is_off() {
            return Some(Effort::None);
        }
        self.effort.or_else(|| self.budget_tokens.map(|budget| Effort::of_budget(budget, max_tokens)))
    }
}

/// The form that an answer must have.
#[derive(Debug, PartialEq)]
pub enum Format<'b> {
    /// Some JSON object.
    JsonObject,
    /// JSON that follows a schema.
    Schema {
        /// Its name.
        name: Option<Cow<'b, str>>,
        /// For the model.
        description: Option<Cow<'b, str>>,
        /// The schema; `None`: any JSON object.
        schema: Option<Node<'b>>,
        /// To the letter.
        strict: Option<bool>,
    },
    /// A form that only the caller's dialect knows (a grammar, `python`).
    Native(Node<'b>),
}

/// Search the web before answering.
#[derive(Debug, Default, PartialEq)]
pub struct WebSearch<'b> {
    /// `low`, `medium`, `high`.
    pub context_size: Option<Cow<'b, str>>,
    /// OpenAI's `user_location` or Anthropic's, as it came.
    pub user_location: Option<Node<'b>>,
    /// Most searches.
    pub max_uses: Option<u64>,
    /// Only these sites.
    pub allowed_domains: Vec<Cow<'b, str>>,
    /// Never these sites.
    pub blocked_domains: Vec<Cow<'b, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_come_apart_and_together() {
        let url = "data:image/PNG;charset=x;base64,AAAA";
        let source = Source::from_url(url.into());
        assert_eq!(source, Source::Base64 { media_type: "image/png".into(), data: "AAAA".into() });
        assert_eq!(source.to_url().map(|url| url.to_string()).as_deref(), Some("data:image/png;base64,AAAA"));
        for plain in ["https://x/y.png", "data:text/plain,hi", "data:"] {
            assert_eq!(Source::from_url(plain.into()), Source::Url(plain.into()));
        }
    }

    #[test]
    fn budgets_and_efforts_map_both_ways() {
        let effort = |effort| Thinking { effort: Some(effort), ..Thinking::default() };
        assert_eq!(effort(Effort::High).budget(10_000), Some(8_000));
        assert_eq!(effort(Effort::Low).budget(1_000), Some(1_024));
        assert_eq!(effort(Effort::None).budget(10_000), None);
        let budget = Thinking { budget_tokens: Some(5_000), ..Thinking::default() };
        assert_eq!(
            (budget.effort(10_000), budget.effort(5_000)),
            (Some(Effort::Medium), Some(Effort::Xhigh))
        );
        assert_eq!(Thinking::default().effort(100), None);
    }
}
