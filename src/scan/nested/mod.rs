//! Disk images in files of the disk: machines in `/var/lib/libvirt`, virtual disks of WSL, backups.
//!
//! An image in a file becomes volumes that lie over the file's own bytes, as logical volumes lie over their
//! partitions: what is stored as it is is swept where it lies on the outer disk, once, and belongs to the
//! innermost file. What exists only decoded (compressed clusters, all of an image in a compressed file) is swept at
//! addresses of its own, far behind the disk's end.

mod packed;
mod places;
mod readers;

use super::Options;
use super::disk::{self, Disk, OpenVolume, is_understood};
use super::outside::Shifted;
use crate::container::{self, Image, OpenOptions, Unresolved};
use crate::content;
use crate::coverage::{Gap, GapKind};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{Entry, EntryId, FileSystem, Layout, Place, Recognised, StreamName};
use crate::io::{ReadAt, read_vec};
use crate::location::{escape, layer_name};
use crate::volume::{self, Volume, VolumeKind, VolumeReader};
use packed::Room;
use places::places;
use readers::{Only, Outermost};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Images in images.
const DEPTH_MAX: usize = 3;
/// Images of one disk.
const IMAGES_MAX: usize = 256;
/// Shorter files are not looked at: no container of a useful disk is smaller.
const FILE_MIN: u64 = 64 << 10;
/// The same for compressed files.
const PACKED_MIN: u64 = 4 << 10;
/// Length of a nested disk.
const SIZE_MAX: u64 = 1 << 50;
/// Decoded bytes for each byte of the file, and those that are granted to any file.
const RATIO_MAX: u64 = 64;
const LEAST: u64 = 256 << 20;
/// Address of the first decoded area; no disk reaches as far.
pub(super) const BASE: u64 = 1 << 62;
/// Bytes of a file that are looked at.
const HEAD: usize = 2048;
/// How far to go on behind a place that an image's tables cannot tell.
const STEP: u64 = 64 << 10;

/// Signatures of containers with their names, and of what a raw image may start with (`raw`).
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (0x40, &[0x7f, 0x10, 0xda, 0xbe], "vdi"),
    (510, &[0x55, 0xaa], "raw"),
    (1080, &[0x53, 0xef], "raw"),
    (0, b"LUKS\xba\xbe", "raw"),
    (0, b"XFSB", "raw"),
    (0, b"hsqs", "raw"),
];

/// The decoded parts of a nested disk.
#[derive(Debug)]
pub struct Decoded {
    /// What is swept; everything else in it counts as holes.
    pub bytes: Arc<dyn ReadAt>,
    /// Address of its first byte.
    pub base: u64,
    /// Bytes that may be swept.
    pub budget: u64,
}

/// A file that holds a disk image.
struct Found {
    entry: Entry,
    /// Name of the layer: volume and path.
    name: String,
    /// Path for gaps.
    path: String,
    format: &'static str,
    /// How the file is compressed, where it is.
    packing: Option<&'static str>,
}

/// A stream that is open as a disk of its own, and not decoded besides.
#[derive(Clone, Copy, Debug)]
pub struct Unpacked {
    /// Index of its volume.
    pub volume: usize,
    /// The entry.
    pub entry: EntryId,
    /// Index of its stream.
    pub stream: u16,
}

/// Opens the images in the files of `disk`, those in them, and so on; appends their volumes.
pub(super) fn open(disk: &mut Disk, options: &Options) {
    let mut room = Room::new(disk.stored_size, options);
    let (mut from, mut images, mut base) = (0, 0_usize, BASE);
    for depth in 0..=DEPTH_MAX {
        let to = disk.volumes.len();
        for index in from..to {
            for found in disk.volumes.get(index).map(find).unwrap_or_default() {
                let limit = if depth == DEPTH_MAX {
                    Some(format!("disk images nested deeper than {DEPTH_MAX}"))
                } else if images >= IMAGES_MAX {
                    Some(format!("more than {IMAGES_MAX} disk images"))
                } else {
                    None
                };
                let opened = match (limit, disk.volumes.get(index)) {
                    (None, Some(outer)) => open_one(outer, &found, &mut room, base),
                    (limit, _) => Err(Error::new(Kind::LimitExceeded, limit.unwrap_or_default())),
                };
                match opened {
                    Ok(Some(opened)) => {
                        images = images.saturating_add(1);
                        base = opened.end;
                        disk.tiling.notes.push(format!("{} holds {}", found.name, opened.note));
                        disk.volumes.extend(opened.volumes);
                        disk.nested.extend(opened.decoded);
                        disk.nested_gaps.extend(opened.gaps);
                        let unpacked = found.stream().filter(|_| found.packing.is_some());
                        let entry = found.entry.id;
                        disk.unpacked.extend(unpacked.map(|stream| Unpacked {
                            volume: index,
                            entry,
                            stream,
                        }));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let volume = disk.volumes.get(index).map(|open| open.volume.name.clone());
                        disk.nested_gaps.push(gap(volume.unwrap_or_default(), &found, &error));
                    }
                }
            }
        }
        from = to;
    }
}

