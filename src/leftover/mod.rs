//! Leftovers: what a clean-up list would have removed, checked on paths and parsed files.
//!
//! Checks are data (`signatures/leftovers/*.toml`); the conditions that they name are code, one a file.

use crate::error::Result;
use crate::filesystem::{EntryId, FileSystem};
use crate::rules::Severity;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A file system that takes part, with the name of its volume.
#[derive(Clone, Debug)]
pub struct Source {
    /// Volume name as in findings.
    pub volume: String,
    /// The file system.
    pub filesystem: Arc<dyn FileSystem>,
}

/// A leftover.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// Index into the sources.
    pub source: usize,
    /// The check's identifier.
    pub check: String,
    /// One line for people.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The entry.
    pub entry: EntryId,
    /// Full path of the entry in its own file system.
    pub path: Vec<u8>,
    /// Offset in the file and line (from 1), where the leftover is a line or field.
    pub place: Option<(u64, u64)>,
    /// Facts that back it: `name: value`; secrets masked.
    pub evidence: Vec<String>,
    /// How to remove it.
    pub remedy: String,
    /// The secret itself where it is one (a password hash), never shown unless asked for.
    pub secret: Option<Vec<u8>>,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CheckState {
    /// Looked at, nothing found.
    Clean,
    /// Found, so many times.
    Finding {
        /// How often.
        count: u64,
    },
    /// Could not be looked at, and why.
    NotEvaluated {
        /// Why.
        reason: String,
    },
}

/// A check and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// The check's identifier.
    pub check: String,
    /// The item of the founding checklist that it answers.
    pub item: String,
    /// How it ended.
    #[serde(flatten)]
    pub state: CheckState,
}

/// The checks.
#[derive(Debug)]
pub struct Catalogue {}

impl Catalogue {
    /// The checks that come with the program.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when the catalogue is wrong.
    pub fn builtin() -> Result<Self> {
        Ok(Self {})
    }

    /// Hash over all checks, for the report.
    pub fn digest(&self) -> String {
        String::new()
    }

    /// Evaluates all checks over the file systems of one disk, in one walk of each. Leftovers come in a
    /// stable order.
    pub fn evaluate(&self, sources: &[Source], emit: &mut dyn FnMut(Leftover)) -> Vec<CheckOutcome> {
        let _ = (sources, emit);
        Vec::new()
    }
}
