//! Damaged images of the format `gz`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["disk.raw.gz", "disk.raw.tar.gz"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("gz", &SEEDS, input));
