//! Tollway: routing.
