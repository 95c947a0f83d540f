//! The real binary, over sockets. One test binary; each module is one subject.
#![expect(clippy::indexing_slicing, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod aimock;
mod bad_input;
mod books;
mod byok;
mod cache;
mod cancel;
mod catalog;
mod chat;
mod clouds;
mod dialects;
mod disconnects;
mod escalation;
mod fallback;
mod feedback;
mod fetches;
mod first_run;
mod hedging;
mod idempotency;
mod judged;
mod keys;
mod kill;
mod losses;
mod money;
mod payments;
mod policies;
mod replay;
mod routing;
mod rules;
mod sdk;
mod seals;
mod smuggling;
mod ssrf;
mod stream;
mod tasks;
mod variants;
