//! Gives memory back to the system that nobody needs any more.
//!
//! The allocator keeps pages for a second after they were freed, and looks whether that second is over when the next page is freed. A program
//! at rest frees none, so that what a start, a burst of calls or a reload has left would stay its own. This frees a page now and then.

use std::hint::black_box;
use std::time::Duration;

use tokio::sync::watch;

/// How often: as long as the allocator keeps a page.
const EVERY: Duration = Duration::from_secs(1);
/// More than the allocator puts in one page with others, so that a page is freed with it. Nothing is written to it: it takes no memory.
const ALONE_BYTES: usize = 1 << 20;

/// The job.
pub(crate) async fn run(mut stopping: watch::Receiver<bool>) {
    while !super::pause(&mut stopping, EVERY).await {
        drop(black_box(Vec::<u8>::with_capacity(ALONE_BYTES)));
    }
}
