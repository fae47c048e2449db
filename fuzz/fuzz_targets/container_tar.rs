//! Damaged images of the format `tar`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["disk.ova", "gnu-sparse.tar", "pax-0.0-sparse.tar"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| common::run("tar", &SEEDS, input));
