//! A small NTFS volume with bytes replaced: each 5 bytes of input are an offset and a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::error::Result;
use residue::filesystem::{Recognised, Walked, recognise};
use residue::io::{ReadAt, check_range};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

static VOLUME: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let packed: &[u8] = include_bytes!("../../testdata/ntfs/clusters512.img.zst");
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(packed).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
});

/// The volume with some bytes replaced.
#[derive(Debug)]
struct Patched(BTreeMap<u64, u8>);

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        VOLUME.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, buffer.len() as u64)?;
        VOLUME.read_at(offset, buffer)?;
        for (at, value) in self.0.range(offset..offset + buffer.len() as u64) {
            buffer[(at - offset) as usize] = *value;
        }
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let patch = |five: &[u8]| {
        let offset = u32::from_le_bytes([five[0], five[1], five[2], five[3]]);
        (u64::from(offset) % VOLUME.size(), five[4])
    };
    let volume: Arc<dyn ReadAt> = Arc::new(Patched(data.chunks_exact(5).map(patch).collect()));
    let Recognised::Opened(ntfs) = recognise(&volume) else { return };
    let mut entries = Vec::new();
    let _ = ntfs.walk(&mut |walked| {
        if let Walked::Entry(entry) = walked {
            entries.push(entry);
        }
        ControlFlow::Continue(())
    });
    let mut buffer = [0; 4096];
    for entry in &entries {
        let _ = ntfs.paths(entry.id);
        let _ = ntfs.list(entry.id, &mut |_| ControlFlow::Continue(()));
        for stream in &entry.streams {
            let Ok(content) = ntfs.open(entry, &stream.name) else { continue };
            let length = content.size().min(4096);
            let _ = content.read_at(content.size() - length, &mut buffer[..length as usize]);
            let _ = content.map(content.size().saturating_sub(1), u64::MAX);
        }
    }
    let _ = ntfs.unallocated(&mut |_| {});
});
