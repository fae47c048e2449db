//! Cpio archives in the "new ASCII" form (`070701`, `070702`), as initial RAM disks are made of them: several
//! one after the other, the last ones often compressed (Linux, `buffer-format.rst`).

use super::tape::{Tape, ascii_number, padding};
use super::{Decoder, Form, Member, Visit, peek::Peek};
use crate::error::{Error, Result};
use std::io::Read;

pub(super) const DECODER: Decoder = Decoder { name: "cpio", probe: starts, form: Form::Stream(decode) };

fn starts(head: &[u8]) -> bool {
    head.starts_with(b"070701") || head.starts_with(b"070702")
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut source = Peek::new(content);
    let mut tape = Tape::new(&mut source);
    archive(&mut tape, visit)?;
    // Zeros up to any border, then perhaps the next archive in whatever form: it is looked at as a member.
    let mut at = tape.at();
    let mut rest = Peek::new(tape.rest());
    let mut zero = [0];
    loop {
        match rest.peek(1).map_err(super::decode_error)? {
            [] => return Ok(()),
            [0] => {
                rest.read(&mut zero).map_err(super::decode_error)?;
                at = at.saturating_add(1);
            }
            _ => return visit(Member { name: b"", stored: Some(at), pieces: &[], content: &mut rest }),
        }
    }
}

/// One archive up to its trailer.
fn archive(tape: &mut Tape<'_>, visit: Visit<'_>) -> Result<()> {
    const MODE: usize = 1;
    const SIZE: usize = 6;
    const NAME_SIZE: usize = 11;
    const KIND: u64 = 0o170_000;
    const REGULAR: u64 = 0o100_000;
    let mut header = [0; 110];
    loop {
        let start = tape.at();
        if !tape.header(&mut header)? {
            return Ok(());
        }
        if !starts(&header) {
            return Err(Error::corrupt(start, "cpio header", "070701", "another magic"));
        }
        let field = |index: usize| {
            let from = index.saturating_mul(8).saturating_add(6);
            let digits = header.get(from..from.saturating_add(8));
            digits
                .and_then(|digits| ascii_number(digits, 16))
                .ok_or_else(|| Error::corrupt(start, "cpio header", "hexadecimal digits", "others"))
        };
        let (mode, size, name_size) = (field(MODE)?, field(SIZE)?, field(NAME_SIZE)?);
        let mut name = tape.short_record(name_size)?;
        tape.skip(padding(tape.at().saturating_sub(start), 4))?;
        while name.last() == Some(&0) {
            name.pop();
        }
        if name == b"TRAILER!!!" {
            return Ok(());
        }
        if mode & KIND == REGULAR && size > 0 {
            tape.member(&name, size, padding(size, 4), visit)?;
        } else {
            tape.skip(size.saturating_add(padding(size, 4)))?;
        }
    }
}
