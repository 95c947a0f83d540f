//! Reloads configuration and catalog: on SIGHUP, when a file of theirs changes, and when a provider's key was entered. Whole or not at all: what is wrong is logged
//! with file, line and rule, and the old view keeps serving.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::provider_keys;
use store::ProviderKey;
use tokio::sync::{mpsc, watch};

use crate::cli;
use crate::config::{Config, Environment};

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What a reload needs.
pub(crate) struct Reloader {
    gateway: Arc<Gateway>,
    config: Config,
    env: Environment,
    /// The files as they were when the server started: what is written from then on is a change.
    seen: Fingerprint,
    /// Provider keys that are in force.
    entered: Vec<ProviderKey>,
}

/// The newest change and the number of files that a reload would read.
pub(crate) type Fingerprint = (Option<SystemTime>, usize);

/// As they are now.
pub(crate) fn fingerprint(config: &Config) -> Fingerprint {
    let mut seen = (None, 0);
    if let Some(file) = &config.file {
        look(file, &mut seen);
    }
    if let Some(dir) = &config.catalog.dir {
        look(dir, &mut seen);
    }
    seen
}

impl Reloader {
    /// For a server that has just begun with these.
    pub(crate) async fn new(
        gateway: Arc<Gateway>,
        config: Config,
        env: Environment,
        seen: Fingerprint,
    ) -> Reloader {
        let entered = gateway.store.provider_keys().await.unwrap_or_default();
        Reloader { gateway, config, env, seen, entered }
    }

    /// Whether provider keys were entered or taken away since. A store that is down changes nothing.
    async fn is_entered(&mut self) -> bool {
        let Ok(now) = self.gateway.store.provider_keys().await else { return false };
        let is_new = now != self.entered;
        self.entered = now;
        is_new
    }

    /// Reads everything again; what was in place keeps serving where that is refused, and the log and the operator's pages say why.
    fn try_reload(&mut self) {
        let gateway = Arc::clone(&self.gateway);
        let run = gateway.begin_job(Job::Reload);
        let done = self.reload();
        if let Err(error) = &done {
            let why = format!("{error:#}");
            tracing::error!(error = %why, "the reload was refused; what was in place keeps serving");
            gateway.reloads.refused(gateway.clock.now(), &why);
        }
        run.over(done);
    }

    /// Reads everything again and puts it in place.
    fn reload(&mut self) -> anyhow::Result<()> {
        let file = self.config.file.clone();
        let mut loaded = cli::load(file.as_deref(), &self.env, crate::embedded::catalog)
            .map_err(|failure| anyhow::anyhow!("{}", failure.text()))?;
        loaded.config.stored_keys = provider_keys::opened(&self.gateway.byok, &self.entered);
        let previous = self.gateway.world.load_full();
        let settings = &self.gateway.settings;
        let clock = Arc::clone(&self.gateway.clock);
        let world = crate::wire_up::world(
            &loaded.config,
            loaded.catalog,
            &self.env,
            Some(&previous),
            settings,
            clock,
        )?;
        let diff = catalog::diff(&previous.snapshot, &world.snapshot);
        tracing::info!(
            models_added = diff.models_added.len(),
            models_removed = diff.models_removed.len(),
            prices_changed = diff.prices_changed.len(),
            "configuration and catalog were reloaded; settings outside of providers and catalog apply at the next start"
        );
        let world = Arc::new(world);
        self.gateway.world.store(Arc::clone(&world));
        let now = self.gateway.clock.now();
        self.gateway.learned.refresh(&world, now);
        self.gateway.reloads.applied(now, diff);
        self.config.catalog = loaded.config.catalog;
        Ok(())
    }
}

fn look(path: &Path, seen: &mut (Option<SystemTime>, usize)) {
    let Ok(meta) = path.metadata() else { return };
    seen.0 = seen.0.max(meta.modified().ok());
    seen.1 += 1;
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            look(&entry.path(), seen);
        }
    }
}

/// The job. `hangups` brings SIGHUPs.
pub(crate) async fn run(
    mut reloader: Reloader,
    mut hangups: mpsc::Receiver<()>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut seen = reloader.seen;
    let gateway = Arc::clone(&reloader.gateway);
    gateway.jobs.starts(Job::Reload, EVERY);
    loop {
        let asked = tokio::select! {
            asked = hangups.recv() => asked.is_some(),
            () = gateway.provider_keys.wait() => false,
            () = tokio::time::sleep(EVERY) => false,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let asked = reloader.is_entered().await || asked;
        // Reading a catalog's folder takes a moment of pure work: not on the runtime's own threads.
        let task = tokio::task::spawn_blocking(move || {
            let now = fingerprint(&reloader.config);
            if asked || now != seen {
                reloader.try_reload();
            }
            (reloader, now)
        });
        let Ok((back, now)) = task.await else { return };
        (reloader, seen) = (back, now);
    }
}
