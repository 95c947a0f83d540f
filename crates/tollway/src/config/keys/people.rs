//! People, and how they are written to.

use gateway::auth::settings::SignUp;

use super::Preset::{Unset, Value};
use super::{Key, Kind};
use crate::config::people::SmtpTls;
use crate::config::settings::Config;

const HOST: &str = "a host name or an address";
const MAILBOX: &str = "an address, or a name with one: `Tollway <mail@example.com>`";
const SECRET: &str = "text without control characters";

pub(super) static KEYS: &[Key<Config>] = &[
    Key {
        path: "people.sign_up",
        preset: Value("invitation"),
        example: "open",
        doc: "Who signs up: `open`, anybody who reads the mail of the address; `invitation`, whom `tollway users invite` invites; \
              `closed`, nobody.",
        kind: Kind::Choice {
            allowed: &SignUp::NAMES,
            set: |c, v| c.people.sign_up = SignUp::named(v).unwrap_or_default(),
        },
    },
    Key {
        path: "people.session_idle_s",
        preset: Value("43200"),
        example: "3600",
        doc: "A session that is not used for so long is over.",
        kind: Kind::Number { min: 60, max: 31_536_000, set: |c, v| c.people.idle_s = v },
    },
    Key {
        path: "people.session_s",
        preset: Value("604800"),
        example: "86400",
        doc: "Every session is over after so long.",
        kind: Kind::Number { min: 60, max: 31_536_000, set: |c, v| c.people.session_s = v },
    },
    Key {
        path: "mail.smtp_host",
        preset: Unset("mails are printed to the log"),
        example: "smtp.example.com",
        doc: "The server that mails are given to.",
        kind: Kind::Text { allowed: HOST, set: |c, v| host(v).map(|v| c.mail.smtp_host = Some(v)).is_some() },
    },
    Key {
        path: "mail.smtp_port",
        preset: Value("587"),
        example: "465",
        doc: "Its port.",
        kind: Kind::Number {
            min: 1,
            max: 65_535,
            set: |c, v| c.mail.smtp_port = u16::try_from(v).unwrap_or_default(),
        },
    },
    Key {
        path: "mail.smtp_tls",
        preset: Value("starttls"),
        example: "tls",
        doc: "`starttls`, `tls` from the first byte, or `none` for a server on this machine.",
        kind: Kind::Choice { allowed: &SmtpTls::NAMES, set: |c, v| c.mail.smtp_tls = SmtpTls::named(v) },
    },
    Key {
        path: "mail.smtp_user",
        preset: Unset("nobody signs in there"),
        example: "mailer",
        doc: "Who signs in there.",
        kind: Kind::Text {
            allowed: SECRET,
            set: |c, v| plain(v).map(|v| c.mail.smtp_user = Some(v)).is_some(),
        },
    },
    Key {
        path: "mail.smtp_password",
        preset: Unset("nobody signs in there"),
        example: "hunter2-example",
        doc: "With which password.",
        kind: Kind::Secret {
            allowed: SECRET,
            set: |c, v| {
                use types::ExposeSecret;
                plain(v.expose_secret()).map(|_| c.mail.smtp_password = Some(v.clone())).is_some()
            },
        },
    },
    Key {
        path: "mail.from",
        preset: Unset("the brand's name at the host of `server.public_url`"),
        example: "Tollway <mail@example.com>",
        doc: "From whom mails are.",
        kind: Kind::Text {
            allowed: MAILBOX,
            set: |c, v| mailbox(v).map(|v| c.mail.from = Some(v)).is_some(),
        },
    },
];

fn plain(text: &str) -> Option<String> {
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn host(text: &str) -> Option<String> {
    plain(text).filter(|text| !text.contains([' ', '/', '@']))
}

fn mailbox(text: &str) -> Option<String> {
    plain(text).filter(|text| text.parse::<lettre::message::Mailbox>().is_ok())
}
