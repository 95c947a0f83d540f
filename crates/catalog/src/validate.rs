//! What files must say about each other. Each rule is one function; its name in messages is stable.

use std::collections::{HashMap, HashSet};

use crate::load::{Draft, Filed};
use crate::problem::Problem;

/// Runs every rule.
pub(crate) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    for rule in [
        sources_exist,
        authors_exist,
        aliases_are_unique,
        endpoints_belong,
        names_match,
        reasoning_is_priced,
        successors_exist,
    ] {
        rule(draft, problems);
    }
}

fn problem<T>(filed: &Filed<T>, line: usize, rule: &'static str, message: String) -> Problem {
    Problem { file: filed.file.clone(), line, rule, message }
}

/// `unknown-source`: every source that a claim names has a file.
fn sources_exist(draft: &Draft, problems: &mut Vec<Problem>) {
    let known: HashSet<&str> = draft.sources.iter().map(|filed| &*filed.item.id).collect();
    for filed in draft.mentions.iter().filter(|filed| !known.contains(&*filed.item.id)) {
        let message = format!("`{}` has no file in sources/", filed.item.id);
        problems.push(problem(filed, filed.item.line, "unknown-source", message));
    }
}

/// `unknown-author`: every model's folder has an author's file.
fn authors_exist(draft: &Draft, problems: &mut Vec<Problem>) {
    let known: HashSet<&str> = draft.authors.iter().map(|filed| &*filed.item.id).collect();
    for filed in draft.models.iter().filter(|filed| !known.contains(&*filed.item.model.author)) {
        let message = format!("`{}` has no file in authors/", filed.item.model.author);
        problems.push(problem(filed, 1, "unknown-author", message));
    }
}

/// `alias-clash`: an alias belongs to one model, once, and is no model's id.
fn aliases_are_unique(draft: &Draft, problems: &mut Vec<Problem>) {
    let ids: HashSet<&str> = draft.models.iter().map(|filed| &*filed.item.model.id).collect();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for filed in &draft.models {
        for alias in &filed.item.aliases {
            let message = match owners.insert(&alias.id, &filed.item.model.id) {
                _ if ids.contains(&*alias.id) => format!("`{}` is a model's id", alias.id),
                Some(owner) => format!("`{}` is an alias of `{owner}` already", alias.id),
                None => continue,
            };
            problems.push(problem(filed, alias.line, "alias-clash", message));
        }
    }
}

/// `unknown-model`, `unknown-provider`: an endpoint's model and provider have files.
fn endpoints_belong(draft: &Draft, problems: &mut Vec<Problem>) {
    let models: HashSet<&str> = draft.models.iter().map(|filed| &*filed.item.model.id).collect();
    let providers: HashSet<&str> = draft.providers.iter().map(|filed| &*filed.item.id).collect();
    for filed in &draft.endpoints {
        let wanted = &filed.item.model;
        if !models.contains(&*wanted.id) {
            let message = format!("`{}` has no file in models/", wanted.id);
            problems.push(problem(filed, wanted.line, "unknown-model", message));
        }
        if !providers.contains(&*filed.item.provider) {
            let message = format!("providers/{}/provider.toml is missing or broken", filed.item.provider);
            problems.push(problem(filed, 1, "unknown-provider", message));
        }
    }
}

/// `name-mismatch`: an endpoint's file is named after its model.
fn names_match(draft: &Draft, problems: &mut Vec<Problem>) {
    for filed in &draft.endpoints {
        let name = &*filed.item.endpoint.name;
        let slug = name.split_once('@').map_or(name, |(slug, _)| slug);
        let wanted = &filed.item.model;
        if wanted.id.split_once('/').map(|(_, model)| model) != Some(slug) {
            let message = format!("the file must be named after its model `{}`", wanted.id);
            problems.push(problem(filed, wanted.line, "name-mismatch", message));
        }
    }
}

/// `reasoning-price-without-reasoning`: a model that is said not to reason has no price for it.
fn reasoning_is_priced(draft: &Draft, problems: &mut Vec<Problem>) {
    let silent = draft.models.iter().filter(|filed| filed.item.model.reasoning() == Some(false));
    let silent: HashSet<&str> = silent.map(|filed| &*filed.item.model.id).collect();
    for filed in &draft.endpoints {
        let Some(line) = filed.item.reasoning_price_line else {
            continue;
        };
        if silent.contains(&*filed.item.model.id) {
            let message = format!("`{}` is said not to reason", filed.item.model.id);
            problems.push(problem(filed, line, "reasoning-price-without-reasoning", message));
        }
    }
}

