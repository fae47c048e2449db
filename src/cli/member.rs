//! A member of an archive or of other decoded content, by the path that findings give it.

use crate::content::{self, HEAD, Limits};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use crate::location::{escape, unescape};
use std::io::Read;
use std::time::Duration;

/// Bytes that are handed on at a time.
const CHUNK: usize = 1 << 16;

/// What is read of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) offset: u64,
    /// To the end where absent.
    pub(super) length: Option<u64>,
}

/// Hands the bytes of `member` inside `content` on to `take`. What a person asks for by name is decoded without
/// the limits on size that hold for a scan.
///
/// # Errors
/// [`Kind::NotFound`] where the content is none that is decoded, or has no such member;
/// [`Kind::Truncated`] where it ends before the range does; damage; and what `take` returns.
pub(super) fn copy(
    content: &dyn ReadAt,
    member: &str,
    range: Range,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let wanted = unescape(member);
    let length = content.size().min(u64::try_from(HEAD).unwrap_or(u64::MAX));
    let head = read_vec(content, 0, usize::try_from(length).unwrap_or(0))?;
    let decoder = content::recognise(&head)
        .ok_or_else(|| Error::new(Kind::NotFound, "the content is of no format that is decoded"))?;
    let limits = Limits {
        bytes_max: u64::MAX,
        ratio_max: u64::MAX,
        time_max: Duration::from_secs(24 * 60 * 60),
        ..Limits::default()
    };
    let mut outcome = None;
    let cuts = content::decode(content, decoder, &limits, &mut |inner, reader| {
        if outcome.is_none() && unescape(inner.path) == wanted {
            outcome = Some(read(reader, range, take));
        }
        // Formats that are read from front to back need the rest of the member out of the way.
        std::io::copy(reader, &mut std::io::sink()).map(|_| ()).map_err(content::decode_error)
    });
    let shown = escape(&wanted);
    match outcome {
        Some(outcome) => outcome.map_err(|error| error.context(shown)),
        // Damage in front of a member may be why it was not found.
        None => Err(match cuts.into_iter().next() {
            Some(cut) => cut.error.context(format!("no member {shown} as far as the content is readable")),
            None => Error::new(Kind::NotFound, format!("no such member: {shown}")),
        }),
    }
}

fn read(reader: &mut dyn Read, range: Range, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let skipped = std::io::copy(&mut (&mut *reader).take(range.offset), &mut std::io::sink());
    let skipped = skipped.map_err(content::decode_error)?;
    if skipped < range.offset {
        return Err(Error::truncated("member", range.offset, 1, skipped));
    }
    let mut buffer = vec![0; CHUNK];
    let mut left = range.length.unwrap_or(u64::MAX);
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let got = reader.read(buffer.get_mut(..step).unwrap_or_default()).map_err(content::decode_error)?;
        if got == 0 {
            break;
        }
        take(buffer.get(..got).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX));
    }
    match range.length {
        Some(length) if left > 0 => {
            let end = range.offset.saturating_add(length).saturating_sub(left);
            Err(Error::truncated("member", range.offset, length, end))
        }
        _ => Ok(()),
    }
}
