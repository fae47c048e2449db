//! Archives read from front to back: headers, members as they are, padding.

use super::{Member, Visit, decode_error};
use crate::error::{Error, Kind, Result};
use std::io::Read;

/// Longest name or header record that is kept.
pub(super) const NAME_MAX: u64 = 64 << 10;

/// An archive and the offset reached in it.
pub(super) struct Tape<'a> {
    content: &'a mut dyn Read,
    at: u64,
}

impl<'a> Tape<'a> {
    pub(super) fn new(content: &'a mut dyn Read) -> Self {
        Self { content, at: 0 }
    }

    /// Bytes taken so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Fills a header; `false` at the end of the archive.
    pub(super) fn header(&mut self, header: &mut [u8]) -> Result<bool> {
        let wanted = u64::try_from(header.len()).unwrap_or(u64::MAX);
        let mut filled = 0;
        while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.content.read(rest).map_err(decode_error)? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(self.short("header", wanted)),
                got => filled = filled.saturating_add(got),
            }
        }
        self.at = self.at.saturating_add(wanted);
        Ok(true)
    }

    /// Reads a name or record of `length` bytes, which must be small.
    pub(super) fn short_record(&mut self, length: u64) -> Result<Vec<u8>> {
        if length > NAME_MAX {
            let found = format!("{length} bytes");
            return Err(Error::corrupt(self.at, "name", format!("at most {NAME_MAX} bytes"), found));
        }
        let mut bytes = Vec::new();
        (&mut *self.content).take(length).read_to_end(&mut bytes).map_err(decode_error)?;
        let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if got < length {
            return Err(self.short("name", length));
        }
        self.at = self.at.saturating_add(got);
        Ok(bytes)
    }

    /// Passes over `length` bytes; the end of the archive may come first.
    pub(super) fn skip(&mut self, length: u64) -> Result<u64> {
        let skipped = std::io::copy(&mut (&mut *self.content).take(length), &mut std::io::sink());
        let skipped = skipped.map_err(decode_error)?;
        self.at = self.at.saturating_add(skipped);
        Ok(skipped)
    }

    /// Hands on the next `length` bytes as a member, then passes over what was not read and the padding.
    pub(super) fn member(&mut self, name: &[u8], length: u64, padding: u64, visit: Visit<'_>) -> Result<()> {
        let start = self.at;
        let mut part = (&mut *self.content).take(length);
        visit(Member { name, stored: Some(start), pieces: &[], content: &mut part })?;
        let read = length.saturating_sub(part.limit());
        self.at = start.saturating_add(read);
        let rest = length.saturating_sub(read);
        if self.skip(rest)? < rest {
            return Err(self.short("member", length));
        }
        self.skip(padding).map(drop)
    }

    /// The rest of the archive.
    pub(super) fn rest(self) -> &'a mut dyn Read {
        self.content
    }

    fn short(&self, what: &str, wanted: u64) -> Error {
        Error::new(Kind::Truncated, format!("{what}: {wanted} bytes wanted, the archive ends first"))
            .at(self.at)
    }
}

/// How far it is from `length` to the next multiple of `unit`.
pub(super) fn padding(length: u64, unit: u64) -> u64 {
    length.checked_rem(unit).map_or(0, |over| if over == 0 { 0 } else { unit.saturating_sub(over) })
}

/// A number in ASCII digits of `radix`, with spaces and NUL around it.
pub(super) fn ascii_number(field: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|c: char| c == ' ' || c == '\0');
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, radix).ok() }
}
