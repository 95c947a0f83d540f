//! `generationConfig`: limits, sampling, form of the answer, thoughts.

use super::model::{Model, Tier};
use super::pointer::pointer;
use super::request_out::answer_schema;
use crate::hub::{Dialect, Effort, Format, Losses, Request, Target, Thinking};
use crate::writer::Writer;

/// Most stop texts.
const STOPS_MAX: usize = 5;
/// What an answer may be long, where nobody says: that of the 2.5 models.
const OUTPUT_TOKENS_MAX: u64 = 65_536;

/// Writes the settings of a request.
pub(super) struct Settings<'r, 'b> {
    pub(super) request: &'r Request<'b>,
    pub(super) target: &'r Target<'r>,
    pub(super) model: Model,
    pub(super) losses: &'r mut Losses,
}

impl Settings<'_, '_> {
    /// The object. `has_format`: the form of the answer is a setting (else it was told in words).
    pub(super) fn write(&mut self, has_format: bool) -> Vec<u8> {
        let mut w = Writer::default();
        w.begin_object();
        self.limits(&mut w);
        self.sampling(&mut w);
        if has_format {
            self.format(&mut w);
        }
        self.modalities(&mut w);
        self.thinking(&mut w);
        self.others();
        if self.request.origin == Dialect::Gemini {
            let own = |pointer: &str| {
                pointer.contains("/generationConfig/") || pointer.contains("/generation_config/")
            };
            for rest in self.request.rest.iter().filter(|rest| own(&rest.pointer)) {
                w.field_raw(&rest.name, rest.value.raw());
            }
        }
        w.end_object();
        w.finish()
    }

    fn drop(&mut self, name: &str, why: &str) {
        self.losses.dropped(&pointer(self.request.origin, name), why);
    }

    fn roughly(&mut self, name: &str, how: &str) {
        self.losses.approximated(&pointer(self.request.origin, name), how);
    }

    /// Whether the endpoint takes a setting; said where not.
    fn takes(&mut self, name: &str) -> bool {
        let taken = !self.target.adapt.unsupported.iter().any(|known| known == name);
        if !taken {
            self.drop(name, "the provider doesn't support it");
        }
        taken
    }

    fn limits(&mut self, w: &mut Writer) {
        if let Some(wanted) = self.request.max_tokens {
            let most = self.target.max_output_tokens.unwrap_or(u64::from(u32::MAX >> 1));
            if wanted > most {
                self.roughly("max_tokens", "the model writes fewer tokens at most");
            }
            w.field_json("maxOutputTokens", &wanted.min(most));
        }
        if !self.request.stop.is_empty() && self.takes("stop") {
            let texts: Vec<&str> =
                self.request.stop.iter().map(AsRef::as_ref).filter(|text| !text.is_empty()).collect();
            if texts.len() > STOPS_MAX {
                self.roughly("stop", "Gemini takes five stop texts; the others were left out");
            }
            if !texts.is_empty() {
                w.field_json("stopSequences", texts.get(..STOPS_MAX).unwrap_or(&texts));
            }
        }
        if self.request.choices > 1 {
            self.drop("n", "one answer is carried over; ask again for more");
        }
    }

