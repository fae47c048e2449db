//! JSON lines, schema 1: one object a line, for other programs. `docs/schema.md` is its reference.

use super::{Format, Output, Report, Settings, failed};
use crate::error::Result;
use crate::location::split_hostile;
use crate::record::Record;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};

pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    about: "JSON lines, one object a finding, for other programs",
    entries: false,
    create,
};

struct JsonLines {
    out: Output,
}

fn create(out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    Ok(Box::new(JsonLines { out }))
}

impl Report for JsonLines {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        write_line(&mut self.out, record).map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }
}

/// Writes `value` as one line of JSON.
///
/// # Errors
/// When the output cannot be written.
pub fn write_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Harmless))?;
    out.write_all(b"\n")
}

/// Compact JSON whose strings show no character that could harm a terminal: JSON itself leaves those
/// above U+001F as they are.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for (part, hostile) in split_hostile(fragment) {
            out.write_all(part.as_bytes())?;
            let mut units = [0; 2];
            for unit in hostile.map(|hostile| hostile.encode_utf16(&mut units)).unwrap_or_default() {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}
