//! The records of a scan in the order in which reports get them: header, findings, gaps, summary.

use crate::container;
use crate::coverage::{Coverage, Gap};
use crate::filesystem;
use crate::finding::Finding;
use crate::keys::KeyFact;
use crate::leftover::CheckOutcome;
use crate::location::State;
use crate::redact::Redactor;
use crate::rules::Severity;
use crate::volume::VolumeKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the JSON lines' schema.
pub const SCHEMA: u32 = 1;

/// One record of a scan.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Record<'a> {
    /// First for each image.
    Scan(&'a Header),
    /// A secret or leftover.
    Finding(&'a Finding),
    /// Something not read or not understood.
    Gap(&'a Gap),
    /// What a place says of a public key.
    Key(&'a KeyFact),
    /// A command of a history, with its time.
    History(&'a HistoryLine),
    /// What lies where on the disk.
    Map(&'a DiskMap),
    /// Last for each image.
    Summary(&'a Summary),
}

/// What was scanned, and with what.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Header {
    /// Schema version.
    pub schema: u32,
    /// Version of this program.
    pub version: String,
    /// File name of the image, escaped.
    pub image: String,
    /// What the container says.
    pub container: container::Facts,
    /// Volume system.
    pub scheme: String,
    /// Volumes in disk order.
    pub volumes: Vec<VolumeFacts>,
    /// Digest of the secret rules and leftover checks in force.
    pub rules_digest: String,
}

/// A volume as reports show it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Name.
    pub name: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: VolumeKind,
    /// Label of the partition, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Start on the disk in bytes.
    pub disk_offset: u64,
    /// Length in bytes.
    pub size: u64,
    /// The file system in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<filesystem::Facts>,
}

/// A command of a history that carries a time. Its arguments are not shown; absent means "not applicable".
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryLine {
    /// When it was entered, RFC 3339 in UTC.
    pub time: String,
    /// Format of the history: `bash`, `tcsh`, `zsh`, `fish`.
    pub shell: String,
    /// Whose history it is, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Programs, common verbs and names of options; `…` for all else.
    pub command: String,
    /// The line itself, with `--show-secrets` only.
    #[serde(rename = "line_shown", skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// File name of the image, escaped.
    pub image: String,
    /// Volume.
    pub volume: String,
    /// Full name of the history in its file system, escaped.
    pub path: String,
    /// Inode or MFT record number.
    pub inode: u64,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// A map of the disk in a few hundred buckets of equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskMap {
    /// File name of the image, escaped.
    pub image: String,
    /// Size of the disk in bytes.
    pub size: u64,
    /// Length of a bucket in bytes; the last one may be shorter.
    pub bucket_size: u64,
    /// Zones by state; their sizes add up to the disk.
    pub zones: Vec<ZoneMap>,
}

/// One zone of the map: bytes of one state. Shares are per cent of a bucket, rounded up, one for each bucket;
/// a list is absent where all of its shares are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZoneMap {
    /// What owns the bytes; absent for content of an unknown kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Bytes of the zone.
    pub size: u64,
    /// Bytes of it that went through the matchers; what is neither scanned nor unread is blank.
    pub scanned: u64,
    /// Bytes of it that could not be obtained.
    pub unread: u64,
    /// How much of each bucket it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<u8>,
    /// How much of each bucket it holds and was scanned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scanned_shares: Vec<u8>,
    /// How much of each bucket it holds and could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread_shares: Vec<u8>,
}

/// Why a scan ended with its exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// Nothing at or above the threshold, everything read.
    #[default]
    Clean,
    /// Findings at or above the threshold.
    Findings,
    /// The image did not open or is not readable at all.
    Unreadable,
    /// Something was not read or not understood.
    Incomplete,
}

/// How a scan ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// File name of the image, escaped.
    pub image: String,
    /// Findings by severity.
    pub by_severity: BTreeMap<String, u64>,
    /// Findings by category.
    pub by_category: BTreeMap<String, u64>,
    /// Findings not shown because they are only possible.
    pub possible: u64,
    /// Findings marked known good.
    pub known_good: u64,
    /// Findings of one rule in one file above the limit, counted only.
    pub counted_only: u64,
    /// Byte counts.
    pub coverage: Coverage,
    /// Bytes that only the container knows, apart from the disk's; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Coverage>,
    /// Gaps by kind.
    pub gaps: BTreeMap<String, u64>,
    /// Checks and how they ended.
    pub checks: Vec<CheckOutcome>,
    /// Checks that should have been made and could not be.
    pub unchecked: u64,
    /// Severity from which on a finding fails the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Severity>,
    /// Findings that fail the gate.
    #[serde(default)]
    pub failing: u64,
    /// Findings that an allow-list accepts.
    #[serde(default)]
    pub allowed: u64,
    /// Findings that the baseline holds already.
    #[serde(default)]
    pub in_baseline: u64,
    /// What a reader of the report should know: allow-list entries that expired or were not used …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// SHA-256 of the image file, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_sha256: Option<String>,
    /// Verdict.
    pub exit_reason: ExitReason,
    /// What must not be shown in texts that reports take from elsewhere.
    #[serde(skip)]
    pub redactor: Redactor,
    /// What went wrong, where the image could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Summary {
    /// Checks that could not be made: because of the image, and because of a limit of this program.
    pub fn missing_checks(&self) -> (u64, u64) {
        let count = |limited: bool| {
            let is = |check: &&CheckOutcome| check.state.is_gap() && check.state.is_limited() == limited;
            u64::try_from(self.checks.iter().filter(is).count()).unwrap_or(u64::MAX)
        };
        (count(false), count(true))
    }
}

/// An entry of a file system, one for each of its names and streams, as listings and timelines show it.
/// Names are escaped, times are RFC 3339 in UTC; absent means "not recorded".
#[derive(Clone, Debug, Default, Serialize)]
pub struct EntryFacts {
    /// Volume.
    pub volume: String,
    /// File system.
    pub fs: &'static str,
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Inode or MFT record number.
    pub inode: u64,
    /// Which former state of the entry, counted back from the latest that a journal remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Stream other than the unnamed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// `file`, `directory`, `symlink` …
    pub kind: &'static str,
    /// Length of the stream in bytes.
    pub size: u64,
    /// `allocated`, `deleted` or `orphan`.
    pub state: &'static str,
    /// SHA-256 of the content, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Content last modified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<String>,
    /// Content last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atime: Option<String>,
    /// Entry last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctime: Option<String>,
    /// Created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crtime: Option<String>,
    /// Deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtime: Option<String>,
    /// User id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_uid: Option<u32>,
    /// Group id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_gid: Option<u32>,
    /// Permission bits in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Names that point to the entry.
    pub links: u32,
    /// What a reader should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why the content could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
