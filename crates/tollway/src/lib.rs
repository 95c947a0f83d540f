//! Tollway: tollway.
