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
mod claims;
mod cli;
mod connections;
mod containers;
mod content;
mod decoders;
mod deleted;
mod detect;
mod devices;
mod directory;
mod encodings;
mod escaped;
mod ext4;
mod failures;
mod fat;
mod gate;
mod hostile_containers;
mod image_files;
mod keys;
mod knowngood;
mod layers;
mod leaks;
mod leftover_images;
mod leftovers;
mod mails;
mod nested;
mod ntfs;
mod ntfs_overlay;
mod outside;
mod packed;
mod packed_images;
mod page;
mod personal;
mod policy;
mod prefilter;
mod quiet;
mod recognised;
mod remedy;
mod reports;
mod residual;
mod same_everywhere;
mod schemas;
mod sleuthkit;
mod sources;
mod streams;
mod support;
mod sweep;
mod unowned;
mod volumes;
mod wrapped;
