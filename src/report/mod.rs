//! Reports: one file a format, one line in a registry; all made of the same records.

use crate::error::Result;
use crate::record::Record;

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
