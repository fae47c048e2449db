//! Reads the JSON lines of an earlier scan back.

use crate::coverage::Gap;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::keys::KeyFact;
use crate::record::{DiskMap, Header, HistoryLine, Record, SCHEMA, Summary};
use serde::Deserialize;
use std::fmt;
use std::io::{BufRead, Read as _};

/// The longest line that is read, in bytes. A finding with a whole key block shown stays far below it.
const LINE_MAX: u64 = 16 << 20;

/// A record that owns its content.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum OwnedRecord {
    /// First for each image.
    Scan(Box<Header>),
    /// A secret or leftover.
    Finding(Box<Finding>),
    /// Something not read or not understood.
    Gap(Gap),
    /// What a place says of a public key.
    Key(Box<KeyFact>),
    /// A command of a history, with its time.
    History(Box<HistoryLine>),
    /// What lies where on the disk.
    Map(Box<DiskMap>),
    /// Last for each image.
    Summary(Box<Summary>),
}

impl OwnedRecord {
    /// The record as reports take it.
    pub fn borrow(&self) -> Record<'_> {
        match self {
            Self::Scan(header) => Record::Scan(header),
            Self::Finding(finding) => Record::Finding(finding),
            Self::Gap(gap) => Record::Gap(gap),
            Self::Key(fact) => Record::Key(fact),
            Self::History(line) => Record::History(line),
            Self::Map(map) => Record::Map(map),
            Self::Summary(summary) => Record::Summary(summary),
        }
    }
}

/// Reads all records of `from` in order and hands each to `visit`.
///
/// # Errors
/// [`Kind::Usage`] for a line that is no record, for another schema and for lines that end before the last
/// image's summary; what `visit` returns.
pub fn read(mut from: impl BufRead, visit: &mut dyn FnMut(OwnedRecord) -> Result<()>) -> Result<()> {
    let mut line = Vec::new();
    let mut number: u64 = 0;
    let mut open = false;
    let mut seen = false;
    loop {
        line.clear();
        let length = from
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|source| Error::io("cannot read the scan's JSON lines", source))?;
        if length == 0 {
            break;
        }
        number = number.saturating_add(1);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Some(record) = parse(&line, number)? else { continue };
        match &record {
            OwnedRecord::Scan(header) if header.schema != SCHEMA => {
                let found = header.schema;
                return Err(wrong(number, format!("schema: expected {SCHEMA}, found {found}")));
            }
            OwnedRecord::Scan(_) => (open, seen) = (true, true),
            OwnedRecord::Summary(_) => (open, seen) = (false, true),
            _ if !open => return Err(wrong(number, "expected a `scan` record first")),
            _ => {}
        }
        visit(record)?;
    }
    match (seen, open) {
        (true, false) => Ok(()),
        (false, _) => Err(wrong(number, "expected a `scan` record, found none")),
        (true, true) => Err(wrong(number, "the lines end before the scan's `summary`")),
    }
}

/// The type of a record.
#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: String,
}

/// Types of records that are read.
const KINDS: [&str; 7] = ["scan", "finding", "gap", "key", "history", "map", "summary"];

/// The record of a line; `None` for a type that a later version of the schema may have added.
fn parse(line: &[u8], number: u64) -> Result<Option<OwnedRecord>> {
    let refused = match serde_json::from_slice(line) {
        Ok(record) => return Ok(Some(record)),
        Err(error) => error,
    };
    let tag: Option<Tag> = serde_json::from_slice(line).ok();
    if tag.is_some_and(|tag| !KINDS.contains(&tag.kind.as_str())) {
        return Ok(None);
    }
    Err(refused).map_err(|error: serde_json::Error| {
        // The parser's own message may quote the line, which can hold a secret; its category cannot.
        let what = match error.classify() {
            serde_json::error::Category::Io => "cannot be read",
            serde_json::error::Category::Syntax => "is not JSON",
            serde_json::error::Category::Data => "is not a record of this schema",
            serde_json::error::Category::Eof => "is cut off",
        };
        wrong(number, format!("the line {what} (column {})", error.column()))
    })
}

fn wrong(line: u64, message: impl fmt::Display) -> Error {
    Error::new(Kind::Usage, format!("line {line}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str, expected: Result<usize, &str>) {
        let mut records = 0;
        let result = read(lines.as_bytes(), &mut |_| {
            records += 1;
            Ok(())
        });
        match (result, expected) {
            (Ok(()), Ok(number)) => assert_eq!(records, number, "{lines}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{lines}: {error}"),
            (result, expected) => panic!("{lines}: {result:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn lines_that_are_no_complete_scan_are_refused() {
        let summary = serde_json::to_string(&Record::Summary(&Summary::default())).unwrap();
        let header = Header { schema: SCHEMA, ..Header::default() };
        let header = serde_json::to_string(&Record::Scan(&header)).unwrap();
        check(&format!("{header}\n{summary}\n"), Ok(2));
        check(&format!("{summary}\n"), Ok(1));
        check("", Err("found none"));
        check(&header, Err("before the scan's `summary`"));
        check(&header.replace("\"schema\":1", "\"schema\":7"), Err("expected 1, found 7"));
        check(&header[..40], Err("cut off"));
        check(&format!("{header}\n{{\"type\":\"later\"}}\n{summary}\n"), Ok(2));
        check("{\"type\":\"other\"}", Err("found none"));
        check("{\"type\":\"finding\"}", Err("not a record"));
        check("hunter2", Err("not JSON"));
    }
}
