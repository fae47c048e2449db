//! The rule files that come with the program: all of `signatures/secrets`, which the build script beside this
//! file turns into JSON.

/// Name of every file in `signatures/secrets`, and its content as JSON.
pub(super) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
