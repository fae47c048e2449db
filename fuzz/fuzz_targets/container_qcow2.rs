//! Damaged images of the format `qcow2`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = ["v3.qcow2", "zlib.qcow2", "extended-l2.qcow2", "snapshots.qcow2", "zstd.qcow2", "cluster-512.qcow2"];
    names.map(|name| common::seed(&format!("containers/{name}"))).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| common::run("qcow2", &SEEDS, input));
