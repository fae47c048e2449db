//! Building an ownership map from one walk over a file system.

use super::layer::{Layer, Run};
use super::{Form, Owner, OwnerMap, Seam};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{
    DataRun, Entry, EntryId, EntryState, FileSystem, Layout, Place, Role, Stream, Walked,
};
use crate::location::State;
use std::ops::ControlFlow;

/// What the walk hands on besides the map.
#[derive(Debug)]
pub enum Resident<'a> {
    /// A stream inside its entry's record, matched apart from the disk's bytes.
    Bytes {
        /// The entry.
        entry: &'a Entry,
        /// Index of the stream.
        stream: u16,
        /// State of the content.
        state: State,
    },
    /// A stream whose content has to be decoded.
    Encoded {
        /// The entry.
        entry: &'a Entry,
        /// Index of the stream.
        stream: u16,
        /// State of the content.
        state: State,
    },
    /// Something that could not be read.
    Problem {
        /// The entry concerned.
        entry: Option<EntryId>,
        /// What is wrong.
        error: Error,
    },
}

/// Walks `filesystem`, which lies in a volume of `volume_size` bytes, and maps its owners. Streams that are
/// not matched on the disk and problems go to `other` as they come.
///
/// # Errors
/// Only what makes the walk impossible.
pub fn index(
    filesystem: &dyn FileSystem,
    volume_size: u64,
    other: &mut dyn FnMut(Resident<'_>),
) -> Result<OwnerMap> {
    let mut build = Build::default();
    filesystem.walk(&mut |walked| {
        match walked {
            Walked::Entry(entry) => build.add(&entry, other),
            Walked::Problem { entry, error } => other(Resident::Problem { entry, error }),
        }
        ControlFlow::Continue(())
    })?;
    let mut free = Vec::new();
    if let Err(error) = filesystem.unallocated(&mut |range| free.push(range)) {
        other(Resident::Problem { entry: None, error: error.context("allocation bitmap") });
    }
    free.sort_unstable_by_key(|range| (range.start, range.end));
    let facts = filesystem.facts();
    build.seams.sort_unstable();
    build.seams.dedup();
    Ok(OwnerMap {
        content: Layer::new(std::mem::take(&mut build.content)),
        stale: Layer::new(std::mem::take(&mut build.stale)),
        deleted: Layer::ranked(std::mem::take(&mut build.deleted), &|owner| build.deleted_at(owner)),
        owners: build.owners,
        free,
        seams: build.seams,
        block_size: facts.block_size,
        end: facts.size.min(volume_size),
        size: volume_size,
    })
}

#[derive(Default)]
struct Build {
    content: Vec<Run>,
    stale: Vec<Run>,
    deleted: Vec<Run>,
    owners: Vec<Owner>,
    seams: Vec<Seam>,
    /// Deleted owners in order, each with the second since 1970 in which it was still there or deleted.
    last_seen: Vec<(u32, i64)>,
}

impl Build {
    /// When a deleted owner was last there.
    fn deleted_at(&self, owner: u32) -> i64 {
        let at = self.last_seen.binary_search_by_key(&owner, |(owner, _)| *owner);
        at.ok().and_then(|at| self.last_seen.get(at)).map_or(i64::MIN, |(_, seen)| *seen)
    }

    fn add(&mut self, entry: &Entry, other: &mut dyn FnMut(Resident<'_>)) {
        let state = state_of(entry);
        let times = [entry.times.deleted, entry.times.changed, entry.times.modified];
        let last_seen = times.into_iter().flatten().map(|time| time.as_second()).max().unwrap_or(i64::MIN);
        for (index, stream) in entry.streams.iter().enumerate() {
            let Ok(index) = u16::try_from(index) else {
                let error =
                    Error::new(Kind::LimitExceeded, "more than 65,535 streams; the rest is not matched");
                other(Resident::Problem { entry: Some(entry.id), error });
                return;
            };
            let form = match &stream.layout {
                Layout::Resident { .. } => {
                    let state = if stream.name.is_slack() { State::Slack } else { state };
                    other(Resident::Bytes { entry, stream: index, state });
                    continue;
                }
                Layout::Encoded(_) => {
                    other(Resident::Encoded { entry, stream: index, state });
                    Form::Encoded
                }
                Layout::Runs(_) | Layout::Encrypted(_) if stream.initialised < stream.size => {
                    Form::PartlyWritten
                }
                Layout::Runs(_) | Layout::Encrypted(_) => Form::Plain,
            };
            if state == State::Deleted
                && let Ok(owner) = u32::try_from(self.owners.len())
            {
                self.last_seen.push((owner, last_seen));
            }
            if let Err(error) =
                self.add_stream(stream, Owner { end: 0, entry: entry.id, stream: index, state, form })
            {
                other(Resident::Problem { entry: Some(entry.id), error });
            }
        }
    }

    fn add_stream(&mut self, stream: &Stream, blank: Owner) -> Result<()> {
        let too_many =
            |what: &str| Error::new(Kind::LimitExceeded, format!("{what} does not fit into 32 bits"));
        let owner = u32::try_from(self.owners.len())
            .map_err(|error| too_many("number of owners").with_source(error))?;
        let end = stream.size.min(stream.initialised);
        self.owners.push(Owner { end, ..blank });
        for run in stream.runs().iter().filter(|run| run.length > 0) {
            self.add_run(run, owner, blank.state);
        }
        if blank.form != Form::Encoded {
            self.add_seams(stream.runs(), end);
        }
        Ok(())
    }

    fn add_run(&mut self, run: &DataRun, owner: u32, state: State) {
        let mut put = |layer: LayerName, start: u64, logical: u64, length: u64| {
            let run = Run { start, length, logical, owner };
            match layer {
                LayerName::Content => self.content.push(run),
                LayerName::Stale => self.stale.push(run),
                LayerName::Deleted => self.deleted.push(run),
            }
        };
        match run.place {
            Place::Hole => {}
            Place::Unwritten(at) | Place::Superseded(at) => {
                let layer = if state == State::Deleted { LayerName::Deleted } else { LayerName::Stale };
                put(layer, at, run.logical, run.length);
            }
            Place::At(at) if state == State::Deleted => put(LayerName::Deleted, at, run.logical, run.length),
            // Slack and whole runs past the end of the content stay in this layer: the zone tells them apart.
            Place::At(at) => put(LayerName::Content, at, run.logical, run.length),
        }
    }

    fn add_seams(&mut self, runs: &[DataRun], end: u64) {
        for pair in runs.windows(2) {
            let [one, other] = pair else { continue };
            let (Place::At(tail), Place::At(head)) = (one.place, other.place) else { continue };
            let tail = tail.saturating_add(one.length);
            if one.end() == other.logical && tail != head && other.logical < end {
                self.seams.push(Seam { head, tail });
            }
        }
    }
}

enum LayerName {
    Content,
    Stale,
    Deleted,
}

/// How findings call the content of an entry.
fn state_of(entry: &Entry) -> State {
    match (entry.role, entry.state) {
        (_, EntryState::Deleted) => State::Deleted,
        (Role::Journal, _) => State::Journal,
        (Role::Metadata, _) => State::Metadata,
        (Role::Content, EntryState::Orphan) => State::Orphan,
        (Role::Content, EntryState::Allocated) => State::Allocated,
    }
}
