//! Leftovers: what a clean-up list would have removed, checked on paths and parsed files.
//!
//! Checks are data (`signatures/leftovers/*.toml`); the conditions that they name are code, one a file.

mod catalogue;
mod collect;
mod conditions;
mod docs;
mod glob;
mod hit;
mod hive_log;
mod lines;
mod members;
mod patterns;
mod survey;
mod system;
mod text;
mod traces;
mod tree;
mod trie;
mod walk;

pub use catalogue::{Action, Check, Within};
pub use members::{Members, is_watched};
pub use traces::{Command, Origin, Sighting, Traces, traces};

use crate::error::Result;
use crate::filesystem::{EntryId, FileSystem};
use crate::knowngood::Volumes;
use crate::rules::Severity;
use catalogue::Checks;
use collect::Collector;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use system::Os;
use walk::Walk;

/// How the reason begins when a check is for a system that the disk does not hold.
pub const NOT_APPLICABLE: &str = "not applicable:";

/// What a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// May the image leave: hygiene.
    #[default]
    Release,
    /// What happened on the machine: the hygiene checks, and those for traces of tampering.
    Investigate,
}

/// A file system that takes part, with the name of its volume.
#[derive(Clone, Debug)]
pub struct Source {
    /// Volume name as in findings.
    pub volume: String,
    /// The file system.
    pub filesystem: Arc<dyn FileSystem>,
    /// What the decoders met inside of its files among the names that [`is_watched`] knows.
    pub members: Members,
}

/// The file systems of `sources`, by the same indexes, with what each system mounts where (`/etc/fstab`).
pub fn volumes(sources: &[Source]) -> Volumes<'_> {
    let sites = survey::survey(sources);
    let filesystems = sources.iter().map(|source| source.filesystem.as_ref()).collect();
    Volumes { filesystems, mounts: sites.iter().flat_map(|site| site.tree.mounts()).collect() }
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
    /// Whether the file as a whole is the leftover, and the secret only an example of what it holds.
    pub is_about_file: bool,
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
        /// Whether a limit of this program stands in the way, and nothing in the image.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        limited: bool,
    },
}

impl CheckState {
    /// Whether the check should have been evaluated and was not: a gap that a gate must not take for clean.
    pub fn is_gap(&self) -> bool {
        matches!(self, Self::NotEvaluated { reason, .. } if !reason.starts_with(NOT_APPLICABLE))
    }

    /// Whether it is a gap only because of a limit of this program.
    pub fn is_limited(&self) -> bool {
        self.is_gap() && matches!(self, Self::NotEvaluated { limited: true, .. })
    }
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
pub struct Catalogue {
    checks: Checks,
}

impl Catalogue {
    /// The checks that come with the program, all of them in force.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when the catalogue is wrong.
    pub fn builtin() -> Result<Self> {
        Self::of(Profile::Investigate)
    }

    /// The checks that come with the program, with those in force that the profile wants.
    ///
    /// # Errors
    /// As [`builtin`](Self::builtin).
    pub fn of(profile: Profile) -> Result<Self> {
        Ok(Self { checks: Checks::load(catalogue::FILES, profile)? })
    }

    /// Hash over all checks, for the report.
    pub fn digest(&self) -> String {
        self.checks.digest.clone()
    }

    /// Compiles all patterns that are otherwise compiled at first use.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a pattern is wrong.
    pub fn prepare(&self) -> Result<()> {
        self.checks.prepare()
    }

    /// All checks, by group.
    pub fn checks(&self) -> &[Check] {
        &self.checks.checks
    }

    /// Evaluates all checks over the file systems of one disk, in one walk of each. Leftovers come in a
    /// stable order, outcomes in that of the catalogue.
    pub fn evaluate(&self, sources: &[Source]) -> (Vec<Leftover>, Vec<CheckOutcome>) {
        let mut collector = Collector::new(&self.checks);
        let sites = survey::survey(sources);
        let mut systems: Vec<&str> = sites.iter().filter_map(|site| site.system.os).map(Os::name).collect();
        systems.sort_unstable();
        systems.dedup();
        for site in &sites {
            for inner in Walk::run(&self.checks, site, &mut collector) {
                if let Some(site) = survey::nested(sources, inner.spot, inner.os) {
                    Walk::run(&self.checks, &site, &mut collector);
                }
            }
        }
        collector.finish(&systems)
    }
}
