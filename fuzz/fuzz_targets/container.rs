//! Any bytes as a container: it opens or not, and every answer about the disk keeps its promises.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| common::open(None, Arc::new(bytes.to_vec())));
