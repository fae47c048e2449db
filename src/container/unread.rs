//! Formats that are recognised and not read: opening one names it, instead of taking it for a raw disk.

use super::{Format, Image, OpenOptions};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "unread", probe, open };

/// Signatures by their place: `None` counts from the start, `Some` from the end.
const SIGNATURES: &[(Option<u64>, &[u8], &str)] = &[
    (None, b"EVF2\r\n\x81\0", "Expert Witness Format version 2 (Ex01)"),
    (None, b"LEF2\r\n\x81\0", "logical evidence file version 2 (Lx01)"),
    (None, b"LVF\x09\x0d\x0a\xff\0", "logical evidence file (L01)"),
    (None, b"AFF10\r\n\0", "Advanced Forensic Format (AFF)"),
    (None, b"VMA\0", "Proxmox backup (vma)"),
    (None, b"QFI\xfb\0\0\0\x01", "qcow version 1"),
    (None, b"QED\0", "QED image"),
    (None, b"WithoutFreeSpace", "Parallels image"),
    (None, b"WithouFreSpacExt", "Parallels image"),
    (None, b"MSWIM\0\0\0", "Windows imaging file (WIM)"),
    (None, b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (None, b"Rar!\x1a\x07", "RAR archive"),
    (None, b"\x04\x22\x4d\x18", "LZ4 stream"),
    (None, b"\x89LZO\0\r\n\x1a\n", "lzop stream"),
    (Some(512), b"koly", "Apple disk image (dmg)"),
];

/// Local file header of a zip archive, and the name of the first member of an AFF4 volume.
const ZIP: &[u8] = b"PK\x03\x04";
const AFF4: [&[u8]; 3] = [b"container.description", b"information.turtle", b"version.txt"];

fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    name(source).is_some()
}

fn open(source: Arc<dyn ReadAt>, _options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let name = name(source.as_ref()).unwrap_or("a format without a reader");
    drop(source);
    Err(Error::unsupported(name))
}

fn name(source: &dyn ReadAt) -> Option<&'static str> {
    let known = SIGNATURES.iter().find(|(from_end, magic, _)| {
        let at = from_end.map_or(Some(0), |distance| source.size().checked_sub(distance));
        at.is_some_and(|at| stands_at(source, at, magic))
    });
    known.map(|(.., name)| *name).or_else(|| {
        let first = |member: &&[u8]| stands_at(source, 30, member);
        match stands_at(source, 0, ZIP) {
            true if AFF4.iter().any(first) => Some("AFF4 volume"),
            true => Some("zip archive"),
            false => None,
        }
    })
}

fn stands_at(source: &dyn ReadAt, at: u64, magic: &[u8]) -> bool {
    let mut found = [0; 32];
    found.get_mut(..magic.len()).is_some_and(|found| source.read_at(at, found).is_ok() && found == magic)
}
