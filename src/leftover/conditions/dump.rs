//! Dumps of databases, by how they begin.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::leftover::hit::Hit;
use serde::Deserialize;
use std::io::Read;

pub(super) const KIND: Kind =
    Kind { name: "dump", cases: &[], build: |table| Ok(Box::new(parameters::<Dump>(table)?)) };

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Dump {
    /// Smallest size in bytes.
    min_size: u64,
}

impl Default for Dump {
    fn default() -> Self {
        Self { min_size: 512 }
    }
}

/// Bytes looked at, before and after decompression.
const HEAD_MAX: u64 = 8192;
/// What dumps begin with.
const BEGINNINGS: [(&[u8], &str); 3] =
    [(b"PGDMP", "PostgreSQL custom dump"), (b"TAPE", "SQL Server backup"), (b"EXPORT:V", "Oracle export")];
/// What stands in the first lines of dumps as SQL.
const LINES: [(&str, &str); 6] = [
    ("-- mysql dump", "MySQL dump"),
    ("-- mariadb dump", "MariaDB dump"),
    ("-- postgresql database dump", "PostgreSQL dump"),
    ("pragma foreign_keys=off", "SQLite dump"),
    ("insert into ", "SQL with rows"),
    ("copy public.", "PostgreSQL rows"),
];

impl Condition for Dump {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() || hit.entry.size() < self.min_size {
            return Ok(());
        }
        let head = plain(&hit.head(HEAD_MAX)?);
        if let Some(name) = format(&head) {
            let evidence = vec![format!("content: {name}"), format!("size: {} bytes", hit.entry.size())];
            out.push(Found { evidence, ..Found::default() });
        }
        Ok(())
    }
}

/// The beginning, decompressed where it is gzip or zstd; what cannot be decompressed stays as it is.
fn plain(head: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if head.starts_with(&[0x1f, 0x8b]) {
        // The input is cut, so that an error at its end is expected.
        let read = flate2::read::GzDecoder::new(head).take(HEAD_MAX).read_to_end(&mut out);
        drop(read);
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        && let Ok(decoder) = ruzstd::decoding::StreamingDecoder::new(head)
    {
        let read = decoder.take(HEAD_MAX).read_to_end(&mut out);
        drop(read);
    }
    if out.is_empty() { head.to_vec() } else { out }
}

fn format(head: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)) {
        return Some(name);
    }
    let text = String::from_utf8_lossy(head).to_lowercase();
    LINES.iter().find(|(line, _)| text.contains(line)).map(|(_, name)| *name)
}
