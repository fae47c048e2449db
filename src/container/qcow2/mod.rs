//! qcow2, versions 2 and 3 (QEMU, `docs/interop/qcow2.rst`).
//!
//! Read: zero and unallocated clusters, deflate and zstd clusters, extended L2 entries, internal snapshots. Refused by name: encryption, external data files, unknown incompatible features. A backing file is
//! never opened because the image names it.

mod extensions;
mod header;
mod snapshots;
mod tables;

use super::reference::{self, ParentName};
use super::sparse::Sparse;
use super::{Facts, Format, Image, OpenOptions};
use crate::error::Result;
use crate::io::ReadAt;
use crate::location::escape;
use header::Header;
use std::sync::Arc;
use tables::Tables;

pub(super) const FORMAT: Format = Format { name: "qcow2", probe, open };

/// `QFI\xfb`, and a version that is not the older format's.
fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    let mut start = [0; 8];
    source.read_at(0, &mut start).is_ok()
        && start.starts_with(header::MAGIC)
        && start.get(4..) != Some(&1u32.to_be_bytes())
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let header = Header::read(source.as_ref())?;
    let parent = match &header.backing_file {
        Some(name) => reference::parent(options, ParentName { name, format: header.backing_format })?,
        None => None,
    };
    let mut notes = header.notes.clone();
    let snapshots = snapshots::read(source.as_ref(), &header, &mut notes);
    let facts = Facts {
        format: FORMAT.name,
        version: Some(header.version.to_string()),
        virtual_size: header.size,
        stored_size: source.size(),
        compression: Some(header.compression_name().to_owned()),
        snapshots: snapshots.iter().map(|snapshot| snapshot.name.clone()).collect(),
        parent: header.backing_file.as_deref().map(escape),
        notes,
        ..Facts::default()
    };
    let tables = Tables::new(&header, Arc::clone(&source), snapshots)?;
    Ok(Arc::new(Sparse::new(tables, vec![source], parent, facts)))
}
