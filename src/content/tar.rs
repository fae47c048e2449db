//! Tar archives: POSIX ustar and pax (IEEE Std 1003.1, pax Interchange Format) and GNU tar.
//!
//! Sparse members are handed on as they are stored, without their holes.

use super::tape::{Tape, ascii_number, padding};
use super::{Decoder, Form, Visit};
use crate::error::{Error, Result};
use std::io::Read;

const BLOCK: u64 = 512;

pub(super) const DECODER: Decoder = Decoder { name: "tar", probe, form: Form::Stream(decode) };

fn probe(head: &[u8]) -> bool {
    head.get(257..262).is_some_and(|magic| magic == b"ustar") && checksum_fits(head)
}

/// What headers before a member say of it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut tape = Tape::new(content);
    let mut header = [0; 512];
    let mut ahead = Ahead::default();
    loop {
        let start = tape.at();
        // Blocks of zeros end an archive; another may follow, as `cat` and `tar -A` leave them.
        if !tape.header(&mut header)? {
            return Ok(());
        }
        if header.iter().all(|&byte| byte == 0) {
            continue;
        }
        if !checksum_fits(&header) {
            return Err(Error::corrupt(start, "tar header", "a checksum that fits", "another"));
        }
        let size = number(header.get(124..136).unwrap_or_default())
            .ok_or_else(|| Error::corrupt(start, "tar header", "a size", "no number"))?;
        match header.get(156) {
            Some(b'L') => ahead.name = Some(until_nul(&record(&mut tape, size)?).to_vec()),
            Some(b'x') => pax(&record(&mut tape, size)?, &mut ahead),
            Some(kind) => {
                let ahead = std::mem::take(&mut ahead);
                let size = ahead.size.unwrap_or(size);
                let name = ahead.name.unwrap_or_else(|| name(&header));
                if *kind == b'S' {
                    sparse_tables(&mut tape, &header)?;
                }
                // Links and devices have no content, whatever size they claim.
                match kind {
                    b'0' | 0 | b'7' | b'S' => tape.member(&name, size, padding(size, BLOCK), visit)?,
                    b'1'..=b'6' => {}
                    _ => drop(tape.skip(size.saturating_add(padding(size, BLOCK)))?),
                }
            }
            None => return Ok(()),
        }
    }
}

fn record(tape: &mut Tape<'_>, size: u64) -> Result<Vec<u8>> {
    let record = tape.short_record(size)?;
    tape.skip(padding(size, BLOCK))?;
    Ok(record)
}

/// GNU sparse maps that go on in blocks of their own before the content.
fn sparse_tables(tape: &mut Tape<'_>, header: &[u8]) -> Result<()> {
    let mut more = header.get(482).is_some_and(|&flag| flag != 0);
    let mut block = [0; 512];
    while more && tape.header(&mut block)? {
        more = block.get(504).is_some_and(|&flag| flag != 0);
    }
    Ok(())
}

/// Takes name and size out of a pax extended header: records of `length key=value\n`.
fn pax(record: &[u8], ahead: &mut Ahead) {
    let mut rest = record;
    while let Some(space) = rest.iter().position(|&byte| byte == b' ') {
        let length = rest.get(..space).and_then(|digits| ascii_number(digits, 10));
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let Some(pair) = rest.get(space.saturating_add(1)..length.saturating_sub(1)) else { return };
        let mut parts = pair.splitn(2, |&byte| byte == b'=');
        match (parts.next(), parts.next()) {
            (Some(b"path" | b"GNU.sparse.name"), Some(value)) => ahead.name = Some(value.to_vec()),
            (Some(b"size"), Some(value)) => ahead.size = ascii_number(value, 10),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
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
