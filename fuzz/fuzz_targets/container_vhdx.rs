//! Damaged images of the format `vhdx`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["dynamic.vhdx", "log.vhdx"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("vhdx", &SEEDS, input));
