//! RPM packages (RPM file format 3 and 4): the payload behind the two headers, an archive in some compressed
//! form. The headers, scripts in them included, lie in the file as they are.

use super::tape::{Tape, padding};
use super::{Decoder, Form, Member, Visit};
use crate::error::{Error, Result};
use std::io::Read;

/// The lead, which names the package.
const LEAD: u64 = 96;
/// Bytes of one header that are passed over at most, as rpm itself has it.
const HEADER_MAX: u64 = 256 << 20;

pub(super) const DECODER: Decoder = Decoder {
    name: "rpm",
    probe: |head| head.starts_with(&[0xed, 0xab, 0xee, 0xdb]),
    form: Form::Stream(decode),
};

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut tape = Tape::new(content);
    tape.pass("lead", LEAD, 0)?;
    // The signatures are padded to a multiple of 8, the header proper is not.
    let signatures = header(&mut tape)?;
    tape.skip(padding(signatures, 8))?;
    header(&mut tape)?;
    let at = tape.at();
    visit(Member { name: b"", stored: Some(at), pieces: &[], content: tape.rest() })
}

/// Passes over a header; returns its length.
fn header(tape: &mut Tape<'_>) -> Result<u64> {
    let start = tape.at();
    let mut intro = [0; 16];
    let wrong = |expected: &str| Error::corrupt(start, "rpm header", expected, "something else");
    if !tape.header(&mut intro)? || !intro.starts_with(&[0x8e, 0xad, 0xe8, 1]) {
        return Err(wrong("the magic 8eade801"));
    }
    let number = |at: usize| {
        let field = intro.get(at..).and_then(|rest| rest.first_chunk());
        field.map_or(0, |field| u64::from(u32::from_be_bytes(*field)))
    };
    let length = number(8).saturating_mul(16).saturating_add(number(12));
    if length > HEADER_MAX {
        return Err(wrong("at most 256 MiB"));
    }
    tape.pass("header", length, 0)?;
    Ok(length.saturating_add(16))
}
