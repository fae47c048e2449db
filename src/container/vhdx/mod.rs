//! VHDX (Microsoft, [MS-VHDX]): fixed, dynamic and differencing. A log that was not written back is replayed
//! in memory.

mod blocks;
mod header;
mod log;
mod metadata;
mod region;

use super::reference::{self, ParentName};
use super::sparse::Sparse;
use super::{Facts, Format, Image, OpenOptions};
use crate::error::{Error, Result};
use crate::io::{ReadAt, read_vec};
use crate::location::escape;
use blocks::Blocks;
use header::Header;
use metadata::Metadata;
use region::Regions;
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "vhdx", probe, open };

const SIGNATURE: &[u8] = b"vhdxfile";

fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    let mut signature = [0; 8];
    source.read_at(0, &mut signature).is_ok() && signature == *SIGNATURE
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    if !probe(source.as_ref(), options) {
        return Err(Error::corrupt(0, "VHDX file identifier", "vhdxfile", "other bytes"));
    }
    let mut notes = Vec::new();
    let header = Header::read(source.as_ref(), &mut notes)?;
    let stored_size = source.size();
    let source = log::replayed(source, &header, &mut notes)?;
    let regions = Regions::read(source.as_ref(), &mut notes)?;
    let metadata = Metadata::read(source.as_ref(), &regions.metadata)?;
    let mut parent = None;
    let name = metadata.parent.as_ref().map(metadata::ParentLocator::name);
    if let Some(name) = &name {
        parent = reference::parent(options, ParentName { name, format: Some(FORMAT.name) })?;
    }
    if let (Some(parent), Some(locator)) = (&parent, &metadata.parent) {
        notes.extend(locator.check(parent.facts()));
    }
    // The first MiB holds the headers and region tables.
    let fixed = vec![0..1 << 20, header.log.clone(), regions.table.clone(), regions.metadata.clone()];
    let blocks = Blocks::new(&metadata, &regions.table, fixed, Arc::clone(&source))?;
    let facts = Facts {
        format: FORMAT.name,
        version: Some(metadata.kind_name().to_owned()),
        virtual_size: metadata.size,
        stored_size,
        creator: creator(source.as_ref()),
        identifiers: identifiers(&header, &metadata),
        parent: name.as_deref().map(escape),
        notes,
        ..Facts::default()
    };
    Ok(Arc::new(Sparse::new(blocks, vec![source], parent, facts)))
}

fn identifiers(header: &Header, metadata: &Metadata) -> Vec<(String, String)> {
    let named = [("data write", Some(header.data_write.clone())), ("disk", metadata.identifier.clone())];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The program that wrote the file: UTF-16 behind the signature ("File Type Identifier").
fn creator(source: &dyn ReadAt) -> Option<String> {
    let name = utf16(&read_vec(source, 8, 512).ok()?);
    (!name.is_empty()).then(|| escape(name.as_bytes()))
}

/// Little-endian UTF-16 up to the first NUL.
fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk().copied()).map(u16::from_le_bytes);
    String::from_utf16_lossy(&units.take_while(|&unit| unit != 0).collect::<Vec<_>>())
}

/// A GUID as stored: its first three fields are little-endian.
const fn guid(a: u32, b: u16, c: u16, d: [u8; 8]) -> [u8; 16] {
    let ([a0, a1, a2, a3], [b0, b1], [c0, c1]) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
    let [d0, d1, d2, d3, d4, d5, d6, d7] = d;
    [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7]
}

/// A stored GUID as text.
fn guid_text(bytes: [u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = bytes;
    let [d0, d1, e0, e1, e2, e3, e4, e5] = rest;
    format!(
        "{:08x}-{:04x}-{:04x}-{d0:02x}{d1:02x}-{e0:02x}{e1:02x}{e2:02x}{e3:02x}{e4:02x}{e5:02x}",
        u32::from_le_bytes([a0, a1, a2, a3]),
        u16::from_le_bytes([b0, b1]),
        u16::from_le_bytes([c0, c1])
    )
}
