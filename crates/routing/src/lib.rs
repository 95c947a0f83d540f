//! The routing decision: values in, a plan with reasons out. No socket, no clock, no randomness of its own.
//!
//! [`name`] says what a caller's model name means, [`plan`] which endpoints to try in which order and why the others were
//! left out, [`breaker`] when an endpoint is left alone for a while.

pub mod breaker;
pub mod keyring;
pub mod name;
pub mod plan;
