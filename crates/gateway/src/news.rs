//! What was written is known on this node before its writer hears that it is done: the job that takes changes in from the store
//! is asked to look at once. Other nodes hear of it within a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// Longest wait for the job; what was written is written all the same.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Between those who write and the job that looks.
#[derive(Debug)]
pub struct News {
    wanted: Notify,
    begun: AtomicU64,
    done: watch::Sender<u64>,
}

impl Default for News {
    fn default() -> News {
        News { wanted: Notify::new(), begun: AtomicU64::new(0), done: watch::Sender::new(0) }
    }
}

impl News {
    /// Waits until the store was asked by a look that begins after this.
    pub(crate) async fn taken_in(&self) {
        let mut done = self.done.subscribe();
        let next = self.begun.load(Ordering::SeqCst) + 1;
        self.wanted.notify_one();
        // Late is no error: the job looks again by itself.
        let _ = tokio::time::timeout(WAIT_MAX, done.wait_for(|done| *done >= next)).await;
    }

    /// Until somebody wants the store to be asked.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A look begins; its number.
    pub fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// That look is over.
    pub fn end(&self, number: u64) {
        self.done.send_replace(number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_writer_waits_for_a_look_that_begins_after_it() {
        let news = Arc::new(News::default());
        let early = news.begin();
        let waiting = tokio::spawn({
            let news = Arc::clone(&news);
            async move { news.taken_in().await }
        });
        news.wanted().await;
        news.end(early);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "that look had begun before");
        let next = news.begin();
        news.end(next);
        waiting.await.unwrap();
    }
}
