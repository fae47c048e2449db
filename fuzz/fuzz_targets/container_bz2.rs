//! Damaged images of the format `bz2`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["disk.raw.bz2"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(|input: &[u8]| common::run("bz2", &SEEDS, input));
