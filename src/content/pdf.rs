//! PDF (ISO 32000-1): streams that were deflated, object streams among them. All else lies in the file as it is.

use super::{Decoder, Form, Member, Visit, to_u64, to_usize};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use aho_corasick::AhoCorasick;
use flate2::read::ZlibDecoder;
use std::io::Read;

/// Bytes looked through at a time.
const STEP: u64 = 1 << 20;
/// Bytes before a stream's keyword in which its dictionary is looked for.
const DICTIONARY_MAX: u64 = 4096;
/// Bytes at both ends in which the trailer may stand.
const TRAILER: u64 = 64 << 10;

pub(super) const DECODER: Decoder =
    Decoder { name: "pdf", probe: |head| head.starts_with(b"%PDF-"), form: Form::Partial(decode) };

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let size = content.size();
    for start in [0, size.saturating_sub(TRAILER)] {
        let part = read_vec(content, start, to_usize(TRAILER.min(size)))?;
        if contains(&part, b"/Encrypt ") {
            return Err(Error::new(Kind::Encrypted, "locked with a password"));
        }
    }
    let keyword = AhoCorasick::new(["stream"]).map_err(|error| Error::unsupported(error.to_string()))?;
    let mut at = 0_u64;
    while at < size {
        let from = at.saturating_sub(DICTIONARY_MAX);
        // The keyword and its line end may lie over the border.
        let to = at.saturating_add(STEP).saturating_add(8).min(size);
        let bytes = read_vec(content, from, to_usize(to.saturating_sub(from)))?;
        let fresh = to_usize(at.saturating_sub(from));
        let border = fresh.saturating_add(to_usize(STEP));
        for hit in keyword.find_iter(&bytes) {
            if (fresh..border).contains(&hit.start())
                && let Some((number, start)) = stream_at(&bytes, hit.start(), hit.end())
            {
                let source = Tail { content, at: from.saturating_add(to_u64(start)) };
                let mut decoded = ZlibDecoder::new(source);
                let name = format!("object {number}");
                visit(Member { name: name.as_bytes(), stored: None, pieces: &[], content: &mut decoded })?;
            }
        }
        at = at.saturating_add(STEP);
    }
    Ok(())
}

/// Object number of the stream whose keyword stands at `keyword`, and where its data starts, if it is
/// deflated and no image.
fn stream_at(bytes: &[u8], keyword: usize, end: usize) -> Option<(String, usize)> {
    let before = bytes.get(keyword.saturating_sub(to_usize(DICTIONARY_MAX))..keyword)?;
    if before.ends_with(b"end") {
        return None;
    }
    let line_end = match bytes.get(end..)? {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return None,
    };
    let object = before.windows(4).rposition(|window| window == b" obj")?;
    let dictionary = before.get(object..)?;
    // Of a chain of filters only the first matters here: it must be this one.
    let filter = dictionary.windows(7).position(|window| window == b"/Filter")?;
    let filters = dictionary.get(filter.checked_add(7)?..)?.trim_ascii_start();
    let filters = filters.strip_prefix(b"[").unwrap_or(filters).trim_ascii_start();
    let is_deflated = filters.starts_with(b"/FlateDecode") || filters.starts_with(b"/Fl ");
    let is_image = contains(dictionary, b"/Image") || contains(dictionary, b"/FontFile");
    if !is_deflated || is_image {
        return None;
    }
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b' ';
    let numbers = before.get(..object)?.rsplit(|byte| !digits(byte)).next()?;
    let number = numbers.trim_ascii().split(|&byte| byte == b' ').next()?;
    Some((crate::location::escape(number), end.checked_add(line_end)?))
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Everything from a place on; a stream says itself where it ends.
struct Tail<'a> {
    content: &'a dyn ReadAt,
    at: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(to_usize(self.content.size().saturating_sub(self.at)));
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.content.read_at(self.at, part).map_err(std::io::Error::other)?;
        self.at = self.at.saturating_add(to_u64(length));
        Ok(length)
    }
}
