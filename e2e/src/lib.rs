//! What end-to-end tests and `xtask` share: the crash loops, the matrix of disconnects, the race for the last money, reading
//! amounts exactly, and running programs.

pub mod admission;
pub mod amount;
pub mod chaos;
pub mod databases;
pub mod disconnects;
pub mod points;
pub mod programs;
pub mod top_ups;
pub mod webhooks;
