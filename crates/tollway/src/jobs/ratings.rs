//! Takes ratings along where a catalog gives a model another id: those under a name that now leads elsewhere go to the model that it
//! leads to. Looked at after a start and after each reload.

use std::sync::Arc;
use std::time::Duration;

use catalog::Snapshot;
use gateway::app::Gateway;
use gateway::jobs::Job;
use store::StoreError;
use tokio::sync::watch;

/// How often the catalog in place is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The job.
pub(crate) async fn run(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    let mut done: Option<Arc<str>> = None;
    gateway.jobs.starts(Job::Ratings, EVERY);
    loop {
        let snapshot = Arc::clone(&gateway.world.load().snapshot);
        if done.as_ref() != Some(&snapshot.version) {
            let run = gateway.begin_job(Job::Ratings);
            let adopted = adopt(&gateway, &snapshot).await;
            // A store that doesn't answer is asked again a second later; that it doesn't is told elsewhere.
            if adopted.is_ok() {
                done = Some(Arc::clone(&snapshot.version));
            }
            run.over(adopted);
        }
        if super::pause(&mut stopping, EVERY).await {
            return;
        }
    }
}

async fn adopt(gateway: &Gateway, snapshot: &Snapshot) -> Result<(), StoreError> {
    for former in gateway.store.rated_models().await? {
        let model = snapshot.resolve(&former).and_then(|at| snapshot.models.get(at));
        let Some(model) = model.filter(|model| *model.id != *former) else { continue };
        let ratings = gateway.store.adopt_ratings(&former, &model.id).await?;
        tracing::info!(former, model = %model.id, ratings, "a model's ratings went to its new id");
    }
    Ok(())
}
