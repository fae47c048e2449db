//! A small ext volume with bytes replaced: the first byte of input chooses the volume, then each 5 bytes are
//! an offset and a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::error::Result;
use residue::filesystem::{FileSystem, Recognised, Walked, recognise};
use residue::io::{ReadAt, check_range};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

static VOLUMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let packed: [&[u8]; 4] = [
        include_bytes!("../../testdata/ext4/journal-v3.img.zst"),
        include_bytes!("../../testdata/ext4/journal-plain.img.zst"),
        include_bytes!("../../testdata/ext4/reused.img.zst"),
        include_bytes!("../../testdata/ext4/inline.img.zst"),
    ];
    let unpack = |packed| {
        let mut bytes = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(packed).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    packed.into_iter().map(unpack).collect()
});

/// A volume with some bytes replaced.
#[derive(Debug)]
struct Patched(&'static Vec<u8>, BTreeMap<u64, u8>);

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, buffer.len() as u64)?;
        self.0.read_at(offset, buffer)?;
        for (at, value) in self.1.range(offset..offset + buffer.len() as u64) {
            buffer[(at - offset) as usize] = *value;
        }
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, patches)) = data.split_first() else { return };
    let image = &VOLUMES[usize::from(*choice) % VOLUMES.len()];
    let patch = |five: &[u8]| {
        let offset = u32::from_le_bytes([five[0], five[1], five[2], five[3]]);
        (u64::from(offset) % image.size(), five[4])
    };
    let volume: Arc<dyn ReadAt> = Arc::new(Patched(image, patches.chunks_exact(5).map(patch).collect()));
    if let Recognised::Opened(fs) = recognise(&volume) {
        exercise(fs.as_ref());
    }
});

/// Calls everything that the trait offers.
fn exercise(fs: &dyn FileSystem) {
    let mut entries = Vec::new();
    let _ = fs.walk(&mut |walked| {
        if let Walked::Entry(entry) = walked {
            entries.push(entry);
        }
        ControlFlow::Continue(())
    });
    let mut buffer = [0; 4096];
    for entry in &entries {
        let _ = fs.paths(entry.id);
        let _ = fs.list(entry.id, &mut |_| ControlFlow::Continue(()));
        for stream in &entry.streams {
            let Ok(content) = fs.open(entry, &stream.name) else { continue };
            let length = content.size().min(4096);
            let _ = content.read_at(content.size() - length, &mut buffer[..length as usize]);
            let _ = content.map(content.size().saturating_sub(1), u64::MAX);
        }
    }
    let _ = fs.unallocated(&mut |_| {});
}
