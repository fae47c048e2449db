//! Streams of the format `xz`, with an image or an archive inside. Whole disks would take most of the time to unpack,
//! so the corpus has small ones and nothing is taken from `testdata`.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| common::open(Some("xz"), Arc::new(bytes.to_vec())));
