//! What a caller decides about a run.

use crate::container::Spool;
use crate::io::Access;
use crate::leftover::Profile;
use crate::rules::Severity;
use std::path::PathBuf;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Container format by name; by content where absent.
    pub container: Option<String>,
    /// What reports call the image; its file name where absent.
    pub name: Option<String>,
    /// How the image is read.
    pub access: Access,
    /// Parents (backing files) that the image may use.
    pub parents: Vec<PathBuf>,
    /// Whether parents may be taken from the image's own directory by their bare name.
    pub allow_siblings: bool,
    /// Whether an image whose parent is not given is scanned for what it holds itself; the rest is unread.
    pub delta_only: bool,
    /// Whether what internal snapshots show and the active state does not is scanned as a disk of its own.
    pub snapshots: bool,
    /// Whether digests that the container stores are compared with its bytes.
    pub verify: bool,
    /// Where and how much a compressed image is unpacked.
    pub spool: Spool,
    /// Worker threads; 0 for one a core.
    pub threads: usize,
    /// Whether findings carry their secrets.
    pub show_secrets: bool,
    /// Rule ids, check ids or categories to report; all where empty.
    pub only: Vec<String>,
    /// Rule ids, check ids or categories to leave out.
    pub skip: Vec<String>,
    /// Which checks are in force.
    pub profile: Profile,
    /// Key of the fingerprints; derived from the disk's identifiers where absent.
    pub key: Option<[u8; 32]>,
    /// Rule files in addition to the built-in rules.
    pub rule_files: Vec<PathBuf>,
    /// Whether findings that are only possible are reported, not just counted.
    pub all_verdicts: bool,
    /// Whether personal data are looked for: counts a file and kind, with the first place.
    pub pii: bool,
    /// Severity from which findings decide the exit reason.
    pub fail_on: Severity,
    /// Whether work cut short by a budget makes a run incomplete.
    pub strict: bool,
    /// Whether unread and opaque ranges leave a run complete.
    pub accept_gaps: bool,
    /// Bytes of the disk that one worker takes at a time; nothing in a report depends on it.
    pub unit: u64,
    /// Findings of one rule in one file that are reported; the rest is counted.
    pub per_file_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            container: None,
            name: None,
            access: Access::Auto,
            parents: Vec::new(),
            allow_siblings: false,
            delta_only: false,
            snapshots: false,
            verify: false,
            spool: Spool::default(),
            threads: 0,
            show_secrets: false,
            only: Vec::new(),
            skip: Vec::new(),
            profile: Profile::default(),
            key: None,
            rule_files: Vec::new(),
            all_verdicts: false,
            pii: false,
            fail_on: Severity::Medium,
            strict: false,
            accept_gaps: false,
            unit: 4 << 20,
            per_file_max: 1000,
        }
    }
}

impl Options {
    /// Whether findings of this rule or check and category are to be reported.
    pub(super) fn wants(&self, id: &str, category: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == id || name == category);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// Watches a run from outside; progress bars live behind it.
pub trait Observer: Sync {
    /// The disk has so many bytes.
    fn planned(&self, bytes: u64);
    /// So many more bytes are done.
    fn swept(&self, bytes: u64);
    /// So many more matches were confirmed; some of them will fold into one finding.
    fn found(&self, matches: u64);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn planned(&self, _bytes: u64) {}
    fn swept(&self, _bytes: u64) {}
    fn found(&self, _matches: u64) {}
}
