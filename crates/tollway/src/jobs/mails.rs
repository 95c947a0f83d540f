//! Sends what waits to be mailed: by SMTP where a server is configured, else into the log.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::mail::{self, Mail, To};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::sync::{mpsc, watch};
use types::{ExposeSecret, Right};

use crate::config::Config;
use crate::config::people::SmtpTls;

/// Pauses before the second and the third try; after them a mail is given up.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(20)];
const TIMEOUT: Duration = Duration::from_secs(20);

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// How mails leave.
pub(crate) enum Transport {
    /// Into the log.
    Print,
    /// To a server.
    Smtp(Box<(Smtp, Mailbox)>),
}

impl Transport {
    /// As it is configured.
    pub(crate) fn of(config: &Config, public_url: &str) -> anyhow::Result<Transport> {
        let settings = &config.mail;
        let Some(host) = &settings.smtp_host else { return Ok(Transport::Print) };
        let builder = match settings.smtp_tls {
            SmtpTls::Tls => Smtp::relay(host),
            SmtpTls::StartTls => Smtp::starttls_relay(host),
            SmtpTls::None => Ok(Smtp::builder_dangerous(host)),
        };
        let mut builder = builder
            .with_context(|| format!("mail.smtp_host: {host} is no host to reach by TLS"))?
            .port(settings.smtp_port)
            .timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&settings.smtp_user, &settings.smtp_password) {
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        let own_host = url::Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let own =
            || format!("{} <no-reply@{}>", config.brand.name, own_host.as_deref().unwrap_or("localhost"));
        let from = settings.from.clone().unwrap_or_else(own);
        let from = from.parse().with_context(|| format!("mail.from: {from} is no address; set it"))?;
        Ok(Transport::Smtp(Box::new((builder.build(), from))))
    }
}

/// The job.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    transport: Transport,
    mut waiting: mpsc::Receiver<Mail>,
    mut stopping: watch::Receiver<bool>,
) {
    gateway.jobs.starts(Job::Mails, Duration::ZERO);
    loop {
        let next = tokio::select! {
            biased;
            next = waiting.recv() => next,
            _ = stopping.wait_for(|stop| *stop) => None,
        };
        let Some(mail) = next else { return };
        let run = gateway.begin_job(Job::Mails);
        run.over(match &transport {
            Transport::Print => {
                mail::print(&mail);
                Ok(())
            }
            Transport::Smtp(smtp) => send(&gateway, smtp, &mail, &mut stopping).await,
        });
    }
}

async fn send(
    gateway: &Gateway,
    (smtp, from): &(Smtp, Mailbox),
    mail: &Mail,
    stopping: &mut watch::Receiver<bool>,
) -> Result<(), &'static str> {
    let mut done = Ok(());
    let addresses = match &mail.to {
        To::Address(address) => vec![address.clone()],
        To::Account(account) => match gateway.store.members(account).await {
            // Those who rule it or pay for it.
            Ok(members) => {
                let told =
                    members.into_iter().filter(|member| member.role.may(Right::Pay) && !member.is_disabled);
                told.map(|member| member.email).collect()
            }
            Err(error) => {
                tracing::error!(%error, subject = %mail.subject, "a mail is not sent: its account's people can't be read");
                return Err("the people of an account can't be read");
            }
        },
    };
    if addresses.is_empty() {
        // An account without people: the operator is told.
        mail::print(mail);
        return Ok(());
    }
    for address in addresses {
        let Some(message) = message(from, &address, mail) else {
            tracing::error!(subject = %mail.subject, "a mail is not sent: its address is none");
            done = Err("an address is none");
            continue;
        };
        let mut pauses = PAUSES.iter();
        while let Err(error) = smtp.send(message.clone()).await {
            // What a mail says is nobody's business: it may hold a token.
            match pauses.next() {
                Some(pause) if !error.is_permanent() => {
                    tracing::warn!(%error, subject = %mail.subject, "a mail waits: the server did not take it");
                    if super::pause(stopping, *pause).await {
                        return Err("the server stops before the mail was taken");
                    }
                }
                _ => {
                    tracing::error!(%error, subject = %mail.subject, "a mail is given up: the server does not take it");
                    // What the mail server says may hold an address: it stays in the log.
                    done = Err("the mail server does not take a mail; the log says why");
                    break;
                }
            }
        }
    }
    done
}

fn message(from: &Mailbox, to: &str, mail: &Mail) -> Option<Message> {
    let message = Message::builder().from(from.clone()).to(to.parse().ok()?).subject(mail.subject.as_str());
    message.header(ContentType::TEXT_PLAIN).body(mail.text.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_plain_text_and_its_subject_stays_one_line() {
        let mail = Mail {
            to: To::Address("ada@example.com".to_owned()),
            subject: "Hello\r\nBcc: eve@example.com".to_owned(),
            text: "Grüße".to_owned(),
        };
        let from: Mailbox = "Tollway <mail@example.com>".parse().unwrap();
        let message = message(&from, "ada@example.com", &mail).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(text.contains("To: ada@example.com\r\n") && !text.contains("\r\nBcc:"), "{text}");
        assert_eq!(message.envelope().to().len(), 1);
        assert!(super::message(&from, "no address", &mail).is_none());
    }
}
