//! The rule files that come with the program: all of `signatures/secrets`, which `build.rs` turned into JSON.

/// Name of every file in `signatures/secrets`, and its content as JSON.
pub(super) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
