//! A small NTFS volume with bytes replaced.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use residue::filesystem::{Recognised, recognise};
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = [
        "ntfs/clusters512.img",
        "ntfs/planted.img",
        "ntfs/few.img",
        "ntfs/logged.img",
    ];
    names.map(common::seed).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| {
    let Some(volume) = common::damaged(&SEEDS, input) else { return };
    if let Recognised::Opened(filesystem) = recognise(&volume) {
        common::exercise(filesystem.as_ref());
    }
});
