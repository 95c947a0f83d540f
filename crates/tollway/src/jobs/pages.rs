//! Works out ahead what the site's pages need of a catalog, after the start and after each reload, so that nobody's first page waits.

use std::sync::{Arc, Weak};
use std::time::Duration;

use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::world::World;
use tokio::sync::watch;
use web::Warmer;

/// How often it is looked whether the world is another.
const EVERY: Duration = Duration::from_secs(1);

/// The job.
pub(crate) async fn run(gateway: Arc<Gateway>, warmer: Warmer, mut stopping: watch::Receiver<bool>) {
    let mut known: Weak<World> = Weak::new();
    gateway.jobs.starts(Job::Pages, EVERY);
    loop {
        let world = Arc::downgrade(&gateway.world.load_full());
        if !known.ptr_eq(&world) {
            known = world;
            let warmer = warmer.clone();
            // A panic leaves it to the first page.
            let run = gateway.begin_job(Job::Pages);
            run.over(tokio::task::spawn_blocking(move || warmer.warm()).await);
        }
        if super::pause(&mut stopping, EVERY).await {
            return;
        }
    }
}