/// `unknown-successor`: the model that another is succeeded by has a file, and is another.
fn successors_exist(draft: &Draft, problems: &mut Vec<Problem>) {
    let ids: HashSet<&str> = draft.models.iter().map(|filed| &*filed.item.model.id).collect();
    for filed in &draft.models {
        let own = &filed.item.model;
        let named = own.facts.successor.as_ref().map(|claim| claim.value.as_str());
        if let Some(id) = named.filter(|id| !ids.contains(id) || **id == *own.id) {
            let message = format!("`{id}` is no other model of this catalog");
            problems.push(problem(filed, filed.item.successor_line, "unknown-successor", message));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{edited, files, load};
    use proptest::prelude::*;

    const MODEL: &str = "models/mistralai/small-4.toml";
    const PROVIDER: &str = "providers/mistral/provider.toml";
    const ENDPOINT: &str = "providers/mistral/endpoints/small-4.toml";

    /// A file, what is replaced by what in it, and the rule and line that this breaks.
    const BROKEN: &[(&str, &str, &str, &str, usize)] = &[
        (MODEL, "name = ", "nmae = ", "unknown-key", 1),
        (MODEL, "family = \"mistral-small\"", "family = 4", "bad-value", 3),
        (MODEL, "name = \"Small 4\"\n", "", "missing-key", 1),
        (MODEL, "source = \"feed\"\nas_of", "as_of", "missing-key", 1),
        (MODEL, "source = \"feed\"\n", "source = \"fede\"\n", "unknown-source", 8),
        (
            MODEL,
            "{ value = 128000, source = \"page\"",
            "{ value = 128000, source = \"pgae\"",
            "unknown-source",
            16,
        ),
        (MODEL, "rule = \"newest\", ", "", "dissent-without-rule", 15),
        (MODEL, "rule = \"newest\"", "rule = \"best\"", "bad-value", 15),
        (MODEL, "released = \"2026-03-16\"", "released = \"2026-02-30\"", "bad-date", 12),
        (MODEL, "released = \"2026-03-16\"", "released = 2026-03-16", "bad-date", 12),
        (MODEL, "max_output_tokens = 32768", "max_output_tokens = -1", "bad-value", 18),
        (MODEL, "[\"image\", \"text\"]", "[\"smell\"]", "bad-value", 19),
        (MODEL, "score = \"34.9\"", "score = 34.9", "bad-value", 26),
        (MODEL, "source = \"page\"\ndate", "date", "missing-key", 24),
        (MODEL, "  \"mistral/old-small\"", "  \"acme/old\"", "alias-clash", 6),
        (MODEL, "  \"mistral/old-small\"", "  \"small-latest\"", "alias-clash", 6),
        (MODEL, "  \"mistral/old-small\"", "  \"Old Small\"", "bad-id", 6),
        (MODEL, "[facts]", "[facts", "bad-toml", 11),
        (MODEL, "license = \"Apache-2.0\"", "successor = \"acme/none\"", "unknown-successor", 13),
        (MODEL, "license = \"Apache-2.0\"", "successor = \"mistralai/small-4\"", "unknown-successor", 13),
        (MODEL, "license = \"Apache-2.0\"", "released = \"2026\"", "duplicate-key", 13),
        (PROVIDER, "\"mistral\"\nbase", "\"morse\"\nbase", "bad-value", 2),
        (PROVIDER, "/v1\"", "/v1/\"", "bad-value", 3),
        (PROVIDER, "[\"FR\", \"SE\"]", "[\"Paris\"]", "bad-value", 8),
        (PROVIDER, "retention_days", "retention", "unknown-key", 9),
        (PROVIDER, "unsupported_parameters", "unsuported_parameters", "unknown-key", 11),
        (PROVIDER, "developer = \"system\"", "developer = 1", "bad-value", 12),
        (ENDPOINT, "mistralai/small-4", "mistralai/small-5", "unknown-model", 1),
        (ENDPOINT, "mistralai/small-4", "acme/old", "name-mismatch", 1),
        (ENDPOINT, "status = \"beta\"", "variant = \"eu\"", "name-mismatch", 5),
        (ENDPOINT, "output_usd_per_mtok = \"0.60\"", "output_usd_per_mtok = 0.60", "price-not-decimal", 14),
        (ENDPOINT, "\"0.60\"", "\"6e-1\"", "price-not-decimal", 14),
        (ENDPOINT, "\"0.60\"", "\"-0.60\"", "price-not-decimal", 14),
        (ENDPOINT, "\"0.60\"", "\"2000.01\"", "price-band", 14),
        (ENDPOINT, "above_input_tokens = 256000", "", "override-without-condition", 24),
        (
            ENDPOINT,
            "above_input_tokens = 200000\nutc_from = \"16:30\"\nutc_to = \"00:30\"",
            "above_input_tokens = 256000",
            "duplicate-override",
            22,
        ),
        (ENDPOINT, "utc_to = \"00:30\"", "", "missing-key", 18),
        (ENDPOINT, "utc_to = \"00:30\"", "utc_to = \"24:30\"", "bad-value", 21),
        (ENDPOINT, "input_usd_per_mtok = \"0.30\"", "", "override-without-price", 18),
        (
            "providers/venice/endpoints/old.toml",
            "[price]",
            "[price]\nreasoning_usd_per_mtok = \"1\"",
            "reasoning-price-without-reasoning",
            6,
        ),
    ];

    #[test]
    fn each_rule_names_its_line() {
        for (file, old, new, rule, line) in BROKEN.iter().copied() {
            let problems = edited(file, old, new).map(|_| ()).unwrap_err();
            let found = problems.iter().any(|p| (p.file.as_str(), p.rule, p.line) == (file, rule, line));
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert!(found, "{old:?} -> {new:?}: wanted {rule} on line {line}, got {all:#?}");
        }
    }

    #[test]
    fn a_successor_is_another_model_of_the_catalog() {
        for (id, is_right) in [("acme/old", true), ("acme/none", false), ("mistralai/small-4", false)] {
            let named = format!("successor = \"{id}\"");
            let told = edited(MODEL, "license = \"Apache-2.0\"", &named);
            let found = told.err().unwrap_or_default();
            let places: Vec<_> = found.iter().map(|p| (p.file.as_str(), p.rule, p.line)).collect();
            let wanted: &[_] = if is_right { &[] } else { &[(MODEL, "unknown-successor", 13)] };
            assert_eq!(places, wanted, "{id}");
        }
    }

    #[test]
    fn files_must_belong() {
        let rows = [
            ("models/nobody/x.toml", "name = \"X\"\nsource = \"feed\"\nas_of = \"2026\"\n", "unknown-author"),
            ("models/acme/Big.toml", "", "bad-id"),
            ("models/x.toml", "", "unknown-file"),
            ("models/acme/notes.txt", "", "unknown-file"),
            ("providers/venice/endpoints/old@.toml", "", "bad-id"),
            (
                "providers/nobody/endpoints/old.toml",
                "model = \"acme/old\"\nprovider_model_id = \"x\"\nsource = \"feed\"\nas_of = \"2026\"\n",
                "unknown-provider",
            ),
        ];
        for (file, text, rule) in rows {
            let problems = load(files().chain([(file, text.to_owned())])).map(|_| ()).unwrap_err();
            assert!(problems.iter().any(|p| p.file == file && p.rule == rule), "{file}: {problems:?}");
        }
        assert!(load(files().chain([("README.md", "# Catalog".to_owned())])).is_ok());
    }

    #[test]
    fn several_problems_of_one_file_are_told_at_once() {
        let problems = edited(MODEL, "[facts]", "[facts]\nsmell = true\nreasoning = \"yes\"").unwrap_err();
        assert_eq!(problems.iter().map(|p| p.rule).collect::<Vec<_>>(), ["unknown-key", "bad-value"]);
        assert_eq!(
            problems[0].to_string(),
            format!("{MODEL}:12: [unknown-key] `smell` is not a key of this table")
        );
    }

    proptest! {
        /// Any damage to any file is a snapshot or a list of problems, never a panic.
        #[test]
        fn damage_is_told_not_thrown(
            which in 0..12usize, at in 0..900usize, cut in 0..12usize, put in "[\\PC\n\"'\\[\\]{}=.,0-9a-f]{0,12}",
        ) {
            let damaged = files().enumerate().map(|(index, (name, text))| {
                if index != which {
                    return (name, text);
                }
                let chars: Vec<char> = text.chars().collect();
                let at = at.min(chars.len());
                let head: String = chars[..at].iter().collect();
                let tail: String = chars[at..].iter().skip(cut).collect();
                (name, format!("{head}{put}{tail}"))
            });
            if let Err(problems) = load(damaged) {
                prop_assert!(!problems.is_empty());
            }
        }
    }
}
