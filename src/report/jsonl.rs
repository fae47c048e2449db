//! JSON lines, schema 1: one object a line, for other programs. `docs/schema.md` is its reference.

use super::{Format, Output, Report, Settings, failed};
use crate::error::Result;
use crate::record::Record;
use std::io::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "jsonl", about: "JSON lines, one object a finding, for other programs", create };

struct JsonLines {
    out: Output,
}

fn create(out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    Ok(Box::new(JsonLines { out }))
}

impl Report for JsonLines {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        serde_json::to_writer(&mut self.out, record).map_err(|error| failed(error.into()))?;
        self.out.write_all(b"\n").map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }
}
