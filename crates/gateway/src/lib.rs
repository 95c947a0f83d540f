//! Tollway: gateway.
