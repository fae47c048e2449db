//! `residue` reads a disk image in place, accounts for every byte of it, and says what secrets and
//! leftovers would ship with it: what, where, how bad, how to remove it.
//!
//! Data flows one way, a module a layer: [`io`] → [`container`] → [`volume`] → [`filesystem`] → ownership →
//! [`sweep`] → [`detect`] → [`finding`] → report. `docs/architecture.md` tells the story.

#[cfg(feature = "cli")]
pub mod cli;
pub mod container;
pub mod content;
pub mod coverage;
pub mod crosscheck;
pub mod detect;
pub mod error;
pub mod filesystem;
pub mod finding;
mod format;
pub mod io;
pub mod keys;
pub mod knowngood;
pub mod leftover;
pub mod location;
pub mod names;
pub mod ownership;
pub mod policy;
pub mod record;
pub mod redact;
pub mod report;
pub mod rules;
pub mod scan;
pub mod sweep;
pub mod volume;
