//! How people come in, as it was configured, and what is kept of them in memory.

use super::oidc::Issuer;
use super::password::Passwords;
use super::throttle::Throttle;

/// Who may sign up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Anybody.
    Open,
    /// Whom the operator invites.
    #[default]
    Invitation,
    /// Nobody.
    Closed,
}

impl SignUp {
    /// Every name in the configuration.
    pub const NAMES: [&str; 3] = ["open", "invitation", "closed"];

    /// From the name.
    pub fn named(name: &str) -> Option<SignUp> {
        match name {
            "open" => Some(SignUp::Open),
            "invitation" => Some(SignUp::Invitation),
            "closed" => Some(SignUp::Closed),
            _ => None,
        }
    }

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            SignUp::Open => "open",
            SignUp::Invitation => "invitation",
            SignUp::Closed => "closed",
        }
    }
}

/// What was configured.
#[derive(Clone, Copy, Debug)]
pub struct PeopleSettings {
    /// Who may sign up.
    pub sign_up: SignUp,
    /// A session that is of no use for so many seconds is over.
    pub idle_s: i64,
    /// So is every session after so many.
    pub session_s: i64,
    /// Pages of this site are reached by TLS.
    pub is_secure: bool,
}

impl Default for PeopleSettings {
    fn default() -> PeopleSettings {
        PeopleSettings {
            sign_up: SignUp::default(),
            idle_s: 12 * 3_600,
            session_s: 7 * 86_400,
            is_secure: false,
        }
    }
}

/// People, as far as the node knows of them.
#[derive(Debug, Default)]
pub struct People {
    /// What was configured.
    pub settings: PeopleSettings,
    /// Who else says who somebody is.
    pub issuers: Vec<Issuer>,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
}

impl People {
    /// With these settings.
    pub fn new(settings: PeopleSettings, issuers: Vec<Issuer>) -> People {
        People { settings, issuers, ..People::default() }
    }
}
