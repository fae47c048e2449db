//! Hostile containers: whatever stands in headers and tables, a disk is right, has gaps, or does not open.

use crate::support::fixture;
use residue::container::{Image, OpenOptions, Unresolved, open_with};
use residue::error::Result;
use residue::io::{Backing, ReadAt};
use std::sync::Arc;

/// Images in one file, and where their headers and tables are.
const IMAGES: [(&str, &[std::ops::Range<usize>]); 12] = [
    ("v3.qcow2", &[0..112, 0x1_0000..0x1_0040, 0x3_0000..0x3_0040, 0x4_0000..0x4_0080]),
    ("zlib.qcow2", &[0..112, 0x3_0000..0x3_0040, 0x4_0000..0x4_0080]),
    ("extended-l2.qcow2", &[0..112, 0x6_0000..0x6_0040, 0x8_0000..0x8_0080]),
    ("overlay.qcow2", &[0..112, 0x3_0000..0x3_0040, 0x4_0000..0x4_0040]),
    ("monolithic-sparse.vmdk", &[0..80, 512..700, 21 * 512..21 * 512 + 64]),
    ("stream-optimized.vmdk", &[0..80, 512..700, 0x1_0000..0x1_0080]),
    ("dynamic.vhd", &[0..96, 512..1200, 1536..1600]),
    ("fixed.vhd", &[0x90_0600..0x90_0680]),
    ("dynamic.vhdx", &[0x1_0000..0x1_0060, 0x3_0000..0x3_0060, 0x20_0000..0x20_0040, 0x30_0000..0x30_0100]),
    ("log.vhdx", &[0x10_0000..0x10_0080, 0x10_1000..0x10_1010, 0x1_0000..0x1_0060]),
    ("dynamic.vdi", &[64..460, 512..580]),
    ("deflated.E01", &[0..200, 0x500..0x700]),
];

/// A file with some bytes changed, without a copy of it.
#[derive(Debug)]
struct Damaged {
    sound: Arc<Vec<u8>>,
    at: u64,
    bytes: Vec<u8>,
}

impl ReadAt for Damaged {
    fn size(&self) -> u64 {
        self.sound.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.sound.read_at(offset, buffer)?;
        for (at, byte) in (self.at..).zip(&self.bytes) {
            if let Some(inside) = at.checked_sub(offset).filter(|&inside| inside < buffer.len() as u64) {
                buffer[usize::try_from(inside).unwrap()] = *byte;
            }
        }
        Ok(())
    }
}

/// Opens as permissively as can be, so that more code sees the damage.
fn open_any(file: Damaged) -> Option<Arc<dyn Image>> {
    let options = OpenOptions { unresolved: Unresolved::Gap, ..OpenOptions::default() };
    open_with(Arc::new(file), &options).ok()
}

/// Uses an image as a scan would, without more than a little work.
fn use_image(image: &dyn Image, file_size: u64) {
    let size = image.size();
    let mut at = 0;
    for _ in 0..24 {
        if at >= size {
            break;
        }
        let Ok(extent) = image.map(at, 1 << 20) else { break };
        assert!(extent.length > 0 && extent.length <= 1 << 20 && extent.length <= size - at);
        match extent.backing {
            Backing::Stored { host } => assert!(host + extent.length <= file_size, "past the end"),
            Backing::Encoded { host, host_length } => {
                assert!(host + host_length <= file_size, "past the end")
            }
            Backing::Hole | Backing::Missing { .. } => {}
        }
        let length = usize::try_from(extent.length.min(4096)).unwrap();
        let read = image.read_at(at, &mut vec![0; length]);
        assert!(read.is_err() || !matches!(extent.backing, Backing::Missing { .. }), "bytes of a gap");
        if let Some(slice) = image.slice(at, extent.length) {
            assert!(!slice.is_empty() && slice.len() as u64 <= extent.length);
        }
        at += extent.length;
    }
    for at in [0, size / 2, size.saturating_sub(1), size, u64::MAX] {
        let _ = image.read_at(at, &mut [0; 3]);
        let _ = image.slice(at, 10);
    }
}

#[test]
fn extremes_in_every_field_end_in_errors_and_gaps() {
    let values: [&[u8]; 6] = [
        &[0xff; 8],
        &[0; 8],
        &[0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0x80],
        &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0],
    ];
    for (name, places) in IMAGES {
        let sound = Arc::new(fixture(&format!("containers/{name}")));
        let size = sound.len();
        let fields = places.iter().flat_map(|place| place.clone().step_by(4)).filter(|at| at + 8 <= size);
        for at in fields {
            for (value, width) in values.iter().map(|value| (value, if at % 8 == 0 { 8 } else { 4 })) {
                let bytes = value[..width].to_vec();
                let file = Damaged { sound: sound.clone(), at: at as u64, bytes };
                if let Some(image) = open_any(file) {
                    use_image(image.as_ref(), size as u64);
                }
            }
        }
    }
}
