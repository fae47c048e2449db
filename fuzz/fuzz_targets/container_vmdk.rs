//! Damaged images of the format `vmdk`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["monolithic-sparse.vmdk", "stream-optimized.vmdk", "parts.vmdk"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("vmdk", &SEEDS, input));
