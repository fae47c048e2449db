//! 7z archives (7zFormat.txt of the LZMA SDK): folders of one stream, through a chain of coders.

mod coders;
mod header;

use super::claim::{Claimed, Refused};
use super::{Decoder, Form, Member, Visit, to_u64, to_usize};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use header::{Archive, Folder, Input};
use std::io::Read;

/// Start of packed streams.
const BODY: u64 = 32;
/// Bytes of a header, packed or not.
const HEADER_MAX: u64 = 16 << 20;
/// Headers that hold a packed header again.
const PACKED_MAX: usize = 4;

pub(super) const DECODER: Decoder =
    Decoder { name: "7z", probe: |head| head.starts_with(b"7z\xbc\xaf\x27\x1c"), form: Form::Random(decode) };

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let archive = archive(content)?;
    let mut at = BODY.saturating_add(archive.streams.pack_at);
    let mut packs = archive.streams.pack_sizes.iter().copied();
    let mut names = archive.names.iter();
    let mut trouble = None;
    for folder in &archive.streams.folders {
        let start = at;
        let own: Vec<u64> = packs.by_ref().take(folder.packed.len()).collect();
        at = own.iter().fold(at, |at, size| at.saturating_add(*size));
        let (mut reader, mut lost) = match coders::open(content, folder, start, &own) {
            Ok(reader) => (reader, None),
            Err(error) => (Box::new(std::io::empty()) as Box<dyn Read>, Some(error)),
        };
        let mut stored = coders::stored(folder, start);
        for &size in &folder.sizes {
            let name = names.next().cloned().unwrap_or_default();
            if let Some(error) = &lost {
                // Told with its name by whoever reads it.
                let mut refused = Refused(Some(Error::new(error.kind(), error.message())));
                visit(Member { name: &name, stored: None, pieces: &[], content: &mut refused })?;
                continue;
            }
            let mut part = Claimed::new((&mut reader).take(size), size);
            visit(Member { name: &name, stored, pieces: &[], content: &mut part })?;
            stored = stored.map(|at| at.saturating_add(size));
            let is_told = part.has_failed();
            if let Err(error) = std::io::copy(&mut part, &mut std::io::sink()) {
                let error = lost.insert(super::decode_error(error));
                if !is_told {
                    trouble.get_or_insert(Error::new(error.kind(), error.message()));
                }
            }
        }
        if folder.sizes.is_empty()
            && let Some(error) = lost
        {
            trouble.get_or_insert(error);
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// The header, unpacked as often as it is packed.
fn archive(content: &dyn ReadAt) -> Result<Archive> {
    let start = read_vec(content, 0, 32)?;
    let field = |at: usize| {
        let field = start.get(at..).and_then(|rest| rest.first_chunk());
        field.map_or(0, |field| u64::from_le_bytes(*field))
    };
    let (at, size) = (BODY.saturating_add(field(12)), field(20));
    if size == 0 {
        return Ok(Archive::default());
    }
    if size > HEADER_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("a header of {size} bytes")));
    }
    let mut bytes = read_vec(content, at, to_usize(size))?;
    for _ in 0..PACKED_MAX {
        let mut input = Input::new(&bytes);
        match input.u8()? {
            header::HEADER => return header::archive(&mut input),
            header::PACKED => {
                let streams = header::streams(&mut input)?;
                let wrong = || Error::corrupt(at, "packed header", "one folder", "another number");
                let folder: &Folder = streams.folders.first().ok_or_else(wrong)?;
                let start = BODY.saturating_add(streams.pack_at);
                let reader = coders::open(content, folder, start, &streams.pack_sizes)?;
                let mut next = Vec::new();
                let limit = folder.size().min(HEADER_MAX);
                reader.take(limit).read_to_end(&mut next).map_err(super::decode_error)?;
                if to_u64(next.len()) < folder.size() {
                    return Err(Error::corrupt(at, "packed header", folder.size(), next.len()));
                }
                bytes = next;
            }
            other => return Err(Error::corrupt(at, "header", "1 or 23", other)),
        }
    }
    Err(Error::new(Kind::LimitExceeded, "a header packed again and again"))
}
