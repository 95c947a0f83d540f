//! Mails to people. They are put in a queue that a job of its own empties: by SMTP, or into the log, where an operator without a
//! mail server sees them. None holds a key, a prompt or an answer.

use tokio::sync::mpsc;
use types::AccountId;

/// Mails that wait; more are dropped, and said so.
pub const WAITING_MAX: usize = 1_000;

/// Who gets a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The people of an account.
    Account(AccountId),
    /// An address.
    Address(String),
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who gets it.
    pub to: To,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// Where mails are given to be sent.
#[derive(Clone, Debug, Default)]
pub struct Mailer(Option<mpsc::Sender<Mail>>);

impl Mailer {
    /// With the queue that takes them.
    pub fn into_queue() -> (Mailer, mpsc::Receiver<Mail>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Mailer(Some(sender)), receiver)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.max_capacity().saturating_sub(queue.capacity()))
    }

    /// Gives one to be sent; nobody waits for it. Without a queue, as on the command line, it is printed.
    pub fn send(&self, mail: Mail) {
        let Some(queue) = &self.0 else { return print(&mail) };
        if let Err(error) = queue.try_send(mail) {
            tracing::error!(%error, "a mail is lost: too many wait");
        }
    }
}

/// Writes a mail to the log, on one line.
pub fn print(mail: &Mail) {
    let to = match &mail.to {
        To::Account(account) => account.as_str(),
        To::Address(address) => address,
    };
    tracing::info!(target: "mail", to, subject = %mail.subject, text = ?mail.text, "mail");
}
