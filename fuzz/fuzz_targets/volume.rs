//! Any bytes as a disk: its volumes cover it exactly once, and those that lie over them can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::io::ReadAt;
use residue::volume::{VolumeReader, tile};
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
    for volume in tiling.logical {
        assert!(volume.segments.windows(2).all(|pair| pair[0].end() <= pair[1].volume_offset));
        let reader = VolumeReader::new(disk.clone(), volume);
        let _ = reader.read_at(0, &mut [0; 512]);
    }
});
