//! Tollway: store.
