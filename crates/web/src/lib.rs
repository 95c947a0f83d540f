//! Tollway: web.
