//! Disks with bytes replaced: their volumes cover them exactly once, and those that lie over them can be read.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use residue::io::ReadAt as _;
use residue::volume::{VolumeReader, tile};
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = [
        "volumes/gpt.raw",
        "volumes/hybrid.raw",
        "volumes/mbr.raw",
        "volumes/gpt-4096.raw",
        "volumes/lvm.disk",
        "volumes/md-0.90.disk",
        "volumes/md-1.0.disk",
        "volumes/md-1.2.disk",
        "volumes/md-lvm.disk",
        "volumes/md-raid5.disk",
        "volumes/md-stale.disk",
    ];
    names.map(common::seed).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| {
    let Some(disk) = common::damaged(&SEEDS, input) else { return };
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
