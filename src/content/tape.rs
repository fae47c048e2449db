//! Archives read from front to back: headers, members as they are, padding.

use super::claim::Refused;
use super::{Member, Visit, decode_error, to_u64};
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
        let wanted = to_u64(header.len());
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
        if self.append(length, &mut bytes)? < length {
            return Err(self.short("name", length));
        }
        Ok(bytes)
    }

    /// Appends up to `length` bytes, fewer at the end of the archive; returns how many.
    pub(super) fn append(&mut self, length: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        let got = (&mut *self.content).take(length).read_to_end(bytes).map_err(decode_error)?;
        self.at = self.at.saturating_add(to_u64(got));
        Ok(to_u64(got))
    }

    /// Passes over `length` bytes; the end of the archive may come first.
    pub(super) fn skip(&mut self, length: u64) -> Result<u64> {
        let skipped = std::io::copy(&mut (&mut *self.content).take(length), &mut std::io::sink());
        let skipped = skipped.map_err(decode_error)?;
        self.at = self.at.saturating_add(skipped);
        Ok(skipped)
    }

    /// Passes over `what`, which is `length` bytes long, and the padding.
    ///
    /// # Errors
    /// Where the archive ends within it.
    pub(super) fn pass(&mut self, what: &str, length: u64, padding: u64) -> Result<()> {
        if self.skip(length)? < length {
            return Err(self.short(what, length));
        }
        self.skip(padding).map(drop)
    }

    /// Hands on a member, then passes over what was not read of it and the padding.
    pub(super) fn member(&mut self, claim: Claim<'_>, visit: Visit<'_>) -> Result<()> {
        let Claim { name, length, padding, taken, trouble } = claim;
        let had = to_u64(taken.len());
        let mut part = (&mut *self.content).take(length.saturating_sub(had));
        let mut content = taken.as_slice().chain(&mut part).chain(Refused(trouble));
        let stored = self.at.checked_sub(had);
        visit(Member { name, stored, pieces: &[], content: &mut content })?;
        let rest = part.limit();
        self.at = self.at.saturating_add(length.saturating_sub(had).saturating_sub(rest));
        if self.skip(rest)? < rest {
            return Err(self.short("member", length));
        }
        self.skip(padding).map(drop)
    }

    /// Hands on what is left behind `taken`, which is no header: nothing says any more what it is.
    pub(super) fn give_up(self, Broken { error, taken }: Broken, visit: Visit<'_>) -> Result<()> {
        let stored = self.at.checked_sub(to_u64(taken.len()));
        let mut content = taken.as_slice().chain(self.content);
        visit(Member { name: b"", stored, pieces: &[], content: &mut content })?;
        Err(error)
    }

    /// The rest of the archive.
    pub(super) fn rest(self) -> &'a mut dyn Read {
        self.content
    }

    pub(super) fn short(&self, what: &str, wanted: u64) -> Error {
        Error::new(Kind::Truncated, format!("{what}: {wanted} bytes wanted, the archive ends first"))
            .at(self.at)
    }
}

/// Why an archive cannot be followed any further.
pub(super) struct Broken {
    pub(super) error: Error,
    /// Bytes read already that are no header.
    pub(super) taken: Vec<u8>,
}

/// A member as its headers have it.
pub(super) struct Claim<'a> {
    pub(super) name: &'a [u8],
    pub(super) length: u64,
    /// Bytes between its end and the next header.
    pub(super) padding: u64,
    /// The first bytes of it, where they were read already.
    pub(super) taken: Vec<u8>,
    /// What is wrong with it: told behind the bytes that are there.
    pub(super) trouble: Option<Error>,
}

impl<'a> Claim<'a> {
    /// A member that is padded to a multiple of `unit`.
    pub(super) fn new(name: &'a [u8], length: u64, unit: u64) -> Self {
        Self { name, length, padding: padding(length, unit), taken: Vec::new(), trouble: None }
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
