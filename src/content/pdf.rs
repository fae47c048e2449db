//! PDF (ISO 32000-1): streams that were deflated, object streams among them, packed with LZW, or written in ASCII; with
//! predictors. All else lies in the file as it is.

use super::ascii::{Ascii, Form as Digits};
use super::claim::Refused;
use super::lzw::{Change, Lzw};
use super::predictor::{Predicted, Rows};
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
            // Often with an empty password, which opens it for reading.
            return Err(Error::new(
                Kind::Encrypted,
                "strings and streams are encrypted, with a password or an empty one",
            ));
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
                let source = source.take(stream.length);
                // What is wrong with one stream is said where it is read.
                let refused = |error| Box::new(Refused(Some(error))) as Box<dyn Read>;
                let mut decoded = filtered(Box::new(source), &stream.filters).unwrap_or_else(refused);
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
    Deflate(Rows),
    Lzw(Change, Rows),
    Hex,
    Base85,
}

/// Filters of one stream that are looked at.
const FILTERS_MAX: usize = 4;
/// Bytes of a stream packed with LZW whose length stands elsewhere: other filters say where they end.
const LZW_MAX: u64 = 64 << 20;

/// A stream that is worth decoding.
struct Stream {
    /// Number of its object.
    number: String,
    /// Where its data starts.
    start: usize,
    /// Bytes from there on in which it ends.
    length: u64,
    filters: Vec<Filter>,
}

/// # Errors
/// [`Kind::Unsupported`] for a predictor that the standard does not know, or rows that are too long.
fn filtered<'a>(source: Box<dyn Read + 'a>, filters: &[Filter]) -> Result<Box<dyn Read + 'a>> {
    filters.iter().try_fold(source, |source, filter| match *filter {
        Filter::Deflate(rows) => predicted(ZlibDecoder::new(source), rows),
        Filter::Lzw(change, rows) => predicted(Lzw::new(source, change), rows),
        Filter::Hex => Ok(Box::new(Ascii::new(source, Digits::Hex)) as Box<dyn Read>),
        Filter::Base85 => Ok(Box::new(Ascii::new(source, Digits::Base85)) as Box<dyn Read>),
    })
}

fn predicted<'a>(source: impl Read + 'a, rows: Rows) -> Result<Box<dyn Read + 'a>> {
    Ok(if rows.are_predicted() { Box::new(Predicted::new(source, rows)?) } else { Box::new(source) })
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
    let filters = filters(dictionary.get(filter.checked_add(7)?..)?, &parameters(dictionary));
    let is_image = contains(dictionary, b"/Image") || contains(dictionary, b"/FontFile");
    if filters.is_empty() || is_image {
        return None;
    }
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b' ';
    let numbers = before.get(..object)?.rsplit(|byte| !digits(byte)).next()?;
    let number = numbers.trim_ascii().split(|&byte| byte == b' ').next()?;
    let is_lzw = filters.iter().any(|filter| matches!(filter, Filter::Lzw(..)));
    let length = number_of(dictionary, b"/Length").map_or(LZW_MAX, u64::from);
    let length = if is_lzw { length } else { u64::MAX };
    let (number, start) = (crate::location::escape(number), end.checked_add(line_end)?);
    Some(Stream { number, start, length, filters })
}

/// What the dictionary says to each filter, in their order; nothing where it stands in another object.
fn parameters(dictionary: &[u8]) -> Vec<&[u8]> {
    let key = [&b"/DecodeParms"[..], b"/DP"].into_iter().find_map(|key| position(dictionary, key, key.len()));
    let mut rest = key.and_then(|at| dictionary.get(at..)).unwrap_or_default().trim_ascii_start();
    let is_array = rest.starts_with(b"[");
    rest = rest.strip_prefix(b"[").unwrap_or(rest);
    let mut all = Vec::new();
    while all.len() < FILTERS_MAX {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"null") {
            all.push(&b""[..]);
            rest = after;
        } else if rest.starts_with(b"<<") {
            let end = position(rest, b">>", 2).unwrap_or(rest.len());
            let (one, after) = rest.split_at(end);
            all.push(one);
            rest = after;
        } else {
            break;
        }
        if !is_array {
            break;
        }
    }
    all
}

/// The whole number behind a key; `None` where it stands in another object.
fn number_of(dictionary: &[u8], key: &[u8]) -> Option<u32> {
    let value = dictionary.get(position(dictionary, key, key.len())?..)?;
    // Another key may begin with this one.
    let value =
        Some(value).filter(|value| value.first().is_some_and(u8::is_ascii_whitespace))?.trim_ascii_start();
    let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    let (digits, after) = value.split_at(end);
    // The number of an object is followed by its generation.
    let is_reference = after.trim_ascii_start().first().is_some_and(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| !is_reference)
}

/// Where `word` stands, and `skip` bytes on.
fn position(bytes: &[u8], word: &[u8], skip: usize) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)?.checked_add(skip)
}

/// The rows that the parameters of a filter speak of.
fn rows(parameters: &[u8]) -> Rows {
    let usual = Rows::default();
    let number = |key: &[u8], usual| number_of(parameters, key).unwrap_or(usual);
    Rows {
        predictor: number(b"/Predictor", usual.predictor),
        colours: number(b"/Colors", usual.colours),
        bits: number(b"/BitsPerComponent", usual.bits),
        columns: number(b"/Columns", usual.columns),
    }
}

/// The filters that a dictionary names behind its key, one or an array, with their parameters.
fn filters(value: &[u8], parameters: &[&[u8]]) -> Vec<Filter> {
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
    let parameters = parameters.iter().copied().chain(std::iter::repeat(&b""[..]));
    let known = names.zip(parameters).map_while(|(name, parameters)| match name {
        b"FlateDecode" | b"Fl" => Some(Filter::Deflate(rows(parameters))),
        b"LZWDecode" | b"LZW" => {
            let is_late = number_of(parameters, b"/EarlyChange") == Some(0);
            Some(Filter::Lzw(if is_late { Change::Late } else { Change::Early }, rows(parameters)))
        }
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
