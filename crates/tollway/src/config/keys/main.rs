//! What runs, where its data is, and how it looks from outside.

use std::net::SocketAddr;
use std::path::PathBuf;

use gateway::byok::seal::Masters;
use ledger::BillingMode;
use types::{ExposeSecret, SecretString};

use super::Preset::{Unset, Value};
use super::{GIB, KIB, Key, Kind, MIB};
use crate::config::settings::{Config, StoreUrl};

const ADDRESS: &str = "an address with a port, such as `127.0.0.1:8080`, `0.0.0.0:80` or `[::1]:8080`";
const FILE: &str = "the path of a file";
const FOLDER: &str = "the path of a folder";

pub(super) static KEYS: &[Key<Config>] = &[
    Key {
        path: "server.listen",
        preset: Value("127.0.0.1:8080"),
        example: "127.0.0.1:9090",
        doc: "Where the gateway, the site and the console answer. Port 0 takes a free one and prints it.",
        kind: Kind::Text {
            allowed: ADDRESS,
            set: |c, v| address(v).map(|address| c.server.listen = address).is_some(),
        },
    },
    Key {
        path: "server.admin_listen",
        preset: Unset("`/metrics` is on the main listener, for the owner's management keys only"),
        example: "127.0.0.1:9091",
        doc: "A second listener, for `/metrics` and the health checks, that asks for no key. Keep it private.",
        kind: Kind::Text {
            allowed: ADDRESS,
            set: |c, v| address(v).map(|address| c.server.admin_listen = Some(address)).is_some(),
        },
    },
    Key {
        path: "server.public_url",
        preset: Unset("`http://` or `https://` and `server.listen`"),
        example: "https://llm.example.com",
        doc: "Where customers reach this server: what addresses in mails, on invoices and at payment begin with.",
        kind: Kind::Text {
            allowed: "an `http://` or `https://` URL without user and password",
            set: |c, v| super::money::url(v).map(|url| c.server.public_url = Some(url)).is_some(),
        },
    },
    Key {
        path: "server.data_dir",
        preset: Value("./data"),
        example: "/var/lib/tollway",
        doc: "Where the journal and the SQLite database are. Made when missing. One running server per folder.",
        kind: Kind::Text {
            allowed: FOLDER,
            set: |c, v| path(v).map(|path| c.server.data_dir = path).is_some(),
        },
    },
    Key {
        path: "server.workers",
        preset: Value("0"),
        example: "2",
        doc: "Threads that serve requests; 0 is one per core.",
        kind: Kind::Number { min: 0, max: 1024, set: |c, v| c.server.workers = v as usize },
    },
    Key {
        path: "server.spin_us",
        preset: Value("50"),
        example: "0",
        doc: "Microseconds for which a thread looks for its next event before it sleeps, as long as most events come that soon; 0 is never. Shortens calls under load, for a busier core.",
        kind: Kind::Number { min: 0, max: 1000, set: |c, v| c.server.spin_us = v },
    },
    Key {
        path: "server.drain_s",
        preset: Value("30"),
        example: "5",
        doc: "On SIGTERM, how many seconds running answers may take to end.",
        kind: Kind::Number { min: 0, max: 3600, set: |c, v| c.server.drain_s = v },
    },
    Key {
        path: "server.tls_cert_file",
        preset: Unset("plain HTTP"),
        example: "cert.pem",
        doc: "The certificate chain in PEM, together with `server.tls_key_file`.",
        kind: Kind::Text {
            allowed: FILE,
            set: |c, v| path(v).map(|p| c.server.tls_cert_file = Some(p)).is_some(),
        },
    },
    Key {
        path: "server.tls_key_file",
        preset: Unset("plain HTTP"),
        example: "key.pem",
        doc: "The certificate's private key in PEM.",
        kind: Kind::Text {
            allowed: FILE,
            set: |c, v| path(v).map(|p| c.server.tls_key_file = Some(p)).is_some(),
        },
    },
    Key {
        path: "server.trusted_proxies",
        preset: Value(""),
        example: "10.0.0.0/8, 192.168.1.7",
        doc: "Proxies whose `X-Forwarded-For` is believed. From anyone else the header is ignored.",
        kind: Kind::List {
            allowed: "a list of addresses and networks, such as `10.0.0.0/8` or `::1`",
            set: |c, items| {
                let networks: Result<Vec<_>, ()> = items.iter().map(|item| item.parse()).collect();
                networks.map(|networks| c.server.trusted_proxies = networks).is_ok()
            },
        },
    },
    Key {
        path: "server.body_bytes_max",
        preset: Value("20 MiB"),
        example: "1 MiB",
        doc: "The largest request body; more is 413.",
        kind: Kind::Bytes { min: KIB, max: GIB, set: |c, v| c.server.body_bytes_max = v as usize },
    },
    Key {
        path: "server.header_bytes_max",
        preset: Value("32 KiB"),
        example: "16 KiB",
        doc: "The largest request line and headers together; more is 431.",
        kind: Kind::Bytes { min: 8 * KIB, max: MIB, set: |c, v| c.server.header_bytes_max = v as usize },
    },
    Key {
        path: "server.header_read_timeout_ms",
        preset: Value("10000"),
        example: "5000",
        doc: "How long a client may take to send its headers.",
        kind: Kind::Number { min: 100, max: 600_000, set: |c, v| c.server.header_read_timeout_ms = v },
    },
    Key {
        path: "server.connections_max",
        preset: Value("20000"),
        example: "500",
        doc: "Client connections at once. When full, new ones wait in the system's queue.",
        kind: Kind::Number { min: 1, max: 10_000_000, set: |c, v| c.server.connections_max = v as usize },
    },
    Key {
        path: "store.url",
        preset: Unset("`sqlite:<server.data_dir>/tollway.db`"),
        example: "postgres://tollway@db.example/tollway",
        doc: "The database of accounts, keys, ledger and usage.",
        kind: Kind::Secret {
            allowed: "`sqlite:<path>` or `postgres://<user>:<password>@<host>/<database>`",
            set: |c, v| {
                store_url(v, &["sqlite:", "postgres://", "postgresql://"], |url| c.store.url = Some(url))
            },
        },
    },
    Key {
        path: "store.redis_url",
        preset: Unset("limits and stickiness are kept in this process"),
        example: "redis://cache.example/0",
        doc: "Shared state of many nodes. Comes with the many-nodes step: until then, setting it refuses to start.",
        kind: Kind::Secret {
            allowed: "`redis://<host>/<number>`; not yet: it comes with the many-nodes step",
            set: |c, v| store_url(v, &["redis://", "rediss://"], |url| c.store.redis_url = Some(url)),
        },
    },
    Key {
        path: "catalog.dir",
        preset: Unset("the catalog that was built in"),
        example: "/etc/tollway/catalog",
        doc: "A folder in the catalog's format that takes the place of the built-in catalog.",
        kind: Kind::Text {
            allowed: FOLDER,
            set: |c, v| path(v).map(|path| c.catalog.dir = Some(path)).is_some(),
        },
    },
    Key {
        path: "billing.mode",
        preset: Value("metered"),
        example: "prepaid",
        doc: "`metered`: everything is priced and booked, nobody needs a balance. `prepaid`: no balance, no call.",
        kind: Kind::Choice {
            allowed: &["metered", "prepaid"],
            set: |c, v| {
                c.billing.mode = if v == "prepaid" { BillingMode::Prepaid } else { BillingMode::Metered };
            },
        },
    },
    Key {
        path: "billing.receipt_key",
        preset: Unset("`billing.receipt_key_file`"),
        example: "-----BEGIN PRIVATE KEY-----...",
        doc: "The secret key that signs receipts: Ed25519 as PKCS#8 in PEM. For a variable; a file is the better place.",
        kind: Kind::Secret {
            allowed: "a secret key as `openssl genpkey -algorithm ed25519` writes it",
            set: |c, v| {
                let good = v.expose_secret().contains("PRIVATE KEY");
                c.billing.receipt_key = Some(v);
                good
            },
        },
    },
    Key {
        path: "billing.receipt_key_file",
        preset: Unset("`<server.data_dir>/receipt-key.pem`, made on the first start"),
        example: "/etc/tollway/receipt-key.pem",
        doc: "The file of that key. Nodes of one installation share one. Replaced keys stay listed in `receipt-keys.json` in \
              the data folder.",
        kind: Kind::Text {
            allowed: "a path",
            set: |c, v| path(v).map(|path| c.billing.receipt_key_file = Some(path)).is_some(),
        },
    },
    Key {
        path: "byok.master_key",
        preset: Unset("`byok.master_key_file`"),
        example: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        doc: "What accounts' own provider keys are sealed with: 32 bytes in hexadecimal or base64. Of several, with commas between \
              them, the last one seals and each opens what it sealed.",
        kind: Kind::Secret {
            allowed: "32 bytes as 64 hexadecimal digits or 44 of base64; several with commas between them",
            set: |c, v| {
                let good = Masters::given(&v).is_ok();
                if good {
                    c.byok.master_key = Some(v);
                }
                good
            },
        },
    },
    Key {
        path: "byok.master_key_file",
        preset: Unset("`<server.data_dir>/byok-master.keys`, made on the first start"),
        example: "/etc/tollway/byok-master.keys",
        doc: "The file of the master keys, one a line, the newest last. Keep it apart from backups of the database: together they \
              give provider keys away, and without it they are lost.",
        kind: Kind::Text {
            allowed: FILE,
            set: |c, v| path(v).map(|path| c.byok.master_key_file = Some(path)).is_some(),
        },
    },
    Key {
        path: "byok.private_base_urls",
        preset: Value("false"),
        example: "true",
        doc: "Whether the addresses that accounts give with their own provider keys may be on private networks, and without TLS. \
              Leave it off where accounts are not trusted with what this machine can reach.",
        kind: Kind::Flag(|c, v| c.byok.private_base_urls = v),
    },
    Key {
        path: "brand.name",
        preset: Value("Tollway"),
        example: "Acme AI",
        doc: "The name that pages show.",
        kind: Kind::Text {
            allowed: "1 to 60 characters without control characters",
            set: |c, v| keep(&mut c.brand.name, v, 60, |ch| !ch.is_control()),
        },
    },
    Key {
        path: "brand.slug",
        preset: Value("tollway"),
        example: "acme",
        doc: "The author of the virtual models: `tollway/auto`.",
        kind: Kind::Text {
            allowed: "1 to 32 lower-case letters, digits and `-`",
            set: |c, v| keep(&mut c.brand.slug, v, 32, is_slug_char),
        },
    },
    Key {
        path: "brand.header_prefix",
        preset: Value("X-Tollway"),
        example: "X-Acme",
        doc: "What our own request and response headers begin with.",
        kind: Kind::Text {
            allowed: "1 to 32 letters, digits and `-`, with a letter or digit at both ends",
            set: |c, v| {
                let ends = !v.starts_with('-') && !v.ends_with('-');
                ends && keep(&mut c.brand.header_prefix, v, 32, |ch| ch.is_ascii_alphanumeric() || ch == '-')
            },
        },
    },
    Key {
        path: "brand.key_prefix",
        preset: Value("sk-tw"),
        example: "sk-acme",
        doc: "What new keys begin with. Keys that exist keep working.",
        kind: Kind::Text {
            allowed: "1 to 16 lower-case letters, digits and `-`",
            set: |c, v| keep(&mut c.brand.key_prefix, v, 16, is_slug_char),
        },
    },
    Key {
        path: "site.rankings",
        preset: Value("public"),
        example: "signed-in",
        doc: "Who sees what is used here most (`/rankings`, `/apps`): `public`, everybody; `signed-in`, people with an account here; \
              `off`, nobody but who runs the place. What they see is in [insight.md](insight.md#what-everybody-sees).",
        kind: Kind::Choice {
            allowed: &["public", "signed-in", "off"],
            set: |c, v| {
                c.site.rankings = match v {
                    "signed-in" => web::Audience::SignedIn,
                    "off" => web::Audience::Off,
                    _ => web::Audience::Public,
                }
            },
        },
    },
    Key {
        path: "site.rankings_spend",
        preset: Value("false"),
        example: "true",
        doc: "Whether rankings show spend to everybody who sees them, and not only to who runs the place.",
        kind: Kind::Flag(|c, v| c.site.rankings_spend = v),
    },
    Key {
        path: "site.rankings_accounts_min",
        preset: Value("3"),
        example: "1",
        doc: "How many accounts have to stand behind a name in rankings; fewer are folded into one row without names. What only the \
              owner's own account uses is shown all the same. 1: every name is shown.",
        kind: Kind::Number { min: 1, max: 1_000_000, set: |c, v| c.site.rankings_accounts_min = v as usize },
    },
    Key {
        path: "site.rankings_requests_min",
        preset: Value("10"),
        example: "100",
        doc: "How many requests have to stand behind a name in rankings.",
        kind: Kind::Number { min: 1, max: 1_000_000_000, set: |c, v| c.site.rankings_requests_min = v },
    },
    Key {
        path: "site.public_stats",
        preset: Value("true"),
        example: "false",
        doc: "Whether calls of keys that don't say (`public_stats` of a key) are part of rankings and other numbers that pages show \
              of everybody.",
        kind: Kind::Flag(|c, v| c.site.public_stats = v),
    },
    Key {
        path: "site.ratings",
        preset: Value("on"),
        example: "off",
        doc: "Whether people who are signed in rate models and comment on them ([ratings.md](ratings.md)). `off`: what was written is kept \
              and shown to nobody.",
        kind: Kind::Choice { allowed: &["on", "off"], set: |c, v| c.site.ratings = v == "on" },
    },
    Key {
        path: "site.ratings_hide_reports",
        preset: Value("3"),
        example: "5",
        doc: "How many people have to report a rating for it to be hidden until a moderator has looked at it.",
        kind: Kind::Number { min: 1, max: 1_000_000, set: |c, v| c.site.ratings_hide_reports = v as i64 },
    },
    Key {
        path: "routing.accept_peer_slugs",
        preset: Value("true"),
        example: "false",
        doc: "Whether `openrouter/auto` and `gammainfra/auto` mean the brand's own virtual models.",
        kind: Kind::Flag(|c, v| c.routing.accept_peer_slugs = v),
    },
    Key {
        path: "routing.explore_per_mille",
        preset: Value("20"),
        example: "0",
        doc: "How many of a thousand decisions of a virtual model try another candidate that is about as good, so that something \
              is learned of it; 0: none.",
        kind: Kind::Number { min: 0, max: 200, set: |c, v| c.routing.explore_per_mille = v },
    },
    Key {
        path: "routing.hedging",
        preset: Value("true"),
        example: "false",
        doc: "Whether streams of who asks for speed (`<brand>/fast`, preference `latency`) may ask a second provider when the \
              first has not begun after its own 95th percentile: at most 5 % of such requests and 2 % of their cost, which the \
              operator bears.",
        kind: Kind::Flag(|c, v| c.routing.hedging = v),
    },
    Key {
        path: "routing.escalations",
        preset: Value("true"),
        example: "false",
        doc: "Whether requests that ask for it (`escalate`, a policy's `escalate_to`) may go on to a better model, once, when a \
              check of the first answer fails: at most 5 % of such requests and 2 % of their cost, which the operator bears.",
        kind: Kind::Flag(|c, v| c.routing.escalations = v),
    },
    Key {
        path: "guardrails.rules",
        preset: Unset("nothing is watched but what keys and policies say"),
        example: r#"{"kinds":{"secrets":"mask"}}"#,
        doc: "What of every request and answer is watched, as JSON; beside it the rules of keys and policies hold, and the strictest \
              action wins. The form is in [guardrails.md](guardrails.md).",
        kind: Kind::Text {
            allowed: "guardrails as JSON, such as `{\"kinds\": {\"personal\": \"mask\", \"secrets\": \"block\"}}`",
            set: |c, v| {
                let rules = serde_json::from_str::<guardrails::Rules>(v);
                rules.map(|rules| c.guardrails = Some(std::sync::Arc::new(rules))).is_ok()
            },
        },
    },
    Key {
        path: "routing.attempts_max",
        preset: Value("6"),
        example: "3",
        doc: "How many attempts one request may make, retries and fallbacks together.",
        kind: Kind::Number { min: 1, max: 64, set: |c, v| c.routing.attempts_max = v as usize },
    },
];

fn address(text: &str) -> Option<SocketAddr> {
    // Resolving names would make a start depend on the network; this one name means the same everywhere.
    let text =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().ok()
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.trim().is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
}

fn is_slug_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn keep(slot: &mut String, text: &str, chars_max: usize, fits: fn(char) -> bool) -> bool {
    let good = !text.trim().is_empty() && text.chars().count() <= chars_max && text.chars().all(fits);
    if good {
        text.clone_into(slot);
    }
    good
}

fn store_url(url: SecretString, schemes: &[&str], set: impl FnOnce(StoreUrl)) -> bool {
    let url = StoreUrl::new(url);
    let good = schemes.iter().any(|s| url.expose().strip_prefix(s).is_some_and(|rest| !rest.is_empty()));
    if good {
        set(url);
    }
    good
}
