//! Maps of sparse members: those of the old GNU type, and formats 0.0, 0.1 and 1.0 (GNU tar manual, "Storing Sparse
//! Files"). Nothing is placed by them; they say how much a member claims to store.

use super::{BLOCK, RECORD_MAX, number};
use crate::content::tape::{Tape, ascii_number};
use crate::content::to_u64;
use crate::error::{Error, Kind, Result};

/// Digits of the largest number and the line's end.
const LINE_MAX: usize = 21;

/// What the map of a member adds up to.
#[derive(Default)]
pub(super) struct Map {
    /// Pieces that it says it has.
    wanted: Option<u64>,
    /// Pieces that it has.
    count: u64,
    /// Bytes of all pieces.
    sum: u64,
    /// Whether it stands before the data.
    pub(super) is_in_data: bool,
    /// Whether a number in it is none.
    is_wrong: bool,
    /// Whether it goes on where it cannot be read.
    is_cut: bool,
}

impl Map {
    /// Takes one record of a pax header.
    pub(super) fn record(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"GNU.sparse.major" => self.is_in_data = value == b"1",
            b"GNU.sparse.numblocks" => self.wanted = ascii_number(value, 10),
            b"GNU.sparse.numbytes" => self.piece(ascii_number(value, 10)),
            // Offsets and lengths in turn.
            b"GNU.sparse.map" => {
                let lengths = value.split(|&byte| byte == b',').skip(1).step_by(2);
                lengths.for_each(|length| self.piece(ascii_number(length, 10)));
            }
            _ => {}
        }
    }

    fn piece(&mut self, length: Option<u64>) {
        self.is_wrong |= length.is_none();
        self.sum = self.sum.saturating_add(length.unwrap_or(0));
        self.count = self.count.saturating_add(1);
    }

    /// What is wrong with the map of a member that stores `stored` bytes.
    pub(super) fn trouble(&self, stored: u64) -> Option<Error> {
        let error = |kind, message| Some(Error::new(kind, format!("sparse map: {message}")));
        let count = self.count;
        match self.wanted {
            _ if self.is_wrong => error(Kind::Corrupt, "expected a number, found none".to_owned()),
            _ if self.is_cut => error(Kind::Truncated, format!("no end behind {count} pieces")),
            Some(wanted) if wanted != count => {
                error(Kind::Truncated, format!("{wanted} pieces wanted, {count} there"))
            }
            _ if self.sum > stored => {
                error(Kind::Truncated, format!("{} bytes wanted, the member stores {stored}", self.sum))
            }
            _ => None,
        }
    }

    /// Reads the map of the old GNU type: in the header and in blocks that go on behind it. Returns those.
    pub(super) fn read_blocks(&mut self, tape: &mut Tape<'_>, header: &[u8]) -> Result<Vec<u8>> {
        let has_more = |block: &[u8], at: usize| block.get(at).is_some_and(|&flag| flag != 0);
        self.entries(header.get(386..482));
        let mut more = has_more(header, 482);
        let mut bytes = Vec::new();
        while more {
            let from = bytes.len();
            if to_u64(from) >= RECORD_MAX || tape.append(BLOCK, &mut bytes)? < BLOCK {
                self.is_cut = true;
                break;
            }
            let block = bytes.get(from..).unwrap_or_default();
            self.entries(block.get(..504));
            more = has_more(block, 504);
        }
        Ok(bytes)
    }

    /// Offsets and lengths, twelve bytes each, up to the first that is empty.
    fn entries(&mut self, bytes: Option<&[u8]>) {
        let entries = bytes.unwrap_or_default().as_chunks::<24>().0;
        for entry in entries.iter().take_while(|entry| !matches!(entry, [0, ..])) {
            self.piece(number(entry.get(12..).unwrap_or_default()));
        }
    }

    /// Reads the map of format 1.0, which stands before the data in a member of `stored` bytes: decimal numbers on
    /// lines of their own, the number of pieces, then the offset and length of each; padded to a block. Returns it.
    pub(super) fn read_data(&mut self, tape: &mut Tape<'_>, stored: u64) -> Result<Vec<u8>> {
        let (mut bytes, mut next) = (Vec::new(), 0_usize);
        for index in 0_u64.. {
            let line = loop {
                let rest = bytes.get(next..).unwrap_or_default();
                let end = rest.iter().take(LINE_MAX).position(|&byte| byte == b'\n');
                if end.is_some() || rest.len() >= LINE_MAX {
                    break end.and_then(|end| rest.get(..end));
                }
                let room = stored.min(RECORD_MAX).saturating_sub(to_u64(bytes.len()));
                if tape.append(room.min(BLOCK), &mut bytes)? == 0 {
                    self.is_cut = self.wanted.is_none();
                    return Ok(bytes);
                }
            };
            let number = line.and_then(|line| ascii_number(line, 10));
            next = next.saturating_add(line.map_or(0, <[u8]>::len)).saturating_add(1);
            match number {
                None => self.is_wrong = true,
                Some(count) if index == 0 => self.wanted = Some(count),
                length if index % 2 == 0 => self.piece(length),
                _ => {}
            }
            if number.is_none() || self.wanted.is_none_or(|wanted| index / 2 >= wanted && index % 2 == 0) {
                break;
            }
        }
        Ok(bytes)
    }
}
