use types::ExposeSecret;

use super::*;

fn file(text: &str) -> FileText {
    FileText { path: "tollway.toml".into(), text: text.to_owned() }
}

fn read(text: &str, env: &[(&str, &str)]) -> Result<Config, Problems> {
    parse(Some(&file(text)), &Environment::of(env.iter().copied()), &["mistral", "vertex-anthropic", "z.ai"])
}

#[test]
fn a_start_with_nothing_has_the_defaults_of_the_table() {
    let config = defaults().unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.body_bytes_max, 20 * 1024 * 1024);
    assert_eq!(config.store_url().expose(), "sqlite:./data/tollway.db");
    assert_eq!(config.brand.header_prefix, "X-Tollway");
    assert_eq!(config.upstream.total_timeout_ms, 900_000);
    assert_eq!(config.journal.backlog_bytes_max, 4 << 30);
}

/// Sets every key to its example, as a variable: each must change the typed configuration.
#[test]
fn every_key_has_an_effect() {
    let plain = format!("{:?}", defaults().unwrap());
    for key in keys() {
        let mut env = vec![(layers::variable(key.path), key.example)];
        match key.path {
            "server.tls_cert_file" => env.push(("TOLLWAY_SERVER__TLS_KEY_FILE".into(), "k.pem")),
            "payments.stripe.secret_key_env" => env.push(("STRIPE_SECRET_KEY".into(), "sk_test_x")),
            "payments.stripe.webhook_secret_env" => {
                env.push(("STRIPE_WEBHOOK_SECRET".into(), "whsec_one_x,whsec_two_x"));
            }
            "server.tls_key_file" => env.push(("TOLLWAY_SERVER__TLS_CERT_FILE".into(), "c.pem")),
            _ => {}
        }
        let env = Environment::of(env.iter().map(|(k, v)| (k.as_str(), *v)));
        let got = parse(None, &env, &[]);
        if key.path == "store.redis_url" {
            let text = got.unwrap_err().to_string();
            assert!(text.contains("many-nodes step"), "{text}");
            continue;
        }
        let got = got.unwrap_or_else(|problems| panic!("{}: {problems}", key.path));
        assert_ne!(format!("{got:?}"), plain, "{}", key.path);
    }
    let bare = format!("{:?}", ProviderConfig::default());
    for key in provider_keys() {
        let name = layers::variable(&format!("providers.lab.{}", key.name()));
        let got = parse(None, &Environment::of([(name.as_str(), key.example), ("LAB_KEY", "s")]), &[]);
        let got = got.unwrap_or_else(|problems| panic!("{}: {problems}", key.path));
        assert_ne!(format!("{:?}", got.providers["lab"]), bare, "{}", key.path);
    }
    let variable = |key: &str| layers::variable(&format!("sign_in.main.{key}"));
    let must = [(variable("issuer"), "https://id.example.net"), (variable("client_id"), "x")];
    for key in issuer_keys() {
        let own = variable(key.name());
        let of = |with: bool| {
            let must = must.iter().filter(|(name, _)| !(with && *name == own)).map(|(n, v)| (n.as_str(), *v));
            let more = [(own.as_str(), key.example), ("OIDC_SECRET", "s")];
            let env = Environment::of(must.chain(more.into_iter().filter(|_| with)));
            let got = parse(None, &env, &[]).unwrap_or_else(|problems| panic!("{}: {problems}", key.path));
            format!("{:?}", got.sign_in["main"])
        };
        assert_ne!(of(true), of(false), "{}", key.path);
    }
    let bare = format!("{:?}", ModelConfig { id: "lab/x".into(), ..ModelConfig::default() });
    for key in model_keys() {
        let list = matches!(key.kind, keys::Kind::List { .. });
        let value = match &key.kind {
            keys::Kind::Text { .. } => format!("{:?}", key.example),
            _ if list => format!("{:?}", key.example.split(", ").collect::<Vec<_>>()),
            _ => key.example.to_owned(),
        };
        let id = if key.name() == "id" { "" } else { "id = \"lab/x\"\n" };
        let text = format!("[[providers.lab.models]]\n{id}{} = {value}", key.name());
        let got = read(&text, &[]).unwrap_or_else(|problems| panic!("{}: {problems}", key.path));
        assert_ne!(format!("{:?}", got.providers["lab"].models[0]), bare, "{}", key.path);
    }
}

