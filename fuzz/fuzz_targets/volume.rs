//! Any bytes as a disk: its volumes cover it exactly once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::io::ReadAt;
use residue::volume::tile;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let disk: Arc<dyn ReadAt> = Arc::new(bytes.to_vec());
    let Ok(tiling) = tile(&disk) else { return };
    let mut cursor = 0;
    for volume in &tiling.volumes {
        assert_eq!(volume.disk_start(), cursor);
        cursor += volume.size();
    }
    assert_eq!(cursor, disk.size());
});
