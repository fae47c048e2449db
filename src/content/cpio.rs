//! Cpio archives in the "new ASCII" form (`070701`, `070702`), as initial RAM disks are made of them: several
//! one after the other, the last ones often compressed (Linux, `buffer-format.rst`).

use super::tape::{Broken, Claim, NAME_MAX, Tape, ascii_number, padding};
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
    if let Some(broken) = archive(&mut tape, visit)? {
        return tape.give_up(broken, visit);
    }
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
fn archive(tape: &mut Tape<'_>, visit: Visit<'_>) -> Result<Option<Broken>> {
    const MODE: usize = 1;
    const SIZE: usize = 6;
    const NAME_SIZE: usize = 11;
    const KIND: u64 = 0o170_000;
    const SYMBOLIC_LINK: u64 = 0o120_000;
    let mut header = [0; 110];
    loop {
        let start = tape.at();
        if !tape.header(&mut header)? {
            return Ok(None);
        }
        if !starts(&header) {
            let error = Error::corrupt(start, "cpio header", "070701", "another magic");
            return Ok(Some(Broken { error, taken: header.to_vec() }));
        }
        let field = |index: usize| {
            let from = index.saturating_mul(8).saturating_add(6);
            header.get(from..from.saturating_add(8)).and_then(|digits| ascii_number(digits, 16))
        };
        let (Some(mode), Some(size), Some(name_size)) = (field(MODE), field(SIZE), field(NAME_SIZE)) else {
            let error = Error::corrupt(start, "cpio header", "hexadecimal digits", "others");
            // Without the header: with it, what is left would look like this archive again.
            return Ok(Some(Broken { error, taken: Vec::new() }));
        };
        if name_size > NAME_MAX {
            let found = format!("{name_size} bytes");
            let error = Error::corrupt(start, "cpio name", format!("at most {NAME_MAX} bytes"), found);
            return Ok(Some(Broken { error, taken: Vec::new() }));
        }
        let mut name = tape.short_record(name_size)?;
        tape.skip(padding(tape.at().saturating_sub(start), 4))?;
        while name.last() == Some(&0) {
            name.pop();
        }
        if name == b"TRAILER!!!" {
            return Ok(None);
        }
        // Directories and devices have no content; what claims to have some may be more than it says.
        let is_link = mode & KIND == SYMBOLIC_LINK && size <= NAME_MAX;
        if size > 0 && !is_link {
            tape.member(Claim::new(&name, size, 4), visit)?;
        } else {
            tape.pass("target of a link", size, padding(size, 4))?;
        }
    }
}
