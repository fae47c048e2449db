//! Damaged images of the format `zst`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["disk.raw.zstd"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(|input: &[u8]| common::run("zst", &SEEDS, input));
