//! The routing decision: values in, a plan with reasons out. No socket, no clock, no randomness of its own.
//!
//! [`name`] says what a caller's model name means, [`plan`] which endpoints to try in which order and why the others were
//! left out ([`order`], [`wishes`], [`shortlist`]), [`health`] and [`load`] what an endpoint's own traffic says of it, [`breaker`] and
//! [`keyring`] when an endpoint or a key is left alone for a while, [`hedge`] when a second one is asked the same. [`classify`] says
//! what kind of work a prompt is, [`quality`] how good a model is at it, [`learn`] how good it turned out to be, [`gate`] whether that counts, [`guide`] what that
//! makes of a virtual model, [`zero`] what any of this has to beat, and
//! [`replay`] what another policy would have made of what was recorded.

pub mod access;
pub mod breaker;
mod brief;
pub mod classify;
pub mod filters;
pub mod gate;
pub mod guide;
pub mod health;
pub mod hedge;
pub mod keyring;
pub mod learn;
pub mod load;
pub mod name;
pub mod order;
pub mod plan;
pub mod policy;
pub mod quality;
pub mod random;
pub mod replay;
pub mod shortlist;
mod soonest;
pub mod wishes;
pub mod zero;
