//! Mails to the owners of accounts. One way so far: they are printed to the log, where an operator without a mail server sees
//! them. None holds a key, a prompt or an answer.

use types::AccountId;

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The owner of this account gets it.
    pub to: AccountId,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// How mails are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mailer {
    /// To the log.
    #[default]
    Print,
}

impl Mailer {
    /// Sends one. What can't be sent is logged; nobody waits for it.
    pub fn send(&self, mail: &Mail) {
        match self {
            Mailer::Print => {
                tracing::info!(target: "mail", to = %mail.to, subject = %mail.subject, text = %mail.text, "mail");
            }
        }
    }
}
