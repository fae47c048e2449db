//! Members put together out of parts of their container: read in order, or built as text.

use super::{Member, Piece, Visit, to_u64, to_usize};
use crate::error::Result;
use crate::io::ReadAt;
use std::io::Read;

/// Bytes of text that one member may have.
const TEXT_MAX: usize = 4 << 20;

/// Pieces in the order in which they make a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces(Vec<Piece>);

impl Pieces {
    /// Adds bytes of the container as they are.
    pub(super) fn push(&mut self, source: u64, length: u64) {
        if length > 0 {
            let at = self.length();
            self.0.push(Piece { at, length, source, width: 1 });
        }
    }

    /// Length of the member.
    pub(super) fn length(&self) -> u64 {
        self.0.last().map_or(0, |last| last.at.saturating_add(last.length))
    }

    /// Number of pieces.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The pieces of `length` bytes from `from` on, clipped at the end.
    pub(super) fn part(&self, from: u64, length: u64) -> Self {
        let (mut part, end) = (Self::default(), from.saturating_add(length));
        let first = self.0.partition_point(|piece| piece.at.saturating_add(piece.length) <= from);
        for piece in self.0.get(first..).unwrap_or_default().iter().take_while(|piece| piece.at < end) {
            let skipped = from.saturating_sub(piece.at);
            let until = piece.at.saturating_add(piece.length).min(end);
            let start = piece.at.saturating_add(skipped);
            part.push(piece.source.saturating_add(skipped), until.saturating_sub(start));
        }
        part
    }

    /// The first `most` bytes of the member.
    pub(super) fn head(&self, content: &dyn ReadAt, most: usize) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut reader = Gather { content, pieces: &self.0, within: 0 }.take(to_u64(most));
        reader.read_to_end(&mut head).map_err(super::decode_error)?;
        Ok(head)
    }

    /// Hands the member on.
    pub(super) fn visit(&self, content: &dyn ReadAt, name: &str, visit: Visit<'_>) -> Result<()> {
        let mut reader = Gather { content, pieces: &self.0, within: 0 };
        visit(Member { name: name.as_bytes(), stored: None, pieces: &self.0, content: &mut reader })
    }
}

/// Reads pieces one after the other.
struct Gather<'a> {
    content: &'a dyn ReadAt,
    pieces: &'a [Piece],
    /// Bytes of the first piece that were read.
    within: u64,
}

impl Read for Gather<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while let Some(piece) = self.pieces.first() {
            let left = piece.length.saturating_sub(self.within);
            if left == 0 {
                self.pieces = self.pieces.get(1..).unwrap_or_default();
                self.within = 0;
                continue;
            }
            let room = buffer.len().saturating_sub(filled);
            let length = room.min(to_usize(left));
            let Some(part) = buffer.get_mut(filled..filled.saturating_add(length)) else { break };
            if part.is_empty() {
                break;
            }
            let at = piece.source.saturating_add(self.within);
            if let Err(error) = self.content.read_at(at, part) {
                // What was read before counts; the error comes again with the next call.
                return if filled > 0 { Ok(filled) } else { Err(std::io::Error::other(error)) };
            }
            filled = filled.saturating_add(length);
            self.within = self.within.saturating_add(to_u64(length));
        }
        Ok(filled)
    }
}

/// A member built as text of one byte a character, which knows where in the container its parts lie.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Text {
    /// Adds text that is not in the container in this form.
    pub(super) fn word(&mut self, text: &str) {
        if self.bytes.len() < TEXT_MAX {
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Adds bytes that lie at `source` as they are.
    pub(super) fn narrow(&mut self, source: u64, bytes: &[u8]) {
        if self.bytes.len().saturating_add(bytes.len()) <= TEXT_MAX {
            self.piece(source, bytes.len(), 1);
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Adds little-endian UTF-16 that lies at `source`, a byte for each code unit: its value below 256, else
    /// 0xFF, which no rule's text holds. NUL, which parts strings, becomes a line break.
    pub(super) fn wide(&mut self, source: u64, bytes: &[u8]) {
        let (units, _) = bytes.as_chunks::<2>();
        if self.bytes.len().saturating_add(units.len()) <= TEXT_MAX {
            self.piece(source, units.len(), 2);
            self.bytes.extend(units.iter().map(|&unit| match u16::from_le_bytes(unit) {
                0 => b'\n',
                code => u8::try_from(code).unwrap_or(0xff),
            }));
        }
    }

    /// Adds another text.
    pub(super) fn append(&mut self, other: &Self) {
        if self.bytes.len().saturating_add(other.bytes.len()) <= TEXT_MAX {
            let base = to_u64(self.bytes.len());
            let moved =
                other.pieces.iter().map(|piece| Piece { at: piece.at.saturating_add(base), ..*piece });
            self.pieces.extend(moved);
            self.bytes.extend_from_slice(&other.bytes);
        }
    }

    fn piece(&mut self, source: u64, length: usize, width: u64) {
        if length > 0 {
            self.pieces.push(Piece { at: to_u64(self.bytes.len()), length: to_u64(length), source, width });
        }
    }

    /// Hands the member on, unless it is empty.
    pub(super) fn visit(&self, name: &str, visit: Visit<'_>) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let mut reader = self.bytes.as_slice();
        visit(Member { name: name.as_bytes(), stored: None, pieces: &self.pieces, content: &mut reader })
    }
}
