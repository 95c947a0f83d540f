//! Tollway: catalog.
