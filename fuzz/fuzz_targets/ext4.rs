//! A small ext volume with bytes replaced.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use residue::filesystem::{Recognised, recognise};
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<common::Seed>> = LazyLock::new(|| {
    let names = [
        "ext4/few.img",
        "ext4/few-ext2.img",
        "ext4/reused.img",
        "ext4/planted.img",
        "ext4/deleted.img",
        "ext4/unwritten.img",
    ];
    names.map(common::seed).into()
});

fuzz_target!(init: { LazyLock::force(&SEEDS); }, |input: &[u8]| {
    let Some(volume) = common::damaged(&SEEDS, input) else { return };
    if let Recognised::Opened(filesystem) = recognise(&volume) {
        common::exercise(filesystem.as_ref());
    }
});
