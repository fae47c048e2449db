//! Findings kept aside for reports that show them in another order than they are found in.
//!
//! The findings themselves lie in a temporary file without a name; memory holds a few words for each.

use super::failed;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::rules::Severity;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

/// What memory holds of a finding.
#[derive(Clone, Copy, Debug)]
struct Kept {
    offset: u64,
    length: usize,
    severity: Severity,
    id: u64,
    pair: Option<u64>,
    group: Option<u64>,
    remedy: u64,
    title: u64,
    accepted: bool,
}

/// Findings on disk, in the order in which they came.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
    end: u64,
    kept: Vec<Kept>,
}

/// Findings that belong together, by their numbers in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Severity of the first, which is the worst.
    pub severity: Severity,
    /// The same secret in its places and under all rules that found it, or the places of the same leftover
    /// check; never empty.
    pub places: Vec<usize>,
    /// The finding that completes the first one.
    pub pair: Option<usize>,
}

impl Spool {
    /// An empty spool in the directory for temporary files.
    pub(super) fn new() -> Result<Self> {
        let file =
            tempfile::tempfile().map_err(|source| Error::io("cannot make a temporary file", source))?;
        Ok(Self { file: BufWriter::new(file), end: 0, kept: Vec::new() })
    }

    /// Appends a finding.
    pub(super) fn push(&mut self, finding: &Finding) -> Result<()> {
        let line = serde_json::to_vec(finding).map_err(|error| failed(error.into()))?;
        self.file.write_all(&line).map_err(failed)?;
        let group = match &finding.fingerprint {
            Some(fingerprint) => Some(hash(&[fingerprint])),
            None if finding.category == crate::rules::Category::Leftover => {
                Some(hash(&[&finding.rule, &finding.title, &finding.remedy]))
            }
            None => None,
        };
        self.kept.push(Kept {
            offset: self.end,
            length: line.len(),
            severity: finding.severity,
            id: hash(&[&finding.id]),
            pair: finding.pair.as_ref().map(|id| hash(&[id])),
            group,
            remedy: hash(&[&finding.remedy]),
            title: hash(&[&finding.title]),
            accepted: !crate::report::fails(finding, Severity::Info),
        });
        self.end = self.end.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// How many findings there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Hashes of a finding's remedy and title.
    pub(super) fn keys(&self, number: usize) -> (u64, u64) {
        self.kept.get(number).map(|kept| (kept.remedy, kept.title)).unwrap_or_default()
    }

    /// Whether a finding fails no gate, however strict.
    pub(super) fn is_accepted(&self, number: usize) -> bool {
        self.kept.get(number).is_none_or(|kept| kept.accepted)
    }

    /// Severity of a finding.
    pub(super) fn severity(&self, number: usize) -> Severity {
        self.kept.get(number).map_or(Severity::Info, |kept| kept.severity)
    }

    /// The finding with this number.
    pub(super) fn get(&mut self, number: usize) -> Result<Finding> {
        let kept = self.kept.get(number).copied();
        let kept = kept.ok_or_else(|| Error::new(Kind::NotFound, "no such finding in the spool"))?;
        self.file.flush().map_err(failed)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(kept.offset)).map_err(failed)?;
        let mut line = vec![0; kept.length];
        file.read_exact(&mut line).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        serde_json::from_slice(&line).map_err(|error| failed(error.into()))
    }

    /// All findings in groups: worst first, of one severity those that are accepted last, then in the order in which they came. Each finding is in one
    /// group, as a place or as the pair of the group's first place.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut order: Vec<usize> = (0..self.kept.len()).collect();
        // Of one severity, what is accepted comes after what is not.
        order.sort_by_key(|&number| {
            let kept = self.kept.get(number);
            (std::cmp::Reverse(kept.map(|kept| kept.severity)), kept.map(|kept| kept.accepted))
        });
        let by_id: BTreeMap<u64, usize> =
            self.kept.iter().enumerate().map(|(n, kept)| (kept.id, n)).collect();
        let mut by_group: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (number, kept) in self.kept.iter().enumerate() {
            if let Some(group) = kept.group {
                by_group.entry(group).or_default().push(number);
            }
        }
        let mut taken = BTreeSet::new();
        let mut groups = Vec::new();
        for number in order {
            let Some(kept) = self.kept.get(number).filter(|_| taken.insert(number)) else { continue };
            let mates = kept.group.and_then(|group| by_group.get(&group));
            let mut places = vec![number];
            for &mate in mates.into_iter().flatten() {
                if taken.insert(mate) {
                    places.push(mate);
                }
            }
            let pair = kept.pair.and_then(|id| by_id.get(&id)).copied().filter(|&pair| taken.insert(pair));
            groups.push(Group { severity: kept.severity, places, pair });
        }
        groups
    }
}

/// A short hash of a few strings, for comparing within one run.
fn hash(parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize().as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}
