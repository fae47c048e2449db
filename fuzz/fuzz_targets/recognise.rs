//! Volumes that hold something other than a file system, with bytes replaced: saying what it is neither panics nor
//! takes long.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use residue::filesystem::recognise;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = [
        "volumes/btrfs.raw",
        "volumes/exfat.raw",
        "volumes/f2fs.raw",
        "volumes/fat12.raw",
        "volumes/fat16.raw",
        "volumes/fat32.raw",
        "volumes/iso9660.raw",
        "volumes/luks1.raw",
        "volumes/luks2.raw",
        "volumes/lvm.raw",
        "volumes/squashfs.raw",
        "volumes/swap.raw",
        "volumes/swap-64k.raw",
        "volumes/xfs.raw",
    ];
    names.map(common::seed).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| {
    if let Some(volume) = common::damaged(&SEEDS, input) {
        let _ = recognise(&volume);
    }
});
