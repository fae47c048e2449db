//! Damaged images of the format `vhd`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["dynamic.vhd", "fixed.vhd"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| common::run("vhd", &SEEDS, input));
