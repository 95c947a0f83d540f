//! Tollway: ledger.
