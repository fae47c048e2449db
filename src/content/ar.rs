//! Ar archives (static libraries, Debian packages) with GNU and BSD long names.

use super::tape::{Broken, Claim, NAME_MAX, Tape, ascii_number, padding};
use super::{Decoder, Form, Visit};
use crate::error::{Error, Result};
use std::io::Read;

const MAGIC: &[u8; 8] = b"!<arch>\n";

pub(super) const DECODER: Decoder =
    Decoder { name: "ar", probe: |head| head.starts_with(MAGIC), form: Form::Stream(decode) };

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut tape = Tape::new(content);
    tape.skip(8)?;
    match members(&mut tape, visit)? {
        Some(broken) => tape.give_up(broken, visit),
        None => Ok(()),
    }
}

fn members(tape: &mut Tape<'_>, visit: Visit<'_>) -> Result<Option<Broken>> {
    let mut header = [0; 60];
    let mut long_names = Vec::new();
    loop {
        let start = tape.at();
        if !tape.header(&mut header)? {
            return Ok(None);
        }
        let wrong = |found: &str| {
            let error = Error::corrupt(start, "ar header", "name, size and end mark", found);
            Ok(Some(Broken { error, taken: header.to_vec() }))
        };
        if !header.ends_with(b"`\n") {
            return wrong("another end mark");
        }
        let Some(size) = header.get(48..58).and_then(|field| ascii_number(field, 10)) else {
            return wrong("no size");
        };
        let name = header.get(..16).unwrap_or_default().trim_ascii_end();
        let pad = padding(size, 2);
        if name == b"//" && size <= NAME_MAX {
            long_names = tape.short_record(size)?;
            tape.skip(pad)?;
        } else if name == b"//" || name == b"/" || name == b"/SYM64/" {
            // A table of names that is too long to keep costs the long names, not the members. That table and the
            // one of symbols are handed on as well: they may be longer than what makes sense of them.
            tape.member(Claim::new(name, size, 2), visit)?;
        } else if let Some(digits) = name.strip_prefix(b"#1/") {
            let length = ascii_number(digits, 10).filter(|&length| length <= size.min(NAME_MAX));
            let Some(length) = length else { return wrong("no name length") };
            let name = tape.short_record(length)?;
            let size = size.saturating_sub(length);
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            tape.member(Claim { padding: pad, ..Claim::new(name, size, 2) }, visit)?;
        } else {
            tape.member(Claim::new(gnu_name(name, &long_names), size, 2), visit)?;
        }
    }
}

/// `name/`, or `/offset` into the table of long names.
fn gnu_name<'a>(name: &'a [u8], long_names: &'a [u8]) -> &'a [u8] {
    let long = name.strip_prefix(b"/").and_then(|digits| ascii_number(digits, 10)).and_then(|offset| {
        let rest = long_names.get(usize::try_from(offset).ok()?..)?;
        rest.split(|&byte| byte == b'\n').next()
    });
    let name = long.unwrap_or(name);
    name.strip_suffix(b"/").unwrap_or(name)
}