#[test]
fn payments_and_fees_read_from_the_file() {
    let text = r#"
        [fees]
        top_up = [{ percent = "3", until = "2026-12-31" }, { percent = "5" }]
        markup = { "openai/*" = "2.5", "*" = "1" }
        volume_discount = [{ from_usd = "1000", percent = "2" }]
        [payments.stripe]
        secret_key_env = "KEY_OF_STRIPE"
        webhook_secret = ["whsec_first", "whsec_second"]
        base_url = "http://127.0.0.1:8420/"
        [seller]
        address = ["Main Street 1", "10115 Berlin"]
    "#;
    let config = read(text, &[("KEY_OF_STRIPE", "sk_test_1")]).unwrap();
    assert_eq!((config.fees.top_up.len(), config.fees.markup.len(), config.fees.discount.len()), (2, 2, 1));
    let stripe = &config.payments.stripe;
    assert_eq!(stripe.secret_key.as_ref().unwrap().expose_secret(), "sk_test_1");
    assert_eq!((stripe.webhook_secrets.len(), stripe.base_url.as_str()), (2, "http://127.0.0.1:8420"));
    assert_eq!(config.seller.address.len(), 2);
    let one = read("[payments.stripe]\nwebhook_secret = \"whsec_first\"", &[]).unwrap();
    assert_eq!(one.payments.stripe.webhook_secrets.len(), 1);
    let debug = format!("{config:?}");
    assert!(!debug.contains("whsec_first") && !debug.contains("sk_test_1"), "{debug}");
    let rows = [
        ("[fees]\ntop_up = [{ percent = \"3\", until = \"2026-12-31\" }]", "fees.top_up"),
        ("[fees]\ntop_up = [{ procent = \"3\" }]", "fees.top_up"),
        ("[fees]\nmarkup = { \"a*b\" = \"1\" }", "fees.markup"),
        ("[fees]\ntop_up_min_usd = \"20000\"", "fees.top_up_max_usd"),
        ("[payments.stripe]\nsecret_key_env = \"NOWHERE\"", "NOWHERE"),
        ("[payments.stripe]\nwebhook_secret = [\"\"]", "webhook_secret"),
        ("[payments.stripes]\nsecret_key = \"x\"", "payments.stripe"),
        ("[payments.stripe]\nsecret_kye = \"x\"", "payments.stripe.secret_key"),
    ];
    for (text, expect) in rows {
        let problems = read(text, &[]).unwrap_err().to_string();
        assert!(problems.contains(expect), "{text}: {problems}");
    }
}

