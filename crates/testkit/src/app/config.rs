//! Puts the configuration of a [`TestApp`] together.

use std::fmt::Write as _;
use std::fs;

use super::{OWNER_KEY, TestApp};
use crate::FakeUpstream;

/// A provider of the `openai` dialect, and the models that it serves.
#[derive(Clone, Debug)]
pub struct Lab {
    slug: String,
    settings: String,
    models: String,
}

impl Lab {
    /// A provider at a scripted upstream.
    pub fn at(slug: &str, upstream: &FakeUpstream) -> Lab {
        Lab::at_url(slug, &upstream.base_url())
    }

    /// A provider at any address.
    pub fn at_url(slug: &str, base_url: &str) -> Lab {
        let settings = format!("protocol = \"openai\"\nbase_url = \"{base_url}\"\n");
        Lab { slug: slug.to_owned(), settings, models: String::new() }
            .set("api_key", "\"sk-lab-secret-0123456789\"")
    }

    /// Another key of the provider's table; `value` is TOML.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Lab {
        self.settings.retain_lines(|line| !line.starts_with(&format!("{key} ")));
        let _ = writeln!(self.settings, "{key} = {value}");
        self
    }

    /// No key: something else proves who calls.
    #[must_use]
    pub fn without_key(mut self) -> Lab {
        self.settings.retain_lines(|line| !line.starts_with("api_key "));
        self
    }

    /// A model with prices in dollars per million tokens.
    #[must_use]
    pub fn model(self, id: &str, input_usd_per_mtok: &str, output_usd_per_mtok: &str) -> Lab {
        let mut lab = self.model_without_price(id);
        let _ = writeln!(
            lab.models,
            "[providers.{}.models.price]\ninput_usd_per_mtok = \"{input_usd_per_mtok}\"\noutput_usd_per_mtok = \
             \"{output_usd_per_mtok}\"",
            lab.slug
        );
        lab
    }

    /// What the models take, instead of text only.
    #[must_use]
    pub fn takes(mut self, modalities: &[&str]) -> Lab {
        let line = "max_output_tokens = 2048\n";
        self.models = self.models.replace(line, &format!("{line}input_modalities = {modalities:?}\n"));
        self
    }

    /// What the provider calls the models, instead of `tiny`.
    #[must_use]
    pub fn known_there_as(mut self, id: &str) -> Lab {
        self.models =
            self.models.replace("provider_model_id = \"tiny\"", &format!("provider_model_id = \"{id}\""));
        self
    }

    /// Another key of the last model's price table; `value` is decimal text.
    #[must_use]
    pub fn price(mut self, key: &str, value: &str) -> Lab {
        let _ = writeln!(self.models, "{key} = \"{value}\"");
        self
    }

    /// A model that makes something else than text, with its price table: keys and decimal texts.
    #[must_use]
    pub fn maker(self, id: &str, makes: &str, prices: &[(&str, &str)]) -> Lab {
        let mut lab = self.model_without_price(id);
        let _ =
            writeln!(lab.models, "output_modalities = [\"{makes}\"]\n[providers.{}.models.price]", lab.slug);
        prices.iter().fold(lab, |lab, (key, value)| lab.price(key, value))
    }

    /// A model whose price nobody knows.
    #[must_use]
    pub fn model_without_price(mut self, id: &str) -> Lab {
        let _ = writeln!(
            self.models,
            "[[providers.{}.models]]\nid = \"{id}\"\nprovider_model_id = \"tiny\"\ncontext_tokens = \
             10000000\nmax_output_tokens = 2048",
            self.slug
        );
        self
    }

    fn toml(&self) -> String {
        format!("[providers.{}]\n{}{}", self.slug, self.settings, self.models)
    }
}

trait RetainLines {
    fn retain_lines(&mut self, keep: impl Fn(&str) -> bool);
}

impl RetainLines for String {
    fn retain_lines(&mut self, keep: impl Fn(&str) -> bool) {
        let kept: Vec<&str> = self.lines().filter(|line| keep(line)).collect();
        let mut text = kept.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        *self = text;
    }
}

/// A [`TestApp`] being put together.
#[derive(Clone, Debug)]
pub struct AppBuilder {
    settings: String,
    labs: Vec<Lab>,
    env: Vec<(String, String)>,
    bootstrap_key: bool,
}

impl Default for AppBuilder {
    fn default() -> AppBuilder {
        AppBuilder { settings: String::new(), labs: Vec::new(), env: Vec::new(), bootstrap_key: true }
    }
}

impl AppBuilder {
    /// Adds a provider.
    #[must_use]
    pub fn lab(mut self, lab: Lab) -> AppBuilder {
        self.labs.push(lab);
        self
    }

    /// Sets a configuration key by its full name; `value` is TOML.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> AppBuilder {
        let _ = writeln!(self.settings, "{key} = {value}");
        self
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> AppBuilder {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Billing mode `prepaid`.
    #[must_use]
    pub fn prepaid(self) -> AppBuilder {
        self.set("billing.mode", "\"prepaid\"")
    }

    /// A real first start: no key is given, so one is made and printed.
    #[must_use]
    pub fn first_start(mut self) -> AppBuilder {
        self.bootstrap_key = false;
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> TestApp {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let labs: String = self.labs.iter().map(Lab::toml).collect();
        let file = folder.path().join("tollway.toml");
        fs::write(&file, format!("{}{labs}", self.settings)).expect("write the configuration");
        let mut env = self.env;
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        env.push(("TOLLWAY_CONFIG".to_owned(), path("tollway.toml")));
        env.push(("TOLLWAY_DATA_DIR".to_owned(), path("data")));
        if self.bootstrap_key {
            env.push(("TOLLWAY_BOOTSTRAP_KEY".to_owned(), OWNER_KEY.to_owned()));
        }
        TestApp::launch(folder, env).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_written_as_the_configuration_wants_it() {
        let lab =
            Lab::at_url("lab", "http://x/v1").set("api_key", "\"none\"").model("lab/tiny", "0.15", "0.60");
        let text = lab.price("cache_read_usd_per_mtok", "0.015").toml();
        let expect = "[providers.lab]\nprotocol = \"openai\"\nbase_url = \"http://x/v1\"\napi_key = \"none\"\n\
                      [[providers.lab.models]]\nid = \"lab/tiny\"\nprovider_model_id = \"tiny\"\n\
                      context_tokens = 10000000\nmax_output_tokens = 2048\n[providers.lab.models.price]\n\
                      input_usd_per_mtok = \"0.15\"\noutput_usd_per_mtok = \"0.60\"\n\
                      cache_read_usd_per_mtok = \"0.015\"\n";
        assert_eq!(text, expect);
    }
}
