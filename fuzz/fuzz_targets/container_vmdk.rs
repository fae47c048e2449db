//! Damaged images of the format `vmdk`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["monolithic-sparse.vmdk", "stream-optimized.vmdk", "parts.vmdk", "two-gb-sparse-s001.vmdk"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| common::run("vmdk", &SEEDS, input));