    fn sampling(&mut self, w: &mut Writer) {
        let sampling = &self.request.sampling;
        let rows = [
            ("temperature", "temperature", sampling.temperature),
            ("top_p", "topP", sampling.top_p),
            ("top_k", "topK", sampling.top_k),
            ("presence_penalty", "presencePenalty", sampling.presence_penalty),
            ("frequency_penalty", "frequencyPenalty", sampling.frequency_penalty),
            ("seed", "seed", sampling.seed),
        ];
        for (name, key, value) in rows {
            let Some(value) = value else { continue };
            if !self.takes(name) {
                continue;
            }
            let number: f64 = value.parse().unwrap_or(0.0);
            if name == "temperature" && number > 2.0 {
                self.roughly(name, "Gemini's highest is 2");
                w.field_raw(key, b"2");
            } else if name == "seed" && value.parse::<i32>().is_err() {
                // 32 bits there; the same seed always becomes the same.
                self.roughly(name, "Gemini's seeds have 32 bits");
                let folded = value.bytes().fold(0_u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
                w.field_json(key, &(folded >> 1));
            } else {
                w.field_raw(key, value.as_bytes());
            }
        }
        let unknown = [
            ("min_p", sampling.min_p),
            ("top_a", sampling.top_a),
            ("repetition_penalty", sampling.repetition_penalty),
        ];
        for (name, _) in unknown.into_iter().filter(|(_, value)| value.is_some()) {
            self.drop(name, "Gemini has no such setting");
        }
        if let Some(top) = self.request.logprobs
            && self.takes("logprobs")
        {
            w.field_json("responseLogprobs", &true);
            if top > 0 {
                w.field_json("logprobs", &top);
            }
        }
    }

    fn format(&mut self, w: &mut Writer) {
        match &self.request.format {
            None => (),
            Some(Format::JsonObject) => drop(w.field("responseMimeType", "application/json")),
            Some(Format::Schema { schema, .. }) => {
                w.field("responseMimeType", "application/json");
                if let Some(schema) = *schema {
                    answer_schema(w, schema, self.model);
                }
            }
            Some(Format::Native(schema)) if self.request.origin == Dialect::Gemini => {
                w.field("responseMimeType", "text/x.enum").field_raw("responseSchema", schema.raw());
            }
            Some(Format::Native(_)) => self.drop("response_format", "Gemini has no such form"),
        }
    }

    fn modalities(&mut self, w: &mut Writer) {
        if !self.request.modalities.is_empty() {
            let names: Vec<String> =
                self.request.modalities.iter().map(|name| name.to_ascii_uppercase()).collect();
            w.field_json("responseModalities", &names);
        }
        let image = self.request.rest.iter().find(|rest| rest.name == "image_config");
        if let Some(image) = image.filter(|_| self.request.origin != Dialect::Gemini) {
            w.key("imageConfig").begin_object();
            for field in super::keys::fields(image.value) {
                w.field_raw(&field.name, field.value.raw());
            }
            w.end_object();
        }
        if self.request.audio.is_some() {
            self.drop("audio", "Gemini's voices and formats of sound are others");
        }
    }

    fn thinking(&mut self, w: &mut Writer) {
        let Some(thinking) = &self.request.thinking else { return };
        let (major, _) = self.model.version;
        let knows = self.model.gemini && self.model.version >= (2, 5) && (!self.model.media || major >= 3);
        if !knows || self.target.reasoning == Some(false) {
            if !thinking.is_off() {
                self.drop("reasoning", "the model doesn't reason, or not as it is told");
            }
            return;
        }
        let cap = self.target.max_output_tokens.unwrap_or(OUTPUT_TOKENS_MAX);
        let cap = self.request.max_tokens.map_or(cap, |wanted| wanted.min(cap));
        let how = match (self.model.media, major >= 3) {
            (true, _) => None,
            (false, true) => self.level(thinking, cap).map(How::Level),
            (false, false) => self.budget(thinking, cap).map(How::Budget),
        };
        let shown = !thinking.is_off() && !thinking.exclude;
        if how.is_none() && !shown {
            return;
        }
        w.key("thinkingConfig").begin_object();
        match how {
            Some(How::Level(level)) => drop(w.field("thinkingLevel", level)),
            Some(How::Budget(budget)) => drop(w.field_json("thinkingBudget", &budget)),
            None => (),
        }
        if shown {
            w.field_json("includeThoughts", &true);
        }
        w.end_object();
    }

    /// From the third generation on there are levels, and no way to switch it off.
    fn level(&mut self, thinking: &Thinking<'_>, cap: u64) -> Option<&'static str> {
        if thinking.adaptive && thinking.effort.is_none() {
            return None;
        }
        let effort = thinking.effort(cap)?;
        let pro = self.model.tier == Tier::Pro;
        let level = match effort {
            Effort::None if pro => "low",
            Effort::None => "minimal",
            Effort::Minimal if !pro => "minimal",
            Effort::Minimal | Effort::Low => "low",
            Effort::Medium if self.model.version == (3, 0) && pro => "high",
            Effort::Medium => "medium",
            Effort::High | Effort::Xhigh | Effort::Max => "high",
        };
        if effort == Effort::None {
            self.roughly("reasoning", "the model always reasons; it was told to do so as little as it can");
        } else if level != effort.name() || thinking.effort.is_none() {
            self.roughly("reasoning", &format!("the model was told `{level}`"));
        }
        Some(level)
    }

    /// 2.5 has budgets, with bounds by size; -1 leaves it to the model.
    fn budget(&mut self, thinking: &Thinking<'_>, cap: u64) -> Option<i64> {
        let (least, most) = match self.model.tier {
            Tier::Pro => (128, 32_768),
            Tier::Flash => (1, 24_576),
            Tier::FlashLite => (512, 24_576),
        };
        if thinking.is_off() {
            if self.model.tier != Tier::Pro {
                return Some(0);
            }
            self.roughly("reasoning", "the model always reasons; it was given its smallest budget");
            return Some(least);
        }
        let share = |effort: Effort| cap.saturating_mul(effort.per_mille()) / 1000;
        let wanted = thinking.budget_tokens.or_else(|| thinking.effort.map(share));
        let Some(wanted) = wanted.filter(|_| !thinking.adaptive || thinking.budget_tokens.is_some()) else {
            return (thinking.adaptive || thinking.enabled == Some(true)).then_some(-1);
        };
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let budget = wanted.clamp(least, most);
        if thinking.budget_tokens.is_some() && budget != wanted {
            self.roughly("reasoning", &format!("the model's budgets are from {least} to {most} tokens"));
        }
        Some(budget)
    }

    /// What has no place at all.
    fn others(&mut self) {
        let request = self.request;
        let rows = [
            ("verbosity", request.verbosity.is_some()),
            ("service_tier", request.service_tier.as_deref().is_some_and(|t| t != "auto" && t != "default")),
            ("user", request.user.is_some()),
            ("prompt_cache_key", request.prompt_cache_key.is_some()),
            ("metadata", request.metadata.is_some()),
            ("prediction", request.prediction.is_some()),
            ("logit_bias", request.logit_bias.is_some()),
        ];
        for (name, _) in rows.into_iter().filter(|(_, given)| *given) {
            self.drop(name, "Gemini has nothing like it");
        }
        let mut named = request.turns.iter().filter(|turn| turn.name.is_some());
        if let Some(turn) = named.next() {
            let at = turn.blocks.first().map_or("/messages", |block| block.pointer.as_str());
            let message = at.split("/content").next().unwrap_or_default();
            self.losses.dropped(&format!("{message}/name"), "Gemini's turns have no names");
        }
    }
}

enum How {
    Level(&'static str),
    Budget(i64),
}
