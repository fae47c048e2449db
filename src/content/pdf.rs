//! PDF (ISO 32000-1): streams that were deflated, object streams among them, or written in ASCII. All else lies in
//! the file as it is.

use super::ascii::{Ascii, Form as Digits};
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
                && let Some(stream) = stream_at(&bytes, hit.start(), hit.end())
            {
                let source = Tail { content, at: from.saturating_add(to_u64(stream.start)) };
                let mut decoded = filtered(Box::new(source), &stream.filters);
                let name = format!("object {}", stream.number);
                let content = decoded.as_mut();
                visit(Member { name: name.as_bytes(), stored: None, pieces: &[], content })?;
            }
        }
        at = at.saturating_add(STEP);
    }
    Ok(())
}

/// How a stream is read, up to the first filter that is not among these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Deflate,
    Hex,
    Base85,
}

/// Filters of one stream that are looked at.
const FILTERS_MAX: usize = 4;

/// A stream that is worth decoding.
struct Stream {
    /// Number of its object.
    number: String,
    /// Where its data starts.
    start: usize,
    filters: Vec<Filter>,
}

fn filtered<'a>(source: Box<dyn Read + 'a>, filters: &[Filter]) -> Box<dyn Read + 'a> {
    filters.iter().fold(source, |source, filter| match filter {
        Filter::Deflate => Box::new(ZlibDecoder::new(source)),
        Filter::Hex => Box::new(Ascii::new(source, Digits::Hex)),
        Filter::Base85 => Box::new(Ascii::new(source, Digits::Base85)),
    })
}

/// The stream whose keyword stands at `keyword`, if it is encoded and no image.
fn stream_at(bytes: &[u8], keyword: usize, end: usize) -> Option<Stream> {
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
    let filter = dictionary.windows(7).position(|window| window == b"/Filter")?;
    let filters = filters(dictionary.get(filter.checked_add(7)?..)?);
    let is_image = contains(dictionary, b"/Image") || contains(dictionary, b"/FontFile");
    if filters.is_empty() || is_image {
        return None;
    }
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b' ';
    let numbers = before.get(..object)?.rsplit(|byte| !digits(byte)).next()?;
    let number = numbers.trim_ascii().split(|&byte| byte == b' ').next()?;
    Some(Stream { number: crate::location::escape(number), start: end.checked_add(line_end)?, filters })
}

/// The filters that a dictionary names behind its key, one or an array.
fn filters(value: &[u8]) -> Vec<Filter> {
    let value = value.trim_ascii_start();
    let names = match value.strip_prefix(b"[") {
        Some(array) => array.split(|&byte| byte == b']').next().unwrap_or_default(),
        None => value
            .get(
                ..value
                    .iter()
                    .skip(1)
                    .position(|byte| b"/>".contains(byte))
                    .map_or(value.len(), |at| at.saturating_add(1)),
            )
            .unwrap_or_default(),
    };
    let names = names.split(|&byte| byte == b'/').skip(1).take(FILTERS_MAX).map(<[u8]>::trim_ascii);
    let known = names.map_while(|name| match name {
        b"FlateDecode" | b"Fl" => Some(Filter::Deflate),
        b"ASCIIHexDecode" | b"AHx" => Some(Filter::Hex),
        b"ASCII85Decode" | b"A85" => Some(Filter::Base85),
        _ => None,
    });
    known.collect()
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
