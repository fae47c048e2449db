//! Damaged images of the format `vdi`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["dynamic.vdi", "fixed.vdi"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("vdi", &SEEDS, input));
