//! `[sign_in.<slug>]`.

use types::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::Preset::{Unset, Value};
use super::{Key, Kind};
use crate::config::sign_in::IssuerConfig;

const PLAIN: &str = "text without control characters";

pub(super) static KEYS: &[Key<IssuerConfig>] = &[
    Key {
        path: "sign_in.<slug>.issuer",
        preset: Unset("it must be set"),
        example: "https://id.example.com",
        doc: "The issuer's URL, to the letter as it calls itself: what it says of itself is read at \
              `/.well-known/openid-configuration` below it.",
        kind: Kind::Text {
            allowed: "an `https://` URL without user, query and fragment; `http://` on this machine",
            set: |s, v| url(v).map(|v| s.issuer = v).is_some(),
        },
    },
    Key {
        path: "sign_in.<slug>.client_id",
        preset: Unset("it must be set"),
        example: "tollway",
        doc: "What this server is called there. The redirect URI to register is `<server.public_url>/v1/auth/oidc/<slug>/callback`.",
        kind: Kind::Text { allowed: PLAIN, set: |s, v| plain(v).map(|v| s.client_id = v).is_some() },
    },
    Key {
        path: "sign_in.<slug>.client_secret",
        preset: Unset("`client_secret_env`, else none: PKCE alone proves who asks"),
        example: "hunter2-example",
        doc: "With what this server proves who it is.",
        kind: Kind::Secret {
            allowed: PLAIN,
            set: |s, v| {
                let good = plain(v.expose_secret()).is_some();
                s.client_secret = Some(v).filter(|_: &SecretString| good);
                good
            },
        },
    },
    Key {
        path: "sign_in.<slug>.client_secret_env",
        preset: Unset("none"),
        example: "OIDC_SECRET",
        doc: "The variable that holds the secret.",
        kind: Kind::Text {
            allowed: "the name of an environment variable",
            set: |s, v| {
                let good = !v.is_empty() && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                s.client_secret_env = Some(v.to_owned()).filter(|_| good);
                good
            },
        },
    },
    Key {
        path: "sign_in.<slug>.name",
        preset: Unset("the slug"),
        example: "Example Inc.",
        doc: "What people see: `Sign in with <name>`.",
        kind: Kind::Text { allowed: PLAIN, set: |s, v| plain(v).map(|v| s.name = Some(v)).is_some() },
    },
    Key {
        path: "sign_in.<slug>.scopes",
        preset: Value("openid, email, profile"),
        example: "openid, email",
        doc: "What is asked for; `openid` always is.",
        kind: Kind::List {
            allowed: "a list of names without spaces and quotes",
            set: |s, v| {
                s.scopes = v.to_vec();
                let is_name = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
                v.iter().all(|scope| !scope.is_empty() && scope.bytes().all(is_name))
            },
        },
    },
    Key {
        path: "sign_in.<slug>.create",
        preset: Value("false"),
        example: "true",
        doc: "Whether somebody unknown may come in by it, with an address that the issuer says it has proven: anybody where \
              `people.sign_up` is `open`, whoever is invited or of a domain that `domains` lists where it is `invitation`, nobody \
              where it is `closed`.",
        kind: Kind::Flag(|s, v| s.create = v),
    },
    Key {
        path: "sign_in.<slug>.domains",
        preset: Value(""),
        example: "example.com, example.org",
        doc: "Domains of addresses, without those below them. With any, nobody of another comes in unknown and uninvited, or is \
              linked by address.",
        kind: Kind::List {
            allowed: "a list of domains",
            set: |s, v| {
                s.domains = v.iter().map(|domain| domain.to_lowercase()).collect();
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
                v.iter().all(|domain| !domain.is_empty() && domain.chars().all(is_part))
            },
        },
    },
    Key {
        path: "sign_in.<slug>.link_by_email",
        preset: Value("false"),
        example: "true",
        doc: "Whether an identity becomes that of the person with its proven address by itself. Only for an issuer that proves every \
              address, such as your own: its word is a key to these people's accounts. Never for who runs the server.",
        kind: Kind::Flag(|s, v| s.link_by_email = v),
    },
];

fn plain(text: &str) -> Option<String> {
    (!text.trim().is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (is_safe && is_plain).then(|| text.to_owned())
}