#[test]
fn every_protocol_of_the_catalog_is_allowed() {
    let key = provider_keys().iter().find(|key| key.name() == "protocol").unwrap();
    let keys::Kind::Choice { allowed, .. } = &key.kind else { panic!("a choice") };
    let mut ours: Vec<&str> = allowed.to_vec();
    let mut theirs: Vec<&str> = catalog::Protocol::ALL.iter().map(|p| p.name()).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_default() {
    let text =
        "[server]\nlisten = \"127.0.0.1:1\"\ndrain_s = 7\nbody_bytes_max = 4096\n[brand]\nname = \"File\"";
    let config = read(
        text,
        &[
            ("TOLLWAY_SERVER__LISTEN", "127.0.0.1:2"),
            ("TOLLWAY_BRAND__NAME", ""),
            ("TOLLWAY_DATA_DIR", "/d"),
            ("TOLLWAY_DATABASE_URL", "postgres://u:p@h/d"),
            ("TOLLWAY_LOG", "info,tollway=debug"),
            ("TOLLWAY_BOOTSTRAP_KEY", "sk-test-0123456789abcdef"),
            ("TOLLWAY_TEST_POSTGRES_URL", "not ours"),
            ("TOLLWAY_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
            ("OTHER", "ignored"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.drain_s, 7);
    assert_eq!(config.server.body_bytes_max, 4096);
    assert_eq!(config.server.workers, 0);
    assert_eq!(config.brand.name, "File", "an empty variable is not set");
    assert_eq!(config.server.data_dir, PathBuf::from("/d"));
    assert_eq!(config.store_url().expose(), "postgres://u:p@h/d");
    assert_eq!(config.log.filter.as_deref(), Some("info,tollway=debug"));
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert!(config.bootstrap_key.is_some());
    let debug = format!("{config:?}");
    assert!(!debug.contains("u:p@") && !debug.contains("0123456789abcdef"), "{debug}");
}

#[test]
fn a_provider_reads_from_the_file_and_the_environment() {
    let text = r#"
        [providers.lab]
        protocol = "openai"
        base_url = "http://127.0.0.1:8000/v1/"
        api_key_env = "LAB_KEY"
        extra_headers = { X-Team = "blue" }
        [[providers.lab.models]]
        id = "lab/llama-tiny"
        provider_model_id = "tiny"
        context_tokens = 8_192
        [providers.lab.models.price]
        input_usd_per_mtok = "0.15"
        output_usd_per_mtok = "unknown"
    "#;
    let config = read(
        text,
        &[
            ("LAB_KEY", "s3cret"),
            ("TOLLWAY_PROVIDERS__VERTEX_ANTHROPIC__API_KEY", "k"),
            ("TOLLWAY_PROVIDERS__Z_AI__ENABLED", "false"),
            (
                "TOLLWAY_PROVIDERS__MY_OWN__MODELS",
                "[{ id = \"me/own\", price = { input_usd_per_mtok = \"0\" } }]",
            ),
            ("TOLLWAY_PROVIDERS__LAB__NAME", "The lab"),
        ],
    )
    .unwrap();
    let slugs: Vec<&str> = config.providers.keys().map(String::as_str).collect();
    assert_eq!(slugs, ["lab", "my-own", "vertex-anthropic", "z.ai"]);
    let lab = &config.providers["lab"];
    assert_eq!(lab.base_url.as_deref(), Some("http://127.0.0.1:8000/v1"));
    assert_eq!(lab.api_key.as_ref().unwrap().expose_secret(), "s3cret");
    assert_eq!(lab.extra_headers["X-Team"].expose_secret(), "blue");
    assert_eq!(lab.models[0].context_tokens, Some(8192));
    assert_eq!(lab.models[0].price.as_ref().unwrap()["output_usd_per_mtok"], "unknown");
    let overlay = config.overlay();
    assert_eq!(overlay.providers[0].name.as_deref(), Some("The lab"));
    assert_eq!(overlay.providers[0].models[0].id, "lab/llama-tiny");
    assert_eq!(overlay.providers[1].models[0].price.as_ref().unwrap()["input_usd_per_mtok"], "0");
}

/// A file (or, on lines that begin with `TOLLWAY_`, a variable), and what the problem's text must hold.
const WRONG: &[(&str, &[&str])] = &[
    (
        "\n[server]\nlisen = \"x\"",
        &[
            "tollway.toml:3: unknown key `server.lisen`; did you mean `server.listen`?",
            "[server] takes listen,",
        ],
    ),
    ("[sever]\nlisten = 1", &["tollway.toml:2: unknown key `sever.listen`; did you mean `server.listen`?"]),
    ("[server]\nmode = \"prepaid\"", &["did you mean `billing.mode`?"]),
    ("listen = \"1.2.3.4:5\"", &["tollway.toml:1: unknown key `listen`; did you mean `server.listen`?"]),
    ("zzz = 1", &["unknown key `zzz`; allowed: the sections billing, brand, byok, cache, catalog,"]),
    ("server = 3", &["tollway.toml:1: `server` is a section; write `[server]`"]),
    (
        "[server]\nlisten = \"here\"",
        &["tollway.toml:2: `server.listen` = \"here\" is not allowed", "127.0.0.1:8080"],
    ),
    (
        "[server]\nworkers = -1",
        &["`server.workers` = -1 is not allowed; allowed: a whole number from 0 to 1024"],
    ),
    ("[server]\nworkers = \"4\"", &["`server.workers` = \"4\" is not allowed"]),
    ("[server]\ndrain_s = 1.5", &["`server.drain_s` = 1.5 is not allowed"]),
    (
        "[server]\nbody_bytes_max = \"5 TB\"",
        &["= \"5 TB\" is not allowed; allowed: a size from 1 KiB to 1 GiB"],
    ),
    ("[server]\ntrusted_proxies = [\"10.0.0.0/40\"]", &["[\"10.0.0.0/40\"] is not allowed"]),
    ("[server]\ntls_cert_file = \"a\"", &["is set without `server.tls_key_file`"]),
    ("[server]\nadmin_listen = \"127.0.0.1:8080\"", &["is the same as `server.listen`"]),
    (
        "[billing]\nmode = \"free\"",
        &["`billing.mode` = \"free\" is not allowed; allowed: one of metered, prepaid"],
    ),
    (
        "[store]\nurl = \"mysql://u:hush@h/d\"",
        &["`store.url` (value hidden) is not allowed; allowed: `sqlite:"],
    ),
    ("[store]\nredis_url = \"redis://h\"", &["tollway.toml:2: `store.redis_url` is set", "many-nodes step"]),
    ("[routing]\naccept_peer_slugs = \"yes\"", &["allowed: true or false"]),
    (
        "[brand]\nslug = \"My Brand\"",
        &["`brand.slug` = \"My Brand\" is not allowed; allowed: 1 to 32 lower-case"],
    ),
    ("[brand]\nheader_prefix = \"X_A\"", &["`brand.header_prefix`"]),
    ("[log\nx", &["tollway.toml:1: not valid TOML:"]),
    (
        "[providers.lab]\napi_kee = \"hush\"",
        &["unknown key `providers.lab.api_kee`; did you mean `providers.lab.api_key`?"],
    ),
    ("[providers.lab]\nprotocol = \"soap\"", &["allowed: one of openai, anthropic, gemini"]),
    (
        "[providers.lab]\nbase_url = \"http://u:hush@h/v1\"",
        &["`providers.lab.base_url` = \"http://***@h/v1\""],
    ),
    ("[providers.lab]\nbase_url = \"ftp://h\"", &["an `http://` or `https://` URL"]),
    ("[providers.lab]\napi_key = \"hush hush\"", &["`providers.lab.api_key` (value hidden) is not allowed"]),
    (
        "[providers.lab]\napi_keys = [\"a\", \"hu sh\"]",
        &["`providers.lab.api_keys` (value hidden) is not allowed"],
    ),
    ("[providers.lab]\napi_keys = []", &["`providers.lab.api_keys` (value hidden) is not allowed"]),
    (
        "[providers.lab]\napi_key_env = \"NO_KEY\"",
        &["names `NO_KEY`, which is not set", "TOLLWAY_PROVIDERS__LAB__ENABLED=false"],
    ),
    ("[providers.Lab]\nname = \"x\"", &["`providers.Lab` is no provider's slug"]),
    ("[sign_in.main]\nclient_id = \"x\"", &["tollway.toml:2: `sign_in.main` has no `issuer`"]),
    ("[sign_in.main]\nissuer = \"https://a.example\"", &["`sign_in.main` has no `client_id`"]),
    (
        "[sign_in.main]\nissuer = \"http://a.example\"\nclient_id = \"x\"",
        &["`sign_in.main.issuer` = \"http://a.example\" is not allowed", "an `https://` URL"],
    ),
    (
        "[sign_in.main]\nissuer = \"https://a.example\"\nclient_id = \"x\"\nclient_secret = \"hu\\u0007sh\"",
        &["`sign_in.main.client_secret` (value hidden)"],
    ),
    (
        "[sign_in.main]\nissuer = \"https://a.example\"\nclient_id = \"x\"\nclient_secret_env = \"NO_KEY\"",
        &["`sign_in.main.client_secret_env` names `NO_KEY`, which is not set"],
    ),
    (
        "[sign_in.main]\nclient_kee = \"hush\"\nissuer = \"https://a.example\"\nclient_id = \"x\"",
        &["unknown key `sign_in.main.client_kee`", "[sign_in.<slug>] takes issuer,"],
    ),
    (
        "[sign_in.a]\nissuer = \"https://a.example\"\nclient_id = \"x\"\n[sign_in.b]\nissuer = \"https://a.example\"\nclient_id = \"x\"",
        &["`sign_in.b.issuer` is that of another"],
    ),
    ("[sign_in.Main]\nclient_id = \"x\"", &["`sign_in.Main` is no issuer's slug"]),
    ("[providers]\nlab = 1", &["`providers.lab` is a section; write `[providers.lab]`"]),
    (
        "[providers.lab.extra_headers]\nHost = \"hush\"",
        &["`providers.lab.extra_headers.Host` (value hidden)"],
    ),
    ("[[providers.lab.models]]\nname = \"x\"", &["`providers.lab.models[0]` has no `id`"]),
    (
        "[[providers.lab.models]]\nid = \"tiny\"",
        &["`providers.lab.models[0].id` = \"tiny\" is not allowed; allowed: `<author>/<model>`"],
    ),
    ("[[providers.lab.models]]\nid = \"a/b\"\nctx = 1", &["unknown key `providers.lab.models[0].ctx`"]),
    (
        "[[providers.lab.models]]\nid = \"a/b\"\n[[providers.lab.models]]\nid = \"a/b\"",
        &["same id as another model"],
    ),
    (
        "[[providers.lab.models]]\nid = \"a/b\"\nprice = { input_usd_per_mtok = 0.15 }",
        &[
            "tollway.toml:3: `providers.lab.models[0].price.input_usd_per_mtok` = 0.15 is not allowed",
            "with quotes: `input_usd_per_mtok = \"0.15\"`",
        ],
    ),
    (
        "[[providers.lab.models]]\nid = \"a/b\"\nprice = { input_per_mtok = \"1\" }",
        &["did you mean `input_usd_per_mtok`?"],
    ),
    (
        "[[providers.lab.models]]\nid = \"a/b\"\nprice = { input_usd_per_mtok = \"-1\" }",
        &["= \"-1\" is not allowed"],
    ),
    (
        "TOLLWAY_SERVER__LISEN=x",
        &["TOLLWAY_SERVER__LISEN: unknown key `server.lisen`; did you mean `TOLLWAY_SERVER__LISTEN`?"],
    ),
    (
        "TOLLWAY_LISTN=x",
        &["TOLLWAY_LISTN: unknown key", "did you mean `TOLLWAY_LISTEN`?", "TOLLWAY_<SECTION>__<KEY>"],
    ),
    (
        "TOLLWAY_SERVER__WORKERS=many",
        &["TOLLWAY_SERVER__WORKERS: `server.workers` = \"many\" is not allowed"],
    ),
    ("TOLLWAY_LISTEN=nowhere", &["TOLLWAY_LISTEN: `server.listen` = \"nowhere\" is not allowed"]),
    ("TOLLWAY_REDIS_URL=redis://h", &["TOLLWAY_REDIS_URL: `store.redis_url` is set", "many-nodes step"]),
    ("TOLLWAY_BOOTSTRAP_KEY=hush", &["TOLLWAY_BOOTSTRAP_KEY", "16 to 200 characters"]),
    ("TOLLWAY_LOG==", &["`TOLLWAY_LOG` is no filter"]),
    (
        "TOLLWAY_PROVIDERS__LAB__MODELS=hush",
        &["`providers.lab.models` = \"hush\" is not allowed; allowed: a list of tables"],
    ),
    ("TOLLWAY_PROVIDERS__LAB__KEY=hush", &["unknown key `providers.lab.key`"]),
    (
        "TOLLWAY_LISTEN=1.1.1.1:1\nTOLLWAY_SERVER__LISTEN=1.1.1.1:2",
        &["TOLLWAY_LISTEN and TOLLWAY_SERVER__LISTEN; keep one"],
    ),
];

#[test]
fn what_is_wrong_is_named_with_place_value_and_what_is_allowed() {
    for (input, expect) in WRONG {
        let (env, text): (Vec<&str>, Vec<&str>) =
            input.lines().partition(|line| line.starts_with("TOLLWAY_"));
        let env: Vec<(&str, &str)> = env.iter().filter_map(|line| line.split_once('=')).collect();
        let shown =
            read(&text.join("\n"), &env).err().unwrap_or_else(|| panic!("accepted: {input}")).to_string();
        for part in *expect {
            assert!(shown.contains(part), "{input}\n  got  {shown}\n  want {part}");
        }
        assert_eq!(shown.lines().count(), 1, "{shown}");
        let secret = shown.contains("hush") && !shown.contains("models` =");
        assert!(!secret, "a secret is shown: {shown}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let text = "[server]\nworkers = \"x\"\nlisen = 1\n[billing]\nmode = 3";
    let problems = read(text, &[("TOLLWAY_BRAND__SLUGG", "x")]).unwrap_err();
    assert_eq!(problems.0.len(), 4, "{problems}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let missing = Path::new("/nonexistent/tollway.toml");
    let shown = read_file(Some(missing), &Environment::default()).unwrap_err().to_string();
    assert!(shown.starts_with("/nonexistent/tollway.toml: the configuration file can't be read"), "{shown}");
    assert!(read_file(None, &Environment::default()).unwrap().is_none());
}

#[test]
fn every_default_and_example_is_in_the_documentation_form() {
    for key in keys() {
        assert!(key.doc.ends_with('.'), "{}: the doc is a sentence", key.path);
        assert!(key.path.contains('.') && key.path == key.path.to_lowercase(), "{}", key.path);
    }
}

/// What the operator's page of fees tells of a setting is what the file has: read back, it is the same.
#[test]
fn fees_are_told_as_the_file_has_them() {
    let text = r#"
        [fees]
        top_up = [{ percent = "3", until = "2026-12-31" }, { percent = "5.5" }]
        fee_on = "included"
        fee_min_usd = "0.35"
        top_up_min_usd = "10"
        top_up_max_usd = "500"
        refund_fees = true
        byok_percent = "2.5"
        markup = { "openai/*" = "2.5", "mistralai/small" = "1" }
        volume_discount = [{ from_usd = "1000", percent = "2" }]
        [credits]
        trial_usd = "1"
    "#;
    for config in [defaults().unwrap(), read(text, &[]).unwrap()] {
        let told = gateway::payments::fees::settings(&config.fees);
        for setting in &told {
            assert!(keys().any(|key| key.path == setting.path), "{}", setting.path);
        }
        let lines: Vec<String> =
            told.iter().map(|setting| format!("{} = {}", setting.path, setting.value)).collect();
        assert_eq!(read(&lines.join("\n"), &[]).unwrap().fees, config.fees, "{lines:?}");
    }
    let named = keys().filter(|key| key.path.starts_with("fees.")).count();
    let told = gateway::payments::fees::settings(&defaults().unwrap().fees);
    assert_eq!(told.iter().filter(|setting| setting.path.starts_with("fees.")).count(), named);
}
