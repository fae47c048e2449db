//! Comma-separated values (RFC 4180), one line a finding, for spreadsheets.

use super::{Format, Output, Report, Settings, failed};
use crate::error::Result;
use crate::location::harmless;
use crate::record::Record;
use serde_json::Value;
use std::io::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "csv", about: "a table of the findings, for spreadsheets", entries: false, create };

/// The columns: the fields of a finding in the JSON lines.
pub(super) const COLUMNS: [&str; 32] = [
    "id",
    "rule",
    "category",
    "severity",
    "verdict",
    "title",
    "image",
    "volume",
    "fs",
    "path",
    "inode",
    "state",
    "stream",
    "member",
    "file_offset",
    "line",
    "disk_offset",
    "image_offset",
    "length",
    "secret_masked",
    "secret",
    "fingerprint",
    "mtime",
    "owner_uid",
    "owner",
    "pair",
    "copies",
    "evidence",
    "known_good",
    "allowed",
    "baseline",
    "remedy",
];

struct Csv {
    out: Output,
}

fn create(mut out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    write!(out, "{}\r\n", COLUMNS.join(",")).map_err(failed)?;
    Ok(Box::new(Csv { out }))
}

impl Report for Csv {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        let Record::Finding(finding) = record else { return Ok(()) };
        let value = serde_json::to_value(finding).map_err(|error| failed(error.into()))?;
        let cells =
            COLUMNS.map(|column| value.get(column).map(|value| cell(&plain(value))).unwrap_or_default());
        write!(self.out, "{}\r\n", cells.join(",")).map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }
}

/// A value without JSON around it; several are separated by semicolons.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

/// A cell: harmless, quoted where it has to be. Text that a spreadsheet would take for a formula gets an
/// apostrophe in front; a minus sign in front of a number is no formula.
pub(super) fn cell(text: &str) -> String {
    let text = harmless(text);
    let is_formula = text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err();
    let mark = if is_formula { "'" } else { "" };
    if is_formula || text.contains([',', '"', ';', '\'']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_defused() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("-5", "-5"),
            ("a\r\nb\t", "a%0D%0Ab%09"),
        ];
        for (text, expected) in cases {
            assert_eq!(cell(text), expected);
        }
    }
}
