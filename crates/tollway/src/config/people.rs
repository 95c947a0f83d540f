//! `[people]` and `[mail]`.

use gateway::auth::settings::SignUp;
use types::SecretString;

/// `[people]`
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct People {
    pub sign_up: SignUp,
    pub idle_s: u64,
    pub session_s: u64,
}

/// `[mail]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Mail {
    /// None: mails are printed to the log.
    pub smtp_host: Option<String>,
    pub smtp_port: u16,
    pub smtp_tls: SmtpTls,
    pub smtp_user: Option<String>,
    pub smtp_password: Option<SecretString>,
    pub from: Option<String>,
}

/// How the mail server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// In the clear first, then TLS; without it nothing is sent.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In the clear: for a server on this machine.
    None,
}

impl SmtpTls {
    /// Every name.
    pub const NAMES: [&str; 3] = ["starttls", "tls", "none"];

    /// From the name.
    pub fn named(name: &str) -> SmtpTls {
        match name {
            "tls" => SmtpTls::Tls,
            "none" => SmtpTls::None,
            _ => SmtpTls::StartTls,
        }
    }
}
