//! Any bytes as a volume: saying what it holds neither panics nor takes long.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::filesystem::recognise;
use residue::io::ReadAt;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let volume: Arc<dyn ReadAt> = Arc::new(bytes.to_vec());
    let _ = recognise(&volume);
});
