//! Keeps the figures that routing goes by: made anew every second, written down every minute and at the end, read at the
//! start. What can't be read is left aside with a warning: it is measured again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::world::World;
use routing::health::Health;
use tokio::sync::watch;

/// How often the figures are made anew.
const EVERY: Duration = Duration::from_secs(1);
/// What was learned of models, in the data directory.
const LEARNED: &str = "learned.json";
/// Every so many times they are written down.
const WRITTEN_EVERY: u32 = 60;

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("health.json")
}

/// Puts what was written down in place.
pub(crate) fn restore(world: &World, data_dir: &Path, now: types::Timestamp) {
    let path = file(data_dir);
    let Ok(bytes) = std::fs::read(&path) else { return };
    let mut known: BTreeMap<String, Health> = match serde_json::from_slice(&bytes) {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the endpoints' figures can't be read; they are measured anew");
            return;
        }
    };
    for (endpoint, vitals) in world.snapshot.endpoints.iter().zip(&world.endpoints) {
        if let Some(health) = known.remove(&*endpoint.id) {
            vitals.restore(health, now);
        }
    }
}

/// Puts what was learned of models in place.
pub(crate) fn restore_learned(gateway: &Gateway, data_dir: &Path) {
    let path = data_dir.join(LEARNED);
    let Ok(bytes) = std::fs::read(&path) else { return };
    match serde_json::from_slice(&bytes) {
        Ok(table) => {
            gateway.learned.restore(table);
            gateway.learned.refresh(&gateway.world.load_full(), gateway.clock.now());
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "what was learned of models can't be read; it begins anew");
        }
    }
}

/// Writes everything down: each file whole, or not at all.
pub(crate) fn write(gateway: &Gateway, data_dir: &Path) {
    gateway.learned.refresh(&gateway.world.load_full(), gateway.clock.now());
    let learned = gateway.learned.read();
    if !learned.is_empty() {
        replace(&data_dir.join(LEARNED), &*learned);
    }
    let world = gateway.world.load_full();
    let pairs = world.snapshot.endpoints.iter().zip(&world.endpoints);
    let known: BTreeMap<&str, Health> = pairs
        .filter_map(|(endpoint, vitals)| {
            let health = vitals.health(|health| (!health.is_empty()).then(|| health.clone()))?;
            Some((&*endpoint.id, health))
        })
        .collect();
    if known.is_empty() {
        return;
    }
    replace(&file(data_dir), &known);
}

fn replace(path: &Path, content: &impl serde::Serialize) {
    let next = path.with_extension("json.next");
    let written = serde_json::to_vec(content)
        .map_err(std::io::Error::from)
        .and_then(|bytes| std::fs::write(&next, bytes))
        .and_then(|()| std::fs::rename(&next, path));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "what was measured and learned can't be written down");
    }
}

/// The job.
pub(crate) async fn run(gateway: Arc<Gateway>, data_dir: PathBuf, mut stopping: watch::Receiver<bool>) {
    let mut passes: u32 = 0;
    gateway.jobs.starts(Job::Health, EVERY);
    while !super::pause(&mut stopping, EVERY).await {
        let run = gateway.begin_job(Job::Health);
        let world = gateway.world.load_full();
        let now = gateway.clock.now();
        for vitals in &world.endpoints {
            vitals.refresh(now);
        }
        gateway.learned.refresh(&world, now);
        passes = passes.wrapping_add(1);
        if passes.is_multiple_of(WRITTEN_EVERY) {
            let (gateway, data_dir) = (Arc::clone(&gateway), data_dir.clone());
            let _ = tokio::task::spawn_blocking(move || write(&gateway, &data_dir)).await;
        }
        run.done();
    }
    gateway.learned.refresh(&gateway.world.load_full(), gateway.clock.now());
    write(&gateway, &data_dir);
}
