//! Damaged images of the format `ewf`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["deflated.E01", "plain.E01", "smart.s01"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| common::run("ewf", &SEEDS, input));
