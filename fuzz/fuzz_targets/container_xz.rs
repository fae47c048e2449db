//! Damaged images of the format `xz`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["disk.raw.xz"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("xz", &SEEDS, input));
