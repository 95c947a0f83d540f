use std::collections::BTreeMap;

use serde_json::Value;
use types::{TestClock, Timestamp};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const SANDBOX: &str = "name = \"Sandbox\"\nprotocol = \"sandbox\"\nsource = \"own\"\nas_of = \"2026\"";
const CLOUD: &str = "name = \"Cloud\"\nprotocol = \"openai\"\nbase_url = \"https://cloud.example/v1\"\n\
    api_key_env = [\"CLOUD_KEY\"]\nsource = \"own\"\nas_of = \"2026\"";
const LOCAL: &str = "name = \"Local\"\nprotocol = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
    source = \"own\"\nas_of = \"2026\"\n[quirks]\nauth_optional = true";

fn small_catalog() -> anyhow::Result<::catalog::Snapshot> {
    let dir = tempfile::tempdir()?;
    let files = [
        ("sources/own.toml", "name = \"Own\"\nurl = \"https://own.example\""),
        ("providers/sandbox/provider.toml", SANDBOX),
        ("providers/big-cloud/provider.toml", CLOUD),
        ("providers/local/provider.toml", LOCAL),
    ];
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap())?;
        std::fs::write(path, text)?;
    }
    ::catalog::load_dir(dir.path()).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

const PARTS: Parts = Parts { embedded: small_catalog, serve: |_, _| anyhow::bail!("served") };

/// Variables of one row.
type Env = &'static [(&'static str, &'static str)];

/// A data folder and the program.
struct Shell {
    dir: tempfile::TempDir,
}

impl Shell {
    fn new() -> Shell {
        Shell { dir: tempfile::tempdir().unwrap() }
    }

    fn env(&self, more: &[(&str, &str)]) -> Environment {
        let data = self.dir.path().display().to_string();
        let all: BTreeMap<&str, &str> =
            [("TOLLWAY_DATA_DIR", data.as_str())].into_iter().chain(more.iter().copied()).collect();
        Environment::of(all)
    }

