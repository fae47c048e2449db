//! Expert Witness Format, version 1: `.E01`, `.E02` … and `.s01` (libewf documentation, "Expert Witness
//! Compression Format").
//!
//! Chunks are found by table look-ups, and each one's checksum is compared when it is read.

mod chunks;
mod header;
mod section;
mod segments;
mod zeros;

use super::sparse::{Layout, Sparse};
use super::{Facts, Format, Image, OpenOptions};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use chunks::Chunks;
use section::SIGNATURE;
use segments::Segments;
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "ewf", probe, open };

fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    let mut start = [0; 8];
    source.read_at(0, &mut start).is_ok() && start == *SIGNATURE
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let Segments { files, volume, tables, identifiers, creator, notes, unread } =
        Segments::read(source, options)?;
    let volume = volume.ok_or_else(|| Error::corrupt(13, "EWF", "a volume section", "none"))?;
    let stored_size = files.iter().map(|file| file.size()).fold(0, u64::saturating_add);
    let compressed = tables.iter().any(|table| table.has_compressed(&files));
    let layout = Chunks::new(&volume, tables, files.clone());
    let facts = Facts {
        format: FORMAT.name,
        version: Some(format!("{} segments", files.len())),
        virtual_size: layout.size(),
        stored_size,
        compression: compressed.then(|| "zlib".to_owned()),
        creator,
        identifiers,
        unread,
        notes,
        ..Facts::default()
    };
    Ok(Arc::new(Sparse::new(layout, files, None, facts)))
}
