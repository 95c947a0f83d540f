//! A catalog of a few lines for tests.

use crate::document::Interner;
use crate::load::Draft;
use crate::{Problem, Snapshot};

pub(crate) const FILES: [(&str, &str); 12] = [
    ("sources/feed.toml", "name = \"Feed\"\nurl = \"https://feed.example\"\n"),
    ("sources/page.toml", "name = \"Page\"\nurl = \"https://page.example\"\nnote = \"A page.\"\n"),
    ("authors/mistralai.toml", "name = \"Mistral AI\"\ncountry = \"FR\"\n"),
    ("authors/acme.toml", "name = \"Acme\"\n"),
    (
        "models/mistralai/small-4.toml",
        r#"name = "Small 4"
description = "A small model."
family = "mistral-small"
aliases = [
  "small-latest",
  "mistral/old-small",
]
source = "feed"
as_of = "2026-07-02"

[facts]
released = "2026-03-16"
license = "Apache-2.0"
weights_url = "https://huggingface.co/mistralai/Small-4"
context_tokens = { value = 262144, source = "feed", as_of = "2026-06", rule = "newest", dissent = [
  { value = 128000, source = "page", as_of = "2026-06" },
] }
max_output_tokens = 32768
input_modalities = ["image", "text"]
output_modalities = ["text"]
tool_call = true
structured_output = true

[[benchmarks]]
name = "Intelligence Index"
score = "34.9"
source = "page"
date = "2026-05"
"#,
    ),
    (
        "models/acme/vectors.toml",
        r#"name = "Vectors"
source = "feed"
as_of = "2026"
[facts]
released = "2024"
output_modalities = ["embeddings"]
"#,
    ),
    (
        "models/acme/old.toml",
        "name = \"Old\"\nsource = \"page\"\nas_of = \"2026\"\n[facts]\nreleased = \"2023-06\"\nreasoning = false\n",
    ),
    (
        "providers/mistral/provider.toml",
        r#"name = "Mistral"
protocol = "mistral"
base_url = "https://api.mistral.example/v1"
api_key_env = ["MISTRAL_API_KEY"]
source = "feed"
as_of = "2026-07-02"
[facts]
datacenters = ["FR", "SE"]
retention_days = 0
[quirks]
unsupported_parameters = ["seed"]
rename_roles = { developer = "system" }
"#,
    ),
    (
        "providers/venice/provider.toml",
        r#"name = "Venice"
protocol = "openai"
source = "feed"
as_of = "2026-07-02"
"#,
    ),
    (
        "providers/mistral/endpoints/small-4.toml",
        r#"model = "mistralai/small-4"
provider_model_id = "mistral-small-2603"
source = "feed"
as_of = "2026-07-02"
status = "beta"

[facts]
throughput_tokens_per_s = { value = "29", source = "page", as_of = "2026-06" }

[price]
input_usd_per_mtok = { value = "0.15", source = "feed", as_of = "2026-07-02", rule = "vendor-or-feed-over-page", dissent = [
  { value = "0.20", source = "page", as_of = "2026-06" },
] }
output_usd_per_mtok = "0.60"
cache_read_usd_per_mtok = "0.015"
search_usd = "0.01"

[[price.overrides]]
above_input_tokens = 200000
utc_from = "16:30"
utc_to = "00:30"
input_usd_per_mtok = "0.30"

[[price.overrides]]
above_input_tokens = 256000
output_usd_per_mtok = "0.90"
"#,
    ),
    (
        "providers/venice/endpoints/small-4@eu.toml",
        r#"model = "mistralai/small-4"
provider_model_id = "Small-4-EU"
source = "feed"
as_of = "2026-07-01"
[facts]
context_tokens = 128000
region = "eu"
quantization = "fp8"
[price]
input_usd_per_mtok = "0.14"
output_usd_per_mtok = "0.75"
"#,
    ),
    (
        "providers/venice/endpoints/old.toml",
        r#"model = "acme/old"
provider_model_id = "old"
source = "feed"
as_of = "2026-07-01"
[price]
input_usd_per_mtok = "unknown"
output_usd_per_mtok = "unknown"
"#,
    ),
];

/// Loads files from memory.
pub(crate) fn load<'f>(files: impl IntoIterator<Item = (&'f str, String)>) -> Result<Snapshot, Vec<Problem>> {
    let mut draft = Draft::default();
    let mut strings = Interner::default();
    for (file, text) in files {
        draft.add(file, &text, &mut strings);
    }
    draft.finish()
}

/// The files above.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, String)> {
    FILES.into_iter().map(|(file, text)| (file, text.to_owned()))
}

/// The files above, with `old` replaced by `new` in one of them.
pub(crate) fn edited(file: &str, old: &str, new: &str) -> Result<Snapshot, Vec<Problem>> {
    let edit = |(name, text): (&'static str, String)| {
        if name == file {
            assert!(text.contains(old), "{file} has no {old}");
            (name, text.replacen(old, new, 1))
        } else {
            (name, text)
        }
    };
    load(files().map(edit))
}

/// The snapshot of the files above.
pub(crate) fn snapshot() -> Snapshot {
    load(files()).unwrap_or_else(|problems| panic!("{}", problems[0]))
}
