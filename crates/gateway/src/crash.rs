//! Places where a build for tests can be told to die, as kill -9 would: `TOLLWAY_CRASH_AT=settle:3` ends the process when it comes by
//! `settle` for the third time. A release build has none of it.

/// The variable that names place and turn.
const VARIABLE: &str = "TOLLWAY_CRASH_AT";

/// Every place, in the order in which a call comes by.
pub const POINTS: [&str; 13] = [
    // Money is set aside, and nothing is written.
    "hold",
    // An `Idempotency-Key` is written down, and no provider has been called.
    "pledged",
    // The request is about to leave.
    "send",
    // An answer has begun, and nothing of it has left.
    "first_byte",
    // Within a stream.
    "mid_stream",
    // The cost is known and not in the journal.
    "settle",
    // The record is in the journal, and the last byte has not left.
    "booked",
    // The answer is written down for its `Idempotency-Key`, and the last byte has not left.
    "kept",
    // Records were read from the journal and are not in the store.
    "fold",
    // They are in the store, and the folding job does not know it yet.
    "folded",
    // The order of an automatic top-up is stored, and nobody was asked to pay it.
    "ordered",
    // A payment is known and not booked.
    "top_up",
    // It is booked and not answered.
    "topped_up",
];

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::VARIABLE;

    static AT: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// Reads `settle:3`; `settle` alone is its first turn.
    pub(super) fn read(text: &str) -> Result<(String, u64), String> {
        let (name, turn) = text.split_once(':').unwrap_or((text, "1"));
        let turn = turn.parse().ok().filter(|turn| *turn > 0);
        match (super::POINTS.contains(&name), turn) {
            (true, Some(turn)) => Ok((name.to_owned(), turn)),
            _ => Err(format!(
                "{VARIABLE}: `{text}` is no place to die at; use one of {} and a turn from 1, such as settle:3",
                super::POINTS.join(", ")
            )),
        }
    }

    /// Takes what the environment says.
    pub(super) fn arm() -> Result<(), String> {
        let told = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let at = told.map(|text| read(&text)).transpose()?;
        let _ = AT.set(at);
        Ok(())
    }

    pub(super) fn pass(name: &str) {
        let Some(Some((point, turn))) = AT.get() else { return };
        if point == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *turn {
            // Neither destructors nor buffers get a turn: what the system has is what is left.
            std::process::abort();
        }
    }
}

/// Takes the place to die at from the environment; an error says what is wrong with it.
#[cfg(debug_assertions)]
pub fn arm() -> Result<(), String> {
    armed::arm()
}

/// There is no place to die at in this build; an error for who asks for one.
#[cfg(not(debug_assertions))]
pub fn arm() -> Result<(), String> {
    match std::env::var_os(VARIABLE) {
        None => Ok(()),
        Some(_) => {
            Err(format!("{VARIABLE} is for debug builds; this one has no place to die at, so leave it out"))
        }
    }
}

/// Dies here when it was told so.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    armed::pass(name);
}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn point(_: &'static str) {}

#[cfg(all(test, debug_assertions))]
mod tests {
    #[test]
    fn a_place_has_a_name_and_a_turn() {
        assert_eq!(super::armed::read("settle:3"), Ok(("settle".to_owned(), 3)));
        assert_eq!(super::armed::read("hold"), Ok(("hold".to_owned(), 1)));
        for wrong in ["", "nowhere", "settle:0", "settle:x", "settle:"] {
            let error = super::armed::read(wrong).unwrap_err();
            assert!(error.contains("settle:3") && error.contains("first_byte"), "{error}");
        }
    }
}