    fn with(&self, line: &str, more: &[(&str, &str)]) -> Result<String, Failure> {
        let args = std::iter::once("tollway").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(args).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut out = Vec::new();
        run(&cli, self.env(more), &PARTS, &TestClock::at(NOW), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn ok(&self, line: &str) -> String {
        self.with(line, &[]).unwrap_or_else(|failure| panic!("{line}: {failure:?}"))
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }
}

#[test]
fn a_key_is_made_shown_once_listed_and_revoked() {
    let shell = Shell::new();
    let made = shell.json(
        "keys create --name ci --spend-limit 2.50 --expires 30d --requests-per-minute 60 --concurrency 4",
    );
    let text = made["key"].as_str().unwrap();
    assert_eq!(types::checksum_ok("sk-tw", text), Some(true));
    assert_eq!(made["spend_limit_usd"], "2.5");
    assert_eq!(made["expires_at"], "2027-02-14T08:00:00Z");
    assert_eq!((&made["requests_per_minute"], &made["concurrency"]), (&60.into(), &4.into()));
    let listed = shell.ok("keys list");
    assert!(listed.contains(made["label"].as_str().unwrap()) && !listed.contains(text), "{listed}");
    assert_eq!(shell.json("keys list")["keys"][0]["state"], "active");
    assert!(shell.ok("keys revoke ci").contains("is revoked"));
    assert_eq!(shell.json("keys revoke ci")["already_revoked"], true);
    assert_eq!(shell.json("keys list")["keys"][0]["state"], "revoked");
}

#[test]
fn the_brand_s_prefix_is_on_its_keys() {
    let shell = Shell::new();
    let made =
        shell.with("keys create --name a --management", &[("TOLLWAY_BRAND__KEY_PREFIX", "sk-acme")]).unwrap();
    assert!(made.starts_with("sk-acme-v1-"), "{made}");
    assert_eq!(shell.json("keys list")["keys"][0]["state"], "management");
}

#[test]
fn credit_is_granted_once_per_id() {
    let shell = Shell::new();
    assert_eq!(shell.json("credits show")["balance_usd"], "0");
    assert!(
        shell
            .ok("credits grant 25 --reason trial")
            .contains("granted 25 USD to acct_owner; the balance is 25 USD")
    );
    assert_eq!(shell.json("credits grant 2.50 --id may")["balance_usd"], "27.5");
    let again = shell.json("credits grant 2.50 --id may");
    assert_eq!((&again["applied"], &again["balance_usd"]), (&false.into(), &"27.5".into()));
    assert_eq!(shell.json("credits grant -7.5")["balance_usd"], "20");
    assert_eq!(
        shell.json("credits grant 1 --id gen:x")["balance_usd"],
        "21",
        "ids have a namespace of their own"
    );
    assert_eq!(shell.json("credits grant -1")["balance_usd"], "20");
    let show = shell.json("credits show");
    assert_eq!((&show["granted_usd"], &show["used_usd"]), (&"20".into(), &"0".into()));
    assert!(shell.ok("ledger verify").contains("the books are good: 5 entries"));
    assert_eq!(shell.json("ledger verify")["ok"], true);
}

/// A command line with variables, and what the failure must be: exit code and a part of its text.
#[test]
fn what_can_t_be_done_is_said_in_one_line() {
    let shell = Shell::new();
    shell.ok("credits grant 1 --id taken");
    let rows: &[(&str, Env, u8, &str)] = &[
        ("credits grant 0", &[], 2, "an amount of 0 grants nothing"),
        ("credits grant 2 --id taken", &[], 2, "exists with other amounts"),
        ("credits grant 2 --id a/b", &[], 2, "--id takes 1 to 100"),
        ("credits grant 2 --account acct_none", &[], 2, "acct_none"),
        ("keys create --name x --account acct_none", &[], 2, "acct_none"),
        ("keys create --name x --spend-limit -1", &[], 2, "--spend-limit is negative"),
        ("keys create --name x --expires 2020-01-01T00:00:00Z", &[], 2, "--expires is in the past"),
        ("keys revoke nobody", &[], 2, "no key has the id, label or name `nobody`"),
        ("check", &[("TOLLWAY_BILLING__MODE", "free")], 2, "allowed: one of metered, prepaid"),
        ("check --config /nonexistent.toml", &[], 2, "can't be read"),
        ("check", &[("TOLLWAY_CATALOG__DIR", "/nonexistent")], 1, "/nonexistent"),
        ("check", &[("TOLLWAY_PROVIDERS__NEW__BASE_URL", "http://h")], 2, "protocol"),
        ("catalog check /nonexistent", &[], 1, "/nonexistent"),
        ("keys list", &[("TOLLWAY_DATABASE_URL", "sqlite:/dev/null/x")], 1, "can't open sqlite:/dev/null/x"),
        ("serve", &[], 1, "served"),
    ];
    for (line, env, code, expect) in rows {
        let (got, text) = match shell.with(line, env).unwrap_err() {
            Failure::BadInput(text) => (2, text),
            Failure::Failed(text) => (1, text),
        };
        assert!(text.contains(expect), "{line}\n  got  {text}\n  want {expect}");
        assert_eq!((got, text.lines().count()), (*code, 1), "{line}: {text}");
    }
}

#[test]
fn arguments_that_are_wrong_are_named() {
    let rows = [
        ("credits grant 1e3", "write plain digits"),
        ("credits grant 0.0000000001", "nine digits"),
        ("keys create", "--name"),
        ("keys create --name x --expires soon", "write an instant"),
        ("keys create --name x --concurrency 0", "1.."),
        ("catalog export xml", "openrouter"),
        ("reroute", "unrecognized subcommand"),
        ("route", "<PROMPT>"),
        ("route x --file y", "cannot be used with"),
        ("route x --dial 2", "write a decimal from 0.0"),
        ("route x --preference best", "balanced"),
        ("replay", "--policy <FILE>"),
        ("replay --since 1h --dial 0.5", "--policy <FILE>"),
        ("replay --model a --policy b", "cannot be used with"),
        ("replay --model a --since soon", "write an instant"),
    ];
    for (line, expect) in rows {
        let args = std::iter::once("tollway").chain(line.split_whitespace());
        let error = Cli::try_parse_from(args).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(expect), "{line}: {error}");
    }
}

const LAB: Env = &[
    ("TOLLWAY_PROVIDERS__LAB__PROTOCOL", "openai"),
    ("TOLLWAY_PROVIDERS__LAB__BASE_URL", "http://${LAB_HOST}/v1"),
    (
        "TOLLWAY_PROVIDERS__LAB__MODELS",
        "[{ id = \"lab/tiny\", price = { input_usd_per_mtok = \"0.15\", output_usd_per_mtok = \"0.6\" } }]",
    ),
];

#[test]
fn check_prints_what_would_run() {
    let shell = Shell::new();
    let rows: &[(Env, bool, &str)] = &[
        (&[], false, "base URL needs LAB_HOST; set it"),
        (&[("LAB_HOST", "h")], true, "needs no key"),
        (&[("LAB_HOST", "h"), ("TOLLWAY_PROVIDERS__LAB__ENABLED", "false")], false, "switched off"),
        (
            &[("LAB_HOST", "h"), ("TOLLWAY_PROVIDERS__LAB__API_KEY", "hush")],
            true,
            "key from the configuration",
        ),
        (
            &[("LAB_HOST", "h"), ("TOLLWAY_PROVIDERS__LAB__API_KEY_ENV", "K"), ("K", "hush")],
            true,
            "key from K",
        ),
    ];
    for (more, on, why) in rows {
        let env: Vec<(&str, &str)> = LAB.iter().chain(*more).copied().collect();
        let text = shell.with("check --json", &env).unwrap();
        assert!(!text.contains("hush"), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let lab = json["providers"].as_array().unwrap().iter().find(|p| p["slug"] == "lab").unwrap();
        assert_eq!((&lab["on"], &lab["why"]), (&(*on).into(), &(*why).into()));
        let human = shell.with("check", &env).unwrap();
        assert!(human.contains(why) && human.contains("1 endpoints (1 with known prices)"), "{human}");
    }
    let masked = shell.with("check", &[("TOLLWAY_DATABASE_URL", "postgres://u:hush@h/d")]).unwrap();
    assert!(masked.contains("postgres://***@h/d") && !masked.contains("hush"), "{masked}");
}

/// A provider of the catalog under variables: is it on, and why.
#[test]
fn catalog_providers_are_on_when_they_can_be_used() {
    let shell = Shell::new();
    let rows: &[(&str, Env, bool, &str)] = &[
        ("sandbox", &[], true, "built in"),
        ("sandbox", &[("TOLLWAY_PROVIDERS__SANDBOX__ENABLED", "false")], false, "switched off"),
        ("big-cloud", &[], false, "no key; set CLOUD_KEY"),
        ("big-cloud", &[("CLOUD_KEY", "")], false, "no key; set CLOUD_KEY"),
        ("big-cloud", &[("CLOUD_KEY", "hush")], true, "key from CLOUD_KEY"),
        (
            "big-cloud",
            &[("TOLLWAY_PROVIDERS__BIG_CLOUD__ENABLED", "true")],
            true,
            "switched on, without a key",
        ),
        ("local", &[], false, "not in use; set `providers.local.enabled`"),
        ("local", &[("TOLLWAY_PROVIDERS__LOCAL__ENABLED", "true")], true, "needs no key"),
    ];
    for (slug, env, on, why) in rows {
        let json: Value = serde_json::from_str(&shell.with("check --json", env).unwrap()).unwrap();
        let state = json["providers"].as_array().unwrap().iter().find(|p| p["slug"] == *slug).unwrap();
        assert_eq!((&state["on"], &state["why"]), (&(*on).into(), &(*why).into()), "{slug} {env:?}");
    }
}

#[test]
fn the_catalog_is_exported_with_what_the_configuration_adds() {
    let shell = Shell::new();
    let env: Vec<(&str, &str)> = LAB.iter().copied().chain([("LAB_HOST", "h")]).collect();
    for (format, holds) in [
        ("own", "lab/tiny"),
        ("models-dev", "\"lab\""),
        ("openrouter", "lab/tiny"),
        ("provider-document", "\"data\""),
        ("litellm", "{"),
        ("genai-prices", "["),
    ] {
        let text = shell.with(&format!("catalog export {format}"), &env).unwrap();
        serde_json::from_str::<Value>(&text).unwrap();
        assert!(text.contains(holds), "{format}: {text}");
    }
    assert!(shell.ok("catalog check").contains("the catalog (built in) is good: 0 models"));
}

#[test]
fn a_feed_is_imported_whole_or_not_at_all_and_two_catalogs_are_compared() {
    let shell = Shell::new();
    let path = |name: &str| shell.dir.path().join(name).display().to_string();
    let (dir, feed) = (path("catalog"), path("feed.json"));
    let offer = |price: &str| {
        format!(
            r#"{{"big-cloud": {{"id": "big-cloud", "name": "Cloud", "npm": "@ai-sdk/openai", "env": [], "models": {{"m": {{"id": "acme/m",
            "name": "M", "limit": {{"context": 8192, "output": 0}}, "cost": {{"input": {price}, "output": 2}}}}}}}}}}"#
        )
    };
    let import = format!("catalog import models-dev {feed} --as-of 2026-08-01 --dir {dir}");
    // Nobody is called `acme` yet: an author's file is the operator's to write.
    std::fs::write(&feed, offer("1")).unwrap();
    let said = shell.ok(&import);
    assert!(said.contains("1 entries not used: nobody says who made the model (big-cloud/m)"), "{said}");
    std::fs::create_dir_all(shell.dir.path().join("catalog/authors")).unwrap();
    std::fs::write(shell.dir.path().join("catalog/authors/acme.toml"), "# ours\nname = \"Acme\"\n").unwrap();
    assert!(
        shell
            .ok(&format!("{import} --dry-run"))
            .contains("nothing is written: 1 model added, 1 endpoint added")
    );
    assert!(!shell.dir.path().join("catalog/models").exists());
    assert!(shell.ok(&import).contains("is written: 1 model added, 1 endpoint added"));
    let author = std::fs::read_to_string(shell.dir.path().join("catalog/authors/acme.toml")).unwrap();
    assert!(author.starts_with("# ours"), "what the feed changes nothing about keeps its bytes");
    // The source has changed its mind.
    let older = path("older.json");
    let env = [("TOLLWAY_CATALOG__DIR", dir.as_str())];
    assert!(shell.with(&format!("catalog export own {older}"), &env).unwrap().contains("wrote"));
    std::fs::write(&feed, offer("1.5")).unwrap();
    shell.ok(&import);
    let told = shell.ok(&format!("catalog diff {older} {dir}"));
    assert!(told.starts_with("1 price sheet changed\n") && told.contains("1 -> 1.5 (+50.0 %)"), "{told}");
    let json: Value = serde_json::from_str(&shell.ok(&format!("catalog diff {older} {dir} --json"))).unwrap();
    assert_eq!(json["prices_changed"][0]["changes"][0]["percent"], "+50.0");
    assert!(shell.with("catalog diff built-in", &env).unwrap().contains("model     acme/m"));
    // A bad feed changes nothing, and leaves nothing.
    std::fs::write(&feed, offer("-1")).unwrap();
    let failure = shell.with(&import, &[]).unwrap_err();
    assert!(
        matches!(&failure, Failure::BadInput(said) if said.contains("`big-cloud/m`: `input` is a negative price")),
        "{failure:?}"
    );
    assert!(
        shell
            .ok(&format!("catalog diff {dir} {dir}"))
            .starts_with("no model, provider, endpoint, price or fact changed")
    );
    let left = std::fs::read_dir(shell.dir.path())
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert_eq!(left.filter(|name| name.starts_with('.')).count(), 0);
    let failure = shell.with(&format!("catalog import models-dev {feed}"), &[]).unwrap_err();
    assert!(failure.text().contains("set `catalog.dir`, or say --dir"));
    assert!(shell.with("catalog diff nowhere", &[]).unwrap_err().text().contains("`built-in`"));
}

