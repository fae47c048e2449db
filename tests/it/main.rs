//! Integration tests: one binary, a module a theme.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should say so and stop"
)]

mod architecture;
mod canary;
mod cli;
mod containers;
mod content;
mod decoders;
mod detect;
mod directory;
mod ext4;
mod fat;
mod gate;
mod hostile_containers;
mod image_files;
mod knowngood;
mod layers;
mod leftovers;
mod nested;
mod ntfs;
mod outside;
mod prefilter;
mod recognised;
mod reports;
mod residual;
mod same_everywhere;
mod sources;
mod support;
mod sweep;
mod volumes;
mod wrapped;
