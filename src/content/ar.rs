//! Ar archives (static libraries, Debian packages) with GNU and BSD long names.

use super::tape::{Tape, ascii_number, padding};
use super::{Decoder, Form, Visit};
use crate::error::{Error, Result};
use std::io::Read;

const MAGIC: &[u8; 8] = b"!<arch>\n";

pub(super) const DECODER: Decoder =
    Decoder { name: "ar", probe: |head| head.starts_with(MAGIC), form: Form::Stream(decode) };

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut tape = Tape::new(content);
    tape.skip(8)?;
    let mut header = [0; 60];
    let mut long_names = Vec::new();
    loop {
        let start = tape.at();
        if !tape.header(&mut header)? {
            return Ok(());
        }
        let wrong = |found: &str| Error::corrupt(start, "ar header", "name, size and end mark", found);
        if !header.ends_with(b"`\n") {
            return Err(wrong("another end mark"));
        }
        let field = header.get(48..58).unwrap_or_default();
        let size = ascii_number(field, 10).ok_or_else(|| wrong("no size"))?;
        let name = header.get(..16).unwrap_or_default().trim_ascii_end();
        let pad = padding(size, 2);
        if name == b"//" {
            // A table that is too long to keep costs the long names, not the members.
            long_names = if size <= super::tape::NAME_MAX { tape.short_record(size)? } else { Vec::new() };
            let rest = if long_names.is_empty() { size } else { 0 };
            tape.skip(rest.saturating_add(pad))?;
        } else if name == b"/" || name == b"/SYM64/" {
            // The symbol table.
            tape.skip(size.saturating_add(pad))?;
        } else if let Some(digits) = name.strip_prefix(b"#1/") {
            let length = ascii_number(digits, 10).filter(|&length| length <= size);
            let name = tape.short_record(length.ok_or_else(|| wrong("no name length"))?)?;
            let size = size.saturating_sub(length.unwrap_or(0));
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            tape.member(name, size, pad, visit)?;
        } else {
            tape.member(gnu_name(name, &long_names), size, pad, visit)?;
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
