//! VMDK (VMware, "Virtual Disk Format 5.0").
//!
//! Read: monolithicSparse, streamOptimized, twoGbMaxExtentSparse, and the flat kinds. Extents of a descriptor
//! are opened only from its own folder, by bare names. Refused by name: seSparse and COWD extents, raw device
//! mappings.

mod descriptor;
mod extents;
mod header;
mod stream;

use super::reference::{self, ParentName, sibling};
use super::sparse::{Place, Sparse};
use super::{Facts, Format, Image, OpenOptions, Unresolved};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use crate::location::escape;
use descriptor::{Descriptor, ExtentKind, ExtentLine};
use extents::{Extent, Extents, SparseExtent};
use header::Header;
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "vmdk", probe, open };

/// Extents without a reader, by their first bytes.
const UNREAD: [(&[u8], &str); 2] =
    [(b"COWD", "VMDK COWD extent"), (&[0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0], "VMDK seSparse extent")];

/// A sparse extent, a descriptor, or an extent that is refused by name.
fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    let mut start = [0; 21];
    let length = usize::try_from(source.size()).unwrap_or(start.len()).min(start.len());
    let Some(start) = start.get_mut(..length) else { return false };
    source.read_at(0, start).is_ok()
        && (start.starts_with(header::MAGIC)
            || start.starts_with(descriptor::START)
            || UNREAD.iter().any(|(magic, _)| start.starts_with(magic)))
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let start = read_vec(source.as_ref(), 0, usize::try_from(source.size().min(512)).unwrap_or(512))?;
    refuse_unread(&start)?;
    if start.starts_with(header::MAGIC) {
        return open_monolithic(source, options);
    }
    if !start.starts_with(descriptor::START) {
        return Err(Error::corrupt(
            0,
            "VMDK",
            "a sparse header or a descriptor",
            escape(&start[..start.len().min(8)]),
        ));
    }
    let descriptor = Descriptor::read(source.as_ref(), 0, source.size())?;
    open_extents(source, &descriptor, options)
}

fn refuse_unread(start: &[u8]) -> Result<()> {
    match UNREAD.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, name)) => Err(Error::unsupported(name)),
        None => Ok(()),
    }
}

/// One sparse file with its descriptor inside.
fn open_monolithic(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let header = Header::read(source.as_ref())?;
    let mut notes = header.notes();
    let descriptor = match header.descriptor() {
        Some(range) => Descriptor::read(source.as_ref(), range.start, range.end),
        None => Ok(Descriptor::default()),
    };
    let descriptor = descriptor.unwrap_or_else(|error| {
        notes.push(format!("the descriptor cannot be read: {error}"));
        Descriptor::default()
    });
    let size = header.capacity_bytes();
    let compressed = header.is_compressed();
    let extent = SparseExtent::new(&header, 0, Arc::clone(&source))?;
    let extents = vec![(0..size, Extent::Sparse(extent))];
    finish(vec![source], extents, &descriptor, compressed, notes, options)
}

/// A descriptor with its extents in files of their own.
fn open_extents(
    source: Arc<dyn ReadAt>,
    descriptor: &Descriptor,
    options: &OpenOptions,
) -> Result<Arc<dyn Image>> {
    let mut files = vec![source];
    let mut extents = Vec::new();
    let (mut notes, mut start, mut compressed) = (Vec::new(), 0u64, false);
    for line in &descriptor.extents {
        let length = line.sectors.checked_mul(512).filter(|length| start.checked_add(*length).is_some());
        let length = length.ok_or_else(|| {
            Error::corrupt(line.at, "sectors of an extent", "a disk below 2^64 bytes", line.sectors)
        })?;
        let extent = match open_extent(line, files.len(), options) {
            Ok(Opened { extent, file, header }) => {
                files.extend(file);
                if let Some(header) = header {
                    compressed |= header.is_compressed();
                    notes.extend(header.notes());
                }
                extent
            }
            Err(error) if options.unresolved == Unresolved::Gap && is_absence(&error) => {
                Extent::missing(&error)
            }
            Err(error) => return Err(error.context(format!("extent {}", escape(&line.name)))),
        };
        extents.push((start..start.saturating_add(length), extent));
        start = start.saturating_add(length);
    }
    if extents.is_empty() {
        return Err(Error::new(Kind::Corrupt, "the descriptor names no extents"));
    }
    finish(files, extents, descriptor, compressed, notes, options)
}

fn is_absence(error: &Error) -> bool {
    matches!(error.kind(), Kind::MissingParent | Kind::RefusedReference)
}

/// An extent and the file that was opened for it.
struct Opened {
    extent: Extent,
    file: Option<Arc<dyn ReadAt>>,
    header: Option<Header>,
}

fn open_extent(line: &ExtentLine, number: usize, options: &OpenOptions) -> Result<Opened> {
    match line.kind {
        ExtentKind::Zero => Ok(Opened { extent: Extent::Zero, file: None, header: None }),
        ExtentKind::Flat => {
            let file = sibling(options, &line.name)?;
            let at = line.offset.saturating_mul(512);
            Ok(Opened { extent: Extent::Flat { file: number, at }, file: Some(file), header: None })
        }
        ExtentKind::Sparse => {
            let file = sibling(options, &line.name)?;
            let start = read_vec(file.as_ref(), 0, usize::try_from(file.size().min(8)).unwrap_or(8))?;
            refuse_unread(&start)?;
            let header = Header::read(file.as_ref())?;
            let extent = Extent::Sparse(SparseExtent::new(&header, number, Arc::clone(&file))?);
            Ok(Opened { extent, file: Some(file), header: Some(header) })
        }
        ExtentKind::Unread(name) => Err(Error::unsupported(name)),
    }
}

fn finish(
    files: Vec<Arc<dyn ReadAt>>,
    extents: Vec<(std::ops::Range<u64>, Extent)>,
    descriptor: &Descriptor,
    compressed: bool,
    mut notes: Vec<String>,
    options: &OpenOptions,
) -> Result<Arc<dyn Image>> {
    let parent = match descriptor.parent_name() {
        Some(name) => reference::parent(options, ParentName { name, format: Some(FORMAT.name) })?,
        None => None,
    };
    let unallocated = if descriptor.parent_name().is_some() { Place::Parent } else { Place::Hole };
    if let Some(parent) = &parent {
        notes.extend(descriptor.check_parent(parent.facts()));
    }
    let cut = |extent: &Extent| match extent {
        Extent::Sparse(sparse) => sparse.cut(),
        _ => None,
    };
    let unread = extents.iter().filter_map(|(_, extent)| cut(extent)).collect();
    let extents = Extents::new(extents, unallocated);
    let facts = Facts {
        format: FORMAT.name,
        version: descriptor.create_type.clone(),
        virtual_size: crate::container::sparse::Layout::size(&extents),
        stored_size: files.iter().map(|file| file.size()).fold(0, u64::saturating_add),
        compression: compressed.then(|| "zlib".to_owned()),
        creator: descriptor.tools_version.clone(),
        identifiers: descriptor.identifiers(),
        parent: descriptor.parent_name().map(escape),
        unread,
        notes,
        ..Facts::default()
    };
    Ok(Arc::new(Sparse::new(extents, files, parent, facts)))
}
