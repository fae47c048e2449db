//! Integration tests: one binary, a module a theme.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should say so and stop"
)]

mod architecture;
mod canary;
mod containers;
mod detect;
mod leftovers;
mod ntfs;
mod recognised;
mod support;
mod sweep;
mod volumes;
