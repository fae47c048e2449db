//! Content of any kind, through whatever decoder knows its first bytes, within small limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::content::{self, HEAD, Limits};
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let Some(decoder) = content::recognise(&data[..data.len().min(HEAD)]) else { return };
    let limits = Limits {
        bytes_free: 1 << 20,
        members_max: 1000,
        held_max: 1 << 20,
        time_max: Duration::from_secs(5),
        ..Limits::default()
    };
    let bytes = data.to_vec();
    let mut seen = 0_u64;
    content::decode(&bytes, decoder, &limits, &mut |_, reader| {
        seen += std::io::copy(reader, &mut std::io::sink()).unwrap_or(0);
        Ok(())
    });
    assert!(seen <= limits.bytes_free + limits.ratio_max * data.len() as u64);
});
