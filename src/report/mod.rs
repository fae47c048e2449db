//! Reports: one file a format, one line in [`FORMATS`]; all made of the same records.

mod gate;
mod jsonl;
mod read;
mod spool;
mod text;
pub mod words;

pub use gate::{Gate, Policy};
pub use jsonl::write_line;
pub use read::{OwnedRecord, read};

use crate::error::{Error, Kind, Result};
use crate::record::Record;
use std::fmt;
use std::io::Write;

/// A report being written. Records come in order; nothing is final before [`finish`](Self::finish).
pub trait Report {
    /// Takes the next record.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn write(&mut self, record: &Record<'_>) -> Result<()>;

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
    /// Starts a report.
    pub create: fn(Output, &Settings) -> Result<Box<dyn Report>>,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All formats.
pub const FORMATS: &[Format] = &[text::FORMAT, jsonl::FORMAT];

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
