//! Tollway: testkit.