#[test]
fn docs_and_version_answer() {
    let shell = Shell::new();
    let dir = shell.dir.path().join("docs");
    shell.ok(&format!("docs --dir {}", dir.display()));
    for name in ["config.md", "cli.md", "errors.md"] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().starts_with("# "), "{name}");
    }
    assert_eq!(shell.json("version")["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn rules_are_written_shown_versioned_and_deleted() {
    let shell = Shell::new();
    let file = |text: &str| {
        let path = shell.dir.path().join("rule.json");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    assert_eq!(
        shell.ok("policies list"),
        "no policies yet; write a policy with `tollway policies set NAME FILE`\n"
    );
    let text = r#"{"strategy":"fallback","models":["tollway/auto"]}"#;
    let set = format!("policies set chain {}", file(text));
    assert_eq!(shell.ok(&set), "policy `chain` is written, version 1\n");
    assert_eq!(shell.json(&set)["version"], 2);
    assert_eq!(shell.ok("policies show chain").trim(), text);
    let typo = shell.ok(&format!("presets set p {}", file(r#"{"config":{"tempo":1}}"#)));
    assert!(typo.contains("warning: `config.tempo` is not known here"), "{typo}");
    let rows = [
        ("policies set chain FILE", "{}", "was not written"),
        ("policies set Chain FILE", text, "a-z, 0-9"),
        ("presets set p FILE", r#"{"config":{"model":"x/y"}}"#, "no model is called so"),
        ("policies set chain missing.json", "", "can't read missing.json"),
        ("presets show chain", "", "see `tollway presets list`"),
        ("presets delete chain", "", "see `tollway presets list`"),
        ("policies set chain FILE --account acct_x", text, "no account has the id `acct_x`"),
    ];
    for (line, text, words) in rows {
        let failure = shell.with(&line.replace("FILE", &file(text)), &[]).unwrap_err();
        assert!(matches!(&failure, Failure::BadInput(said) if said.contains(words)), "{line}: {failure:?}");
    }
    assert!(shell.ok("policies delete chain").contains("is deleted"));
    let versions = shell.json("policies versions chain");
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(3));
    assert_eq!(shell.json("policies list")["policies"], Value::Array(Vec::new()));
    assert_eq!(shell.json("presets list")["presets"][0]["name"], "p");
}