fn gap(volume: String, found: &Found, error: &Error) -> Gap {
    let reason = format!("a disk image in a file, not opened: {error}");
    let path = Some(found.path.clone());
    Gap { kind: GapKind::Limited, volume, disk_offset: None, length: None, path, reason }
}

/// The files of a volume that may hold disk images.
fn find(outer: &OpenVolume) -> Vec<Found> {
    let mut found = Vec::new();
    let Some(filesystem) = outer.filesystem() else { return found };
    // What goes wrong here goes wrong again when the owners are indexed, and is reported then.
    let _walked = filesystem.large_files(FILE_MIN.min(PACKED_MIN), &mut |entry| {
        found.extend(look(outer, filesystem.as_ref(), entry));
        if found.len() > IMAGES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

fn look(outer: &OpenVolume, filesystem: &dyn FileSystem, entry: Entry) -> Option<Found> {
    let stream = entry.stream(&StreamName::Data)?;
    let Layout::Runs(runs) = &stream.layout else { return None };
    // Most files are told by their first bytes where they lie, without opening them. A disk may begin with a
    // hole.
    let head = match runs.iter().find(|run| run.logical == 0).map(|run| (run.place, run.length)) {
        Some((Place::At(at), length)) => {
            read_vec(outer.reader.as_ref(), at, HEAD.min(usize::try_from(length).unwrap_or(HEAD))).ok()?
        }
        _ if stream.size < FILE_MIN => return None,
        _ => read_vec(filesystem.open(&entry, &StreamName::Data).ok()?.as_ref(), 0, HEAD).ok()?,
    };
    let packing = container::compression(&head);
    let format = match packing {
        Some(packing) => {
            let file = filesystem.open(&entry, &StreamName::Data).ok()?;
            image_format(&container::unpacked_head(&file, packing, HEAD))?
        }
        None if stream.size < FILE_MIN => return None,
        None => image_format(&head)?,
    };
    let path = filesystem.paths(entry.id).ok()?.all.into_iter().next();
    let path = path.map_or_else(|| format!("inode:{}", entry.id.0), |path| escape(&path));
    let name = format!("{}:{}", outer.volume.name, layer_name(&path));
    Some(Found { entry, name, path, format, packing })
}

impl Found {
    /// Index of the stream that holds the image.
    fn stream(&self) -> Option<u16> {
        let index = self.entry.streams.iter().position(|stream| stream.name == StreamName::Data)?;
        u16::try_from(index).ok()
    }
}

/// What a file that starts with `head` may be. A file system that is decoded like an archive (squashfs) is no disk.
fn image_format(head: &[u8]) -> Option<&'static str> {
    let (at, _, format) = SIGNATURES.iter().find(|(at, magic, _)| {
        at.checked_add(magic.len()).and_then(|end| head.get(*at..end)) == Some(*magic)
    })?;
    let start = head.get(..content::HEAD).unwrap_or(head);
    let is_decoded = *at == 0 && *format == "raw" && content::recognise(start).is_some();
    (!is_decoded).then_some(*format)
}

/// What an image in a file came to.
struct Opened {
    volumes: Vec<OpenVolume>,
    decoded: Vec<Decoded>,
    gaps: Vec<Gap>,
    note: String,
    /// The first address that is free.
    end: u64,
}

/// Opens one; `None` where the file only looks like an image.
fn open_one(outer: &OpenVolume, found: &Found, room: &mut Room, base: u64) -> Result<Option<Opened>> {
    let Some(filesystem) = outer.filesystem() else { return Ok(None) };
    let file = filesystem.open(&found.entry, &StreamName::Data)?;
    let budget = file.size().saturating_mul(RATIO_MAX).saturating_add(LEAST);
    let (file, written, broken) = match found.packing {
        Some(packing) => {
            let unpacked = room.unpack(&file, packing)?;
            (unpacked.bytes, unpacked.written, unpacked.broken)
        }
        None => (file, 0, None),
    };
    let image = open_container(file, found.format)?;
    let bytes: Arc<dyn ReadAt> = image.clone();
    let tiling = volume::tile(&bytes)?;
    let inner: Vec<&Volume> = tiling.volumes.iter().chain(&tiling.logical).collect();
    let readers = inner.iter().map(|volume| {
        let reader: Arc<dyn ReadAt> = Arc::new(VolumeReader::new(bytes.clone(), (*volume).clone()));
        let content = disk::content(&reader, volume);
        (reader, content)
    });
    let readers: Vec<_> = readers.collect();
    if image.facts().format == "raw" {
        match readers.first() {
            Some((_, Recognised::Opaque { facts, error })) if tiling.scheme == "none" => {
                return Err(Error::new(error.kind(), format!("{}: {}", facts.kind, error.message())));
            }
            _ if !readers.iter().any(|(_, content)| is_understood(content)) => return Ok(None),
            _ => {}
        }
    }
    let places = places(outer, found, image.as_ref(), base)?;
    let whole = Volume::new(found.name.clone(), VolumeKind::Whole, image.size(), places.segments);
    let volumes = inner.into_iter().zip(readers).map(|(inner, (reader, content))| {
        let volume = volume::inside(&whole, inner.clone());
        OpenVolume { volume, reader, content, nested: true }
    });
    let reasons = image.facts().unread.iter().cloned().chain(broken);
    let mut gaps: Vec<Gap> = reasons.map(|reason| unread(found, None, reason)).collect();
    if places.missing > 0 {
        let reason = match &image.facts().parent {
            Some(parent) => format!("parts of the disk lie in its parent `{parent}`"),
            None => "parts of the disk cannot be had".to_owned(),
        };
        gaps.push(unread(found, Some(places.missing), reason));
    }
    let packing = found.packing.map(|packing| format!(" in {packing}")).unwrap_or_default();
    let facts = image.facts();
    let note =
        format!("a {} image of {} bytes{packing}, {} table", facts.format, image.size(), tiling.scheme);
    let mut opened = Opened { volumes: volumes.collect(), decoded: Vec::new(), gaps, note, end: base };
    opened.advance(image.size());
    if !places.decoded.is_empty() {
        let budget = budget.max(written);
        let bytes = Arc::new(Only { image: image.clone(), ranges: places.decoded });
        opened.decoded.push(Decoded { base, budget, bytes: Arc::new(Shifted::new(bytes, base)) });
    }
    if found.packing.is_some() {
        packed::add_remains(&mut opened, found, image.as_ref());
    }
    Ok(Some(opened))
}

impl Opened {
    /// Takes addresses for `size` bytes.
    fn advance(&mut self, size: u64) {
        self.end = self.end.saturating_add(size).saturating_add(STEP).next_multiple_of(STEP);
    }
}

fn unread(found: &Found, length: Option<u64>, reason: String) -> Gap {
    let volume = found.name.clone();
    Gap { kind: GapKind::Unread, volume, disk_offset: None, length, path: None, reason }
}

fn open_container(file: Arc<dyn ReadAt>, format: &str) -> Result<Arc<dyn Image>> {
    let size = file.size();
    // A fixed VHD is a raw image with a footer.
    let footer = size.checked_sub(512).and_then(|at| read_vec(file.as_ref(), at, 8).ok());
    let is_vhd = format == "raw" && footer.as_deref() == Some(b"conectix");
    let options = OpenOptions {
        format: Some(if is_vhd { "vhd" } else { format }.to_owned()),
        unresolved: Unresolved::Gap,
        ..OpenOptions::default()
    };
    let image = container::open_with(Arc::new(Outermost { file }), &options)?;
    if image.size() == 0 || image.size() > SIZE_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("a disk of {} bytes", image.size())));
    }
    Ok(image)
}
