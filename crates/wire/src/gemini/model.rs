//! What a model's name tells of what it takes.

/// Sizes within a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    Pro,
    Flash,
    FlashLite,
}

/// A model, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// A Gemini; else an open model (Gemma) without system instructions.
    pub(super) gemini: bool,
    /// Its generation: 2 and 5 for 2.5.
    pub(super) version: (u32, u32),
    /// Its size.
    pub(super) tier: Tier,
    /// It makes images or speech, and takes few of the settings of its generation.
    pub(super) media: bool,
}

impl Model {
    /// Reads a name; one that tells nothing (tuned models, endpoints) counts as 2.5, one that means the latest as 3.
    pub(super) fn read(name: &str) -> Model {
        let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let has = |word: &str| name.contains(word);
        let version = match name.strip_prefix("gemini-") {
            Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => version(rest),
            Some("pro" | "pro-vision" | "ultra") => (1, 0),
            Some(_) if name.ends_with("-latest") => (3, 0),
            _ => (2, 5),
        };
        Model {
            gemini: !has("gemma"),
            version,
            tier: match () {
                () if has("lite") => Tier::FlashLite,
                () if has("flash") || has("nano") => Tier::Flash,
                () => Tier::Pro,
            },
            media: has("-image") || has("-tts") || has("-audio") || has("-live"),
        }
    }

    /// It takes plain JSON Schema; older ones only Google's own subset.
    pub(super) fn takes_json_schema(self) -> bool {
        self.gemini && self.version.0 >= 2
    }

    /// It takes a schema for its answer beside functions.
    pub(super) fn takes_format_with_tools(self) -> bool {
        self.gemini && self.version.0 >= 3
    }

    /// It takes images in results of functions, and insists on signatures of calls.
    pub(super) fn is_third(self) -> bool {
        self.gemini && self.version.0 >= 3
    }
}

fn version(text: &str) -> (u32, u32) {
    let number = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        text.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    let head = text.split('-').next().unwrap_or_default();
    let (major, minor) = head.split_once('.').unwrap_or((head, ""));
    (number(major), number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_generations_and_sizes() {
        let rows = [
            ("gemini-2.5-pro", (2, 5), Tier::Pro, false),
            ("models/gemini-2.5-flash-lite-preview-09-2025", (2, 5), Tier::FlashLite, false),
            ("gemini-3-pro-image-preview", (3, 0), Tier::Pro, true),
            ("gemini-3.1-flash", (3, 1), Tier::Flash, false),
            ("gemini-flash-latest", (3, 0), Tier::Flash, false),
            ("gemini-pro", (1, 0), Tier::Pro, false),
            ("publishers/google/models/gemini-1.5-pro-002", (1, 5), Tier::Pro, false),
            ("endpoints/1234", (2, 5), Tier::Pro, false),
        ];
        for (name, version, tier, media) in rows {
            assert_eq!(Model::read(name), Model { gemini: true, version, tier, media }, "{name}");
        }
        assert!(!Model::read("gemma-3-27b-it").gemini);
    }
}
