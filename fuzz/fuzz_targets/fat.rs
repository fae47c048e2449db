//! A small volume of the FAT family with bytes replaced.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use residue::filesystem::{Recognised, recognise};
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = [
        "volumes/fat12.volume",
        "volumes/fat16.volume",
        "volumes/fat32.volume",
        "volumes/exfat.volume",
    ];
    names.map(common::seed).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| {
    let Some(volume) = common::damaged(&SEEDS, input) else { return };
    if let Recognised::Opened(filesystem) = recognise(&volume) {
        common::exercise(filesystem.as_ref());
    }
});
