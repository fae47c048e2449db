//! Damaged images of the format `ewf`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| ["deflated.E01", "plain.E01"].map(common::seed).into());

fuzz_target!(|input: &[u8]| common::run("ewf", &SEEDS, input));
