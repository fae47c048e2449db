//! Damaged images of the format `gz`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["disk.raw.gz", "disk.raw.tar.gz"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(|input: &[u8]| common::run("gz", &SEEDS, input));
