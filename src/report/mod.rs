//! Reports: one file a format, one line in [`FORMATS`]; all made of the same records.

mod attest;
mod bodyfile;
mod csv;
mod gate;
mod html;
mod jsonl;
mod junit;
mod read;
mod sarif;
mod spool;
mod text;
mod timeline;
pub mod words;

pub use gate::{Accepted, AllowList, Earlier, Gate, Policy, entry as allow_entry, fails};
pub use jsonl::write_line;
pub use read::{OwnedRecord, read};

use crate::error::{Error, Kind, Result};
use crate::record::{EntryFacts, Record};
use std::fmt;
use std::io::Write;

/// A report being written. Records come in order; nothing is final before [`finish`](Self::finish).
pub trait Report {
    /// Takes the next record.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn write(&mut self, record: &Record<'_>) -> Result<()>;

    /// Takes an entry of the image that the records are about, between its findings and its summary. Only
    /// formats that [want entries](Format::entries) get any.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn entry(&mut self, entry: &EntryFacts) -> Result<()> {
        let _ = entry;
        Ok(())
    }

    /// Ends the report after the last record of the last image.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn finish(&mut self) -> Result<()>;
}

/// Where a report goes.
pub type Output = Box<dyn Write>;

/// What a report's writer may be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether the output is a terminal that shows colours.
    pub colour: bool,
}

/// A format of reports.
#[derive(Clone, Copy)]
pub struct Format {
    /// Name, as `--format` and `-o NAME:FILE` take it.
    pub name: &'static str,
    /// One line for the list of formats.
    pub about: &'static str,
    /// Whether it shows the entries of file systems, too.
    pub entries: bool,
    /// Starts a report.
    pub create: fn(Output, &Settings) -> Result<Box<dyn Report>>,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All formats.
pub const FORMATS: &[Format] = &[
    text::FORMAT,
    jsonl::FORMAT,
    sarif::FORMAT,
    html::FORMAT,
    csv::FORMAT,
    junit::FORMAT,
    bodyfile::FORMAT,
    timeline::FORMAT,
    timeline::LINES,
    attest::FORMAT,
];

/// The format called `name`.
///
/// # Errors
/// [`Kind::Usage`], with the names that there are.
pub fn format(name: &str) -> Result<&'static Format> {
    FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
        Error::new(Kind::Usage, format!("unknown report format; known are {}", known.join(", ")))
    })
}

/// The error for an output that cannot be written.
fn failed(source: std::io::Error) -> Error {
    Error::io("cannot write the report", source)
}
