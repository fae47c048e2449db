//! VHD (Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0): fixed, dynamic and
//! differencing.

mod blocks;
mod dynamic;
mod footer;

use super::reference::{self, ParentName};
use super::sparse::Sparse;
use super::{Facts, Format, Image, OpenOptions};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::location::escape;
use blocks::{Blocks, Fixed};
use dynamic::DynamicHeader;
use footer::{DiskType, Footer};
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "vhd", probe, open };

fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    footer::is_there(source)
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let (footer, notes) = Footer::read(source.as_ref())?;
    let mut facts = Facts {
        format: FORMAT.name,
        version: Some(footer.kind.name().to_owned()),
        virtual_size: footer.size,
        stored_size: source.size(),
        creator: Some(footer.creator()),
        identifiers: vec![("uuid".to_owned(), footer.identifier.clone())],
        notes,
        ..Facts::default()
    };
    if footer.kind == DiskType::Fixed {
        let layout = Fixed { size: footer.size, footer_at: footer.at };
        return Ok(Arc::new(Sparse::new(layout, vec![source], None, facts)));
    }
    let header = DynamicHeader::read(source.as_ref(), footer.data_at, &mut facts.notes)?;
    let mut parent = None;
    if footer.kind == DiskType::Differencing {
        let name = header.parent_name(source.as_ref());
        facts.parent = Some(escape(&name));
        parent = reference::parent(options, ParentName { name: &name, format: Some(FORMAT.name) })?;
        if let Some(parent) = &parent {
            check_parent(parent.facts(), &header, &mut facts.notes);
        }
    }
    let blocks = Blocks::new(&header, &footer, Arc::clone(&source))?;
    Ok(Arc::new(Sparse::new(blocks, vec![source], parent, facts)))
}

fn check_parent(parent: &Facts, header: &DynamicHeader, notes: &mut Vec<String>) {
    if !parent.identifiers.iter().any(|(_, value)| *value == header.parent_identifier) {
        notes.push(format!(
            "the parent is not the image {} that this one was made over",
            header.parent_identifier
        ));
    }
}

/// The bytes' sum, inverted, without the four bytes at `field` ("Checksum").
fn checksum(bytes: &[u8], field: usize) -> u32 {
    let outside = |index: &usize| !(field..field.saturating_add(4)).contains(index);
    let counted = bytes.iter().enumerate().filter(|(index, _)| outside(index));
    !counted.fold(0u32, |sum, (_, &byte)| sum.wrapping_add(byte.into()))
}

/// A UUID as text; VHD stores it in the order in which it is printed.
fn identifier(bytes: [u8; 16]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A structure's checksum where it does not agree with its bytes.
fn mismatch(what: &str, at: u64, expected: u32, found: u32) -> Error {
    let (expected, found) = (format!("{expected:#010x}"), format!("{found:#010x}"));
    Error::corrupt(at, &format!("checksum of the {what}"), expected, found)
}
