//! Tells organizations of prices that changed and of models that end, among those that they used in the last 30 days, and keeps every
//! price that changed, for whoever looks a model up.
//!
//! What is compared is the catalog in place with the one that was in place last, which the store keeps: after a reload, and after a
//! start with another program or folder. The alerts of a change are written down before the new catalog is noted, and are named by its
//! number: what a crash leaves half done is done again, and nothing is told twice. The first catalog of a store is no news.

mod changes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::mail::{Mail, To};
use store::{Alert, CatalogSeen};
use tokio::sync::watch;
use types::AccountId;

use changes::{News, Watched};

/// How often the catalog in place is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How many days back use counts.
const DAYS: i64 = 30;

/// The job.
pub(crate) async fn run(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    let mut told: Option<Arc<str>> = None;
    let mut failed = false;
    gateway.jobs.starts(Job::CatalogNews, EVERY);
    loop {
        let version = Arc::clone(&gateway.world.load().snapshot.version);
        if told.as_ref() != Some(&version) {
            let run = gateway.begin_job(Job::CatalogNews);
            let done = compare(&gateway).await;
            match &done {
                Ok(()) => (told, failed) = (Some(version), false),
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(error = %format!("{error:#}"), "changes of the catalog can't be told yet; it is tried again");
                }
                Err(_) => (),
            }
            run.over(done);
        }
        if super::pause(&mut stopping, EVERY).await {
            return;
        }
    }
}

async fn compare(gateway: &Gateway) -> anyhow::Result<()> {
    let snapshot = Arc::clone(&gateway.world.load().snapshot);
    let now = gateway.clock.now();
    let before = gateway.store.catalog_seen().await?;
    if before.as_ref().is_some_and(|seen| *seen.version == *snapshot.version) {
        return Ok(());
    }
    let is = Watched::of(&snapshot);
    let number = before.as_ref().map_or(1, |seen| seen.number.saturating_add(1));
    let mut prices = Vec::new();
    if let Some(seen) = &before {
        let was: Watched = serde_json::from_str(&seen.body)?;
        let news = changes::between(&was, &is);
        if !news.is_empty() {
            tell(gateway, &news, number).await?;
        }
        prices = changes::prices(&was, &is, number, now);
    }
    let seen =
        CatalogSeen { number, version: snapshot.version.to_string(), body: serde_json::to_string(&is)? };
    gateway.store.note_catalog(&seen, &prices, now).await?;
    Ok(())
}

/// One alert per change to each account that used what changed.
async fn tell(gateway: &Gateway, news: &[News], number: i64) -> anyhow::Result<()> {
    let now = gateway.clock.now();
    let used = gateway.store.models_used(now.day().saturating_sub(DAYS)).await?;
    for news in news {
        let touched = used.iter().filter(|used| {
            used.model == news.model
                && news.provider.as_ref().is_none_or(|provider| *provider == used.provider)
        });
        let accounts: BTreeSet<&str> = touched.map(|used| used.account.as_str()).collect();
        for account in accounts {
            let account = AccountId::new(account);
            let alert = Alert {
                id: format!("catalog:{account}:{number}:{}:{}", news.kind, news.about),
                account: account.clone(),
                kind: news.kind.to_owned(),
                body: news.body.to_string(),
                created: now,
            };
            let mail =
                Mail { to: To::Account(account), subject: news.subject.clone(), text: news.text.clone() };
            super::alerts::tell(gateway, &alert, mail).await?;
        }
    }
    Ok(())
}
