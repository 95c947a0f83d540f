//! Tells owners: writes alerts down once each, mails those who rule or pay, freezes keys that spend many times what they
//! usually do, and delivers notices to webhooks until their receivers have taken them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::alerts::Event;
use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::mail::{Mail, To};
use gateway::upstream::guard::Guard;
use gateway::upstream::post::post;
use serde_json::json;
use store::{Alert, Delivery, StoreError};
use tokio::sync::{mpsc, watch};
use types::Timestamp;

/// How often deliveries that are due are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// Deliveries of one look.
const BATCH: i64 = 20;
/// Pauses between tries; after the last one a delivery is given up.
const PAUSES_S: [i64; 8] = [5, 30, 120, 600, 1_800, 7_200, 21_600, 86_400];

enum Next {
    Event(Box<Event>),
    Look,
    Stop,
}

/// The job.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    mut events: mpsc::Receiver<Event>,
    mut stopping: watch::Receiver<bool>,
) {
    gateway.jobs.starts(Job::Alerts, EVERY);
    gateway.jobs.starts(Job::Webhooks, EVERY);
    loop {
        let next = tokio::select! {
            event = events.recv() => event.map_or(Next::Stop, |event| Next::Event(Box::new(event))),
            () = tokio::time::sleep(EVERY) => Next::Look,
            _ = stopping.wait_for(|stop| *stop) => Next::Stop,
        };
        match next {
            Next::Event(event) => {
                let run = gateway.begin_job(Job::Alerts);
                run.over(raise(&gateway, *event).await);
            }
            Next::Look => {
                let run = gateway.begin_job(Job::Webhooks);
                run.over(deliver(&gateway).await);
            }
            Next::Stop => return,
        }
    }
}

async fn raise(gateway: &Gateway, event: Event) -> Result<(), StoreError> {
    let alert = alert(&event, gateway.clock.now());
    if let Event::Spike { key, .. } = &event {
        let why = "it spent many times what it usually does in an hour";
        if let Err(error) = gateway.store.freeze_key(key, why, alert.created).await {
            tracing::error!(%key, %error, "a key that spends many times what it usually does could not be frozen");
        }
    }
    let mail = mail(&event, &alert);
    tell(gateway, &alert, mail).await.inspect_err(|error| {
        tracing::error!(alert = %alert.id, %error, "an alert could not be written down");
    })
}

/// Writes an alert down, and mails it where it was not written down before.
pub(super) async fn tell(gateway: &Gateway, alert: &Alert, mail: Mail) -> Result<(), StoreError> {
    if gateway.store.raise(alert).await? {
        tracing::warn!(account = %alert.account, kind = %alert.kind, alert = %alert.id, "an alert");
        gateway.payments.mailer.send(mail);
    }
    Ok(())
}

/// What those who rule or pay are told of it.
fn mail(event: &Event, alert: &Alert) -> Mail {
    let (subject, text) = match event {
        Event::Budget { row, subject, percent, spent } => (
            format!("{percent} % of the budget {} are spent", row.name),
            format!(
                "{} of {} USD are spent this {} on {subject}. {}",
                spent.after,
                row.amount,
                row.period.name(),
                if row.hard { "At 100 % its calls are refused." } else { "It only warns." }
            ),
        ),
        Event::Key { name, limit, percent, spent, .. } => (
            format!("{percent} % of the limit of the key {name} are spent"),
            format!("{} of {limit} USD are spent. At 100 % its calls are refused.", spent.after),
        ),
        Event::Spike { name, hour, usual, .. } => (
            format!("The key {name} was switched off"),
            format!(
                "It spent {hour} USD in an hour, where it usually spends {usual}. Look at what it did; switch it on again with \
                 PATCH /v1/keys/{{hash}} {{\"disabled\": false}}."
            ),
        ),
    };
    let subject = subject.chars().filter(|c| !c.is_control()).collect();
    Mail { to: To::Account(alert.account.clone()), subject, text }
}

/// What is written down of an event. Its id names the occasion: a threshold is told of once in each span and for each amount.
fn alert(event: &Event, now: Timestamp) -> Alert {
    let (id, account, kind, body) = match event {
        Event::Budget { row, subject, percent, spent } => (
            format!("budget:{}:{subject}:{}:{}:{percent}", row.id, spent.days.0, row.amount),
            &row.account,
            "budget.threshold",
            json!({
                "budget": row.id, "name": row.name, "subject": subject, "period": row.period.name(),
                "percent": percent, "spent_usd": spent.after.to_string(), "amount_usd": row.amount.to_string(),
                "hard": row.hard,
            }),
        ),
        Event::Key { account, key, name, limit, percent, spent } => (
            format!("key:{key}:{}:{limit}:{percent}", spent.days.0),
            account,
            "key.threshold",
            json!({
                "key": key, "name": name, "percent": percent, "spent_usd": spent.after.to_string(),
                "limit_usd": limit.to_string(),
            }),
        ),
        Event::Spike { account, key, name, hour, usual } => (
            format!("spike:{key}:{}", now.seconds()),
            account,
            "key.frozen",
            json!({
                "key": key, "name": name, "spent_in_an_hour_usd": hour.to_string(),
                "usual_hour_usd": usual.to_string(),
                "what_to_do": "look at what the key did; switch it on again with PATCH /v1/keys/{hash} {\"disabled\": false}",
            }),
        ),
    };
    Alert { id, account: account.clone(), kind: kind.to_owned(), body: body.to_string(), created: now }
}

async fn deliver(gateway: &Gateway) -> Result<(), StoreError> {
    let now = gateway.clock.now();
    let due = gateway.store.deliveries_due(now, BATCH).await?;
    let mut noted = Ok(());
    let guard = Guard::new(gateway.settings.fetch_private);
    for delivery in due {
        let body = body(&delivery);
        let headers = gateway.signer.headers(&delivery, &body, now);
        let status = post(&delivery.url, &headers, Bytes::from(body), &guard).await;
        let taken = status.as_ref().is_ok_and(|status| (200..300).contains(status));
        let pause = usize::try_from(delivery.attempts).ok().and_then(|at| PAUSES_S.get(at));
        let done = (taken || pause.is_none()).then_some(now);
        let due = Timestamp(now.0.saturating_add(pause.copied().unwrap_or(0).saturating_mul(1_000_000)));
        if let Err(why) = &status {
            tracing::debug!(webhook = %delivery.webhook, %why, "a notice was not delivered");
        }
        if !taken && pause.is_none() {
            tracing::warn!(webhook = %delivery.webhook, alert = %delivery.alert, "a notice is given up after its last try");
        }
        let status = status.unwrap_or(0);
        if let Err(error) = gateway.store.delivered(&delivery, status, done, due).await {
            tracing::warn!(%error, "a delivery could not be noted; it may be made again");
            noted = Err(error);
        }
    }
    noted
}

/// `{"type", "timestamp", "data"}`, as Standard Webhooks has it.
fn body(delivery: &Delivery) -> String {
    let data: serde_json::Value = serde_json::from_str(&delivery.body).unwrap_or_default();
    let at = jiff::Timestamp::from_microsecond(delivery.created.micros()).map(|at| at.to_string());
    json!({ "type": delivery.kind, "timestamp": at.unwrap_or_default(), "data": data }).to_string()
}
