//! Damaged images of the format `bz2`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["disk.raw.bz2"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("bz2", &SEEDS, input));
