//! Damaged images of the format `tar`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["disk.ova", "gnu-sparse.tar", "pax-0.0-sparse.tar"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("tar", &SEEDS, input));
