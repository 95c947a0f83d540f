//! Tollway: wire.
