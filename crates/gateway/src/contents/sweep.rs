//! Deletes what is not to be kept any more, in steps that are small enough that no other writer waits for long: a step that took more
//! than [`STEP_AIM`] is followed by smaller ones, and between two steps others have their turn.

use std::time::Duration;

use store::{Store, StoreError};
use tokio::time::Instant;
use types::Timestamp;

/// How long one step is to hold the database.
const STEP_AIM: Duration = Duration::from_millis(20);
/// Pause between two steps.
const STEP_PAUSE: Duration = Duration::from_millis(2);
/// Rows of a step, at first, at least and at most.
const STEP_ROWS: (i64, i64, i64) = (200, 20, 5_000);

/// Deletes all that is not to be kept any more; how many that were.
///
/// # Errors
/// The store's; what was deleted by then is.
pub async fn sweep(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let (mut rows, least, most) = STEP_ROWS;
    let mut deleted = 0;
    for is_expiry in [true, false] {
        loop {
            let began = Instant::now();
            let step = match is_expiry {
                true => store.expire_contents(now, rows).await?,
                false => store.forget_contents(now, rows).await?,
            };
            deleted += step;
            if i64::try_from(step).is_ok_and(|step| step < rows) {
                break;
            }
            let took = began.elapsed();
            rows = if took > STEP_AIM {
                rows / 2
            } else if took < STEP_AIM / 2 {
                rows + rows / 4
            } else {
                rows
            };
            rows = rows.clamp(least, most);
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }
    Ok(deleted)
}
