//! What can go wrong with people, as they can act on it. Nothing here tells whether an address is known.

use std::time::Duration;

use types::{Right, Role};

use super::oidc::Refusal;

/// Why a path of people refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Address or password: which of the two is nobody's business.
    #[error("the address or the password is wrong")]
    Credentials,
    /// The password is right, and a code is asked for.
    #[error("send the code of your authenticator app, or a recovery code, as `code` beside the password")]
    CodeMissing,
    /// No code of theirs, or one that was used.
    #[error(
        "this code is wrong, too old or was used before; wait for the next one of your authenticator app"
    )]
    Code,
    /// What an app brought is unknown, was used, is too old, or not proven to be its own.
    #[error(
        "the code is unknown, was used before or is too old, or `code_verifier` is not what its challenge was made from"
    )]
    AppCode,
    /// Too many tries.
    #[error("too many tries; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// Too many people at once.
    #[error("too many people sign in at the moment; try again in a few seconds")]
    Busy,
    /// The store does not answer.
    #[error("people can't be looked up now: the store doesn't answer")]
    Unavailable,
    /// What was mailed is unknown, used or too old.
    #[error("this token is unknown, was used before, or is too old; ask for another")]
    Token,
    /// A password that is easy to guess.
    #[error("this password is too weak: {0}")]
    Weak(String),
    /// No address.
    #[error("`email` is no address such as ada@example.com")]
    Email,
    /// Who may sign up.
    #[error("{0}")]
    Closed(&'static str),
    /// A session is asked for.
    #[error(
        "this needs a session: sign in at `POST /v1/auth/sign-in` and send its token as `Authorization: Bearer`"
    )]
    NoSession,
    /// The session is over.
    #[error("this session is over; sign in again")]
    SessionOver,
    /// Their part in the organization does not go that far.
    #[error("this takes the right to {}, of these roles: {}; the caller is {role} here", .right.name(), .right.holders())]
    Role {
        /// What the caller is.
        role: Role,
        /// What it takes.
        right: Right,
    },
    /// Nobody gives more than they have.
    #[error("{role} can't make anybody {asked}: ask who has that role")]
    Grant {
        /// What the caller is.
        role: Role,
        /// What they would give.
        asked: Role,
    },
    /// What was mailed to somebody else.
    #[error("this invitation went to another address than yours")]
    OtherAddress,
    /// They are no member of the organization that they name.
    #[error("no organization of yours has the id that was asked for; `GET /v1/organizations` lists them")]
    NotMember,
    /// What they ask takes a session that has only begun.
    #[error("without a password this takes a session that began within the last ten minutes: sign in again")]
    Stale,
    /// No such issuer.
    #[error("no issuer of identities has this name; `GET /v1/auth/methods` lists them")]
    IssuerUnknown,
    /// The issuer can't be reached, or what it says can't be used.
    #[error("{0} can't be reached or doesn't answer as it should; try again, or sign in another way")]
    IssuerFailing(String),
    /// The issuer says no.
    #[error("the issuer refused it: {0}")]
    IssuerRefused(String),
    /// What the browser brought back is not what it was sent with.
    #[error("this sign-in is unknown, was used before, is too old or began in another browser; begin again")]
    SignInState,
    /// Signed in there; here a code is asked for.
    #[error(
        "send the code of your authenticator app, or a recovery code, with `POST` to this address: {{\"code\": \"123456\"}}"
    )]
    CodeOfSignIn,
    /// The issuer's token can't be believed.
    #[error("the issuer's ID token is refused: {0}")]
    IdToken(Refusal),
    /// The issuer does not stand for the address.
    #[error(
        "nobody here has this identity, and the issuer doesn't say that it has proven its mail address (`email_verified`)"
    )]
    EmailUnproven,
    /// Whose it could be is told to nobody.
    #[error(
        "nobody here has this identity. Whoever has an account signs in as usual and links it at `POST /v1/auth/identities`; \
         whoever has none asks the operator for an invitation"
    )]
    IdentityUnknown,
    /// It is somebody else's.
    #[error("this identity is somebody else's here")]
    IdentityTaken,
    /// Without it, and without a password, nobody comes in any more.
    #[error(
        "this is your last way to sign in; have a password mailed at `POST /v1/auth/reset`, or link another identity, first"
    )]
    LastWayIn,
    /// A page elsewhere sent it.
    #[error("a session's cookie is taken from this site's own pages only")]
    ForeignPage,
}

impl AuthError {
    /// HTTP status and `error.type`.
    pub fn kind(&self) -> (u16, &'static str) {
        match self {
            AuthError::Credentials => (401, "invalid_credentials"),
            AuthError::AppCode => (403, "app_code_invalid"),
            AuthError::CodeMissing | AuthError::CodeOfSignIn => (401, "second_factor_required"),
            AuthError::Code => (401, "second_factor_wrong"),
            AuthError::TooMany(_) => (429, "too_many_tries"),
            AuthError::Busy => (503, "sign_in_busy"),
            AuthError::Unavailable => (503, "store_unavailable"),
            AuthError::Token => (400, "token_invalid"),
            AuthError::Weak(_) => (422, "password_weak"),
            AuthError::Email => (422, "email_invalid"),
            AuthError::Closed(_) => (403, "sign_up_closed"),
            AuthError::NoSession | AuthError::SessionOver => (401, "session_invalid"),
            AuthError::Role { .. } | AuthError::Grant { .. } => (403, "role_insufficient"),
            AuthError::OtherAddress => (403, "invitation_of_another"),
            AuthError::NotMember => (404, "organization_unknown"),
            AuthError::ForeignPage => (403, "foreign_page"),
            AuthError::Stale => (403, "sign_in_again"),
            AuthError::IssuerUnknown => (404, "issuer_unknown"),
            AuthError::IssuerFailing(_) => (502, "issuer_failing"),
            AuthError::IssuerRefused(_) => (403, "issuer_refused"),
            AuthError::SignInState => (400, "sign_in_invalid"),
            AuthError::IdToken(_) => (401, "id_token_refused"),
            AuthError::EmailUnproven => (403, "email_unproven"),
            AuthError::IdentityUnknown => (403, "identity_unknown"),
            AuthError::IdentityTaken => (409, "identity_taken"),
            AuthError::LastWayIn => (409, "last_way_in"),
        }
    }

    /// How long to wait, where waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            AuthError::TooMany(wait) => Some(*wait),
            AuthError::Busy | AuthError::Unavailable => Some(Duration::from_secs(2)),
            _ => None,
        }
    }
}
