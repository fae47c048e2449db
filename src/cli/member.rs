//! A member of an archive or of other decoded content, by the path that findings give it.

use crate::content::{self, Decoder, HEAD, Limits, STEP, written};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use crate::location::{escape, unescape};
use std::io::Read;
use std::time::Duration;

/// What is read of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) offset: u64,
    /// To the end where absent.
    pub(super) length: Option<u64>,
}

/// Bytes on both sides of a place in which text is read that stands for other bytes.
const AROUND: u64 = 16 << 20;

/// What recognises content by its first bytes.
pub(super) type Recogniser = fn(&[u8]) -> Option<&'static Decoder>;

/// Hands the bytes of `member` inside `content`, which `recognise` knows, on to `take`. What a person asks for by name
/// is decoded without the limits on size that hold for a scan. Where the member is what text stands for, as of
/// `base64`, the range is one of that text, as findings give it.
///
/// # Errors
/// [`Kind::NotFound`] where the content is none that is decoded, or has no such member;
/// [`Kind::Truncated`] where it ends before the range does; damage; and what `take` returns.
pub(super) fn copy(
    (content, recognise): (&dyn ReadAt, Recogniser),
    member: &str,
    range: Range,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let wanted = unescape(member);
    match std::str::from_utf8(&wanted).ok().and_then(written::split) {
        Some((outer, forms, inside)) => {
            let text = Text { outer: &outer, forms: &forms, inside: &inside };
            of_text((content, recognise), &text, range, take)
        }
        None => of_archive((content, recognise), &wanted, range, take),
    }
}

/// What text stands for: where it is, its forms, and the path inside of that.
struct Text<'a> {
    outer: &'a str,
    forms: &'a [written::Written],
    inside: &'a str,
}

fn of_text(
    (content, recognise): (&dyn ReadAt, Recogniser),
    text: &Text<'_>,
    range: Range,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let at = text.forms.first().and_then(|form| form.start).unwrap_or(range.offset);
    // Units of UTF-16 start at even offsets.
    let from = at.saturating_sub(AROUND) & !1;
    let mut bytes = Vec::new();
    if text.outer.is_empty() {
        let length = content.size().saturating_sub(from).min(2 * AROUND);
        bytes = read_vec(content, from, usize::try_from(length).unwrap_or(0))?;
    } else {
        let most = usize::try_from(2 * AROUND).unwrap_or(usize::MAX);
        let window = Range { offset: from, length: None };
        of_archive((content, recognise), text.outer.as_bytes(), window, &mut |part| {
            let room = most.saturating_sub(bytes.len()).min(part.len());
            bytes.extend_from_slice(part.get(..room).unwrap_or_default());
            Ok(())
        })?;
    }
    let end = range.length.map_or(u64::MAX, |length| at.saturating_add(length));
    let opened = written::open(&bytes, at.saturating_sub(from)..end.saturating_sub(from), text.forms);
    let opened = opened.ok_or_else(|| {
        let sentence = "no text of that form at that place; give it as the report does, with ' @ OFFSET'";
        Error::new(Kind::NotFound, sentence)
    })?;
    if text.inside.is_empty() {
        return take(opened.bytes.get(opened.range).unwrap_or_default());
    }
    of_archive((&opened.bytes, content::recognise), text.inside.as_bytes(), range, take)
}

fn of_archive(
    (content, recognise): (&dyn ReadAt, Recogniser),
    wanted: &[u8],
    range: Range,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let length = content.size().min(u64::try_from(HEAD).unwrap_or(u64::MAX));
    let head = read_vec(content, 0, usize::try_from(length).unwrap_or(0))?;
    let decoder = recognise(&head)
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
    let shown = escape(wanted);
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
    let mut buffer = vec![0; STEP];
    let mut left = range.length.unwrap_or(u64::MAX);
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(STEP);
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
