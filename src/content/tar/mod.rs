//! Tar archives: POSIX ustar and pax (IEEE Std 1003.1, pax Interchange Format) and GNU tar.
//!
//! Sparse members are handed on as they are stored, without their holes.

mod sparse;

use super::tape::{Broken, Claim, NAME_MAX, Tape, ascii_number, padding};
use super::{Decoder, Form, Visit, to_u64};
use crate::error::{Error, Kind, Result};
use crate::io::is_zero;
use sparse::Map;
use std::io::Read;

const BLOCK: u64 = 512;
/// Longest pax header or sparse map that is kept: a map takes up to 70 bytes for each piece.
const RECORD_MAX: u64 = 16 << 20;

pub(super) const DECODER: Decoder = Decoder { name: "tar", probe, form: Form::Stream(decode) };

/// Archives of the seventh edition have no magic, nor do labels and parts of files that GNU tar starts a volume with.
fn probe(head: &[u8]) -> bool {
    let has_name = head.first().is_some_and(|&byte| byte != 0);
    let is_known = |magic: &[u8]| magic == b"ustar" || has_name && is_zero(magic);
    head.get(257..262).is_some_and(is_known) && checksum_fits(head)
}

/// What headers before a member say of it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    map: Map,
    /// What is wrong with them, so that the member may be more than what they say.
    trouble: Option<Error>,
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut tape = Tape::new(content);
    match members(&mut tape, visit)? {
        Some(broken) => tape.give_up(broken, visit),
        None => Ok(()),
    }
}

fn members(tape: &mut Tape<'_>, visit: Visit<'_>) -> Result<Option<Broken>> {
    let mut header = [0; 512];
    let mut ahead = Ahead::default();
    loop {
        let start = tape.at();
        // Blocks of zeros end an archive; another may follow, as `cat` and `tar -A` leave them.
        if !tape.header(&mut header)? {
            return Ok(None);
        }
        if header.iter().all(|&byte| byte == 0) {
            continue;
        }
        if !checksum_fits(&header) {
            let error = Error::corrupt(start, "tar header", "a checksum that fits", "another");
            return Ok(Some(Broken { error, taken: header.to_vec() }));
        }
        let Some(size) = number(header.get(124..136).unwrap_or_default()) else {
            let error = Error::corrupt(start, "tar header", "a size", "no number");
            return Ok(Some(Broken { error, taken: Vec::new() }));
        };
        match kind(&header) {
            b'L' if size <= NAME_MAX => ahead.name = Some(until_nul(&record(tape, size)?).to_vec()),
            b'x' if size <= RECORD_MAX => ahead.read_pax(&record(tape, size)?, start),
            // Names of links, and what holds for all members.
            b'K' | b'g' if size <= NAME_MAX => tape.pass("header", size, padding(size, BLOCK))?,
            b'L' | b'x' => {
                let message = format!("a header of {size} bytes in front of it");
                ahead.trouble = Some(Error::new(Kind::LimitExceeded, message).at(start));
                tape.member(Claim::new(&name(&header), size, BLOCK), visit)?;
            }
            // Links and devices have no content, whatever size they claim.
            b'1'..=b'6' => ahead = Ahead::default(),
            _ => member(tape, &header, size, std::mem::take(&mut ahead), visit)?,
        }
    }
}

/// The type of what is behind a header.
fn kind(header: &[u8; 512]) -> u8 {
    header.get(156).copied().unwrap_or(0)
}

/// Hands on the member behind its header. What is of no known type is content as well.
fn member(tape: &mut Tape<'_>, header: &[u8; 512], size: u64, ahead: Ahead, visit: Visit<'_>) -> Result<()> {
    let Ahead { name: long_name, size: long_size, mut map, trouble } = ahead;
    let name = long_name.unwrap_or_else(|| name(header));
    let stored = long_size.unwrap_or(size);
    let kind = kind(header);
    let (taken, length) = if kind == b'S' {
        let blocks = map.read_blocks(tape, header)?;
        let length = stored.saturating_add(to_u64(blocks.len()));
        (blocks, length)
    } else if map.is_in_data {
        (map.read_data(tape, stored)?, stored)
    } else {
        (Vec::new(), stored)
    };
    let data = length.saturating_sub(to_u64(taken.len()));
    let claim = Claim { padding: padding(stored, BLOCK), ..Claim::new(&name, data, BLOCK) };
    let claim = match map.trouble(data) {
        None => Claim { trouble, ..claim },
        // What is taken for a map may be content.
        wrong => Claim { length, taken, trouble: trouble.or(wrong), ..claim },
    };
    let is_regular = matches!(kind, b'0' | 0 | b'7' | b'S');
    if is_regular || claim.length > 0 { tape.member(claim, visit) } else { Ok(()) }
}

fn record(tape: &mut Tape<'_>, size: u64) -> Result<Vec<u8>> {
    let mut record = Vec::new();
    if tape.append(size, &mut record)? < size {
        return Err(tape.short("header", size));
    }
    tape.skip(padding(size, BLOCK))?;
    Ok(record)
}

impl Ahead {
    /// Takes what it needs out of a pax extended header: records of `length key=value\n`.
    fn read_pax(&mut self, mut rest: &[u8], at: u64) {
        let mut wrong = |expected, found| {
            self.trouble.get_or_insert_with(|| Error::corrupt(at, "pax header", expected, found));
        };
        while rest.iter().any(|&byte| byte != 0) {
            let Some((key, value, next)) = pax_record(rest) else {
                return wrong("a record within it", "another length");
            };
            match key {
                b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
                b"size" => {
                    self.size = ascii_number(value, 10);
                    if self.size.is_none() {
                        wrong("a size", "no number");
                    }
                }
                _ => self.map.record(key, value),
            }
            rest = next;
        }
    }
}

/// Key and value of the first record, and what follows it.
fn pax_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const DIGITS_MAX: usize = 20;
    let space = bytes.iter().take(DIGITS_MAX).position(|&byte| byte == b' ')?;
    let length = usize::try_from(ascii_number(bytes.get(..space)?, 10)?).ok()?;
    let record = bytes.get(space.checked_add(1)?..length.checked_sub(1)?)?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals.checked_add(1)?..)?, bytes.get(length..)?))
}

fn name(header: &[u8]) -> Vec<u8> {
    let name = until_nul(header.get(..100).unwrap_or_default());
    let is_posix = header.get(257..263).is_some_and(|magic| magic == b"ustar\0");
    let prefix = header.get(345..500).filter(|_| is_posix).map(until_nul).unwrap_or_default();
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// An octal number, or a binary one as GNU tar writes for what octal cannot hold.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, rest)) => {
            let (high, low) = rest.split_last_chunk::<8>()?;
            high.iter().all(|&byte| byte == 0).then_some(u64::from_be_bytes(*low))
        }
        _ => ascii_number(field, 8),
    }
}

/// Whether the header's sum is the one that it states, its own field taken as spaces.
fn checksum_fits(header: &[u8]) -> bool {
    let Some(header) = header.get(..512) else { return false };
    let sum = header
        .iter()
        .enumerate()
        .map(|(at, &byte)| u64::from(if (148..156).contains(&at) { b' ' } else { byte }));
    header.get(148..156).and_then(|field| ascii_number(field, 8)) == Some(sum.sum())
}
