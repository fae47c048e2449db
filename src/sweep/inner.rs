//! Content inside content: streams that are decoded, and what they hold.

use super::Encoded;
use super::confirm::{Bench, ToDisk, Tools};
use super::ground::Land;
use super::stream::{self, Whose};
use crate::content::{self, Cut, HEAD, Inner, Limits};
use crate::coverage::{Gap, GapKind};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{DataRun, EntryId, Layout, Place};
use crate::io::read_vec;
use crate::location::{State, escape};

/// Whether the path of a member is worth telling.
pub(super) type Watch = fn(&str) -> bool;

/// Watched members of one stream that are told.
const MEMBERS_MAX: usize = 1000;

/// What one stream came to, apart from candidates.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// Bytes that exist only decoded and went through the matchers.
    pub(super) bytes: u64,
    /// What was not read.
    pub(super) gaps: Vec<Gap>,
    /// Paths inside that the caller watches for.
    pub(super) members: Vec<String>,
    /// Whether a decoder took the stream, and why it did not come to the end, where that is so.
    pub(super) taken: Option<Option<String>>,
}

/// Whether content in this state is looked at for decoders. A journal's blocks are no content by themselves.
pub(super) fn is_decoded(state: State) -> bool {
    matches!(state, State::Allocated | State::Orphan | State::Deleted)
}

/// Matches a stream in decoded form, and what is inside it.
pub(super) fn sweep(tools: &Tools<'_>, item: &Encoded, bench: &mut Bench, watch: Watch) -> Decoded {
    let mut decoded = Decoded::default();
    if let Some(land) = tools.ground.lands.get(item.land)
        && let Err(error) = stream_of(tools, land, (item, watch), bench, &mut decoded)
    {
        decoded.gaps.push(gap(land, item, None, &error));
    }
    decoded
}

fn stream_of(
    tools: &Tools<'_>,
    land: &Land,
    (item, watch): (&Encoded, Watch),
    bench: &mut Bench,
    decoded: &mut Decoded,
) -> Result<()> {
    let Some(filesystem) = &land.filesystem else { return Ok(()) };
    let entry = filesystem.entry(item.entry)?;
    let Some(stream) = entry.streams.get(usize::from(item.stream)) else { return Ok(()) };
    let content = filesystem.open(&entry, &stream.name)?;
    let whose = Whose { land: item.land, entry: Some((item.entry, item.stream)), state: Some(item.state) };
    let mut decoder = item.decoder;
    if decoder.is_none() {
        decoded.bytes = stream::sweep(tools, content.as_ref(), whose, bench)?;
        let length = content.size().min(u64::try_from(HEAD).unwrap_or(u64::MAX));
        let head = read_vec(content.as_ref(), 0, usize::try_from(length).unwrap_or(0))?;
        decoder = content::recognise(&head).filter(|_| is_decoded(item.state));
    }
    let Some(decoder) = decoder else { return Ok(()) };
    let runs = match &stream.layout {
        Layout::Runs(runs) => runs.as_slice(),
        _ => &[],
    };
    let (bytes, members) = (&mut decoded.bytes, &mut decoded.members);
    let cuts = content::decode(content.as_ref(), decoder, &Limits::default(), &mut |inner, reader| {
        if watch(inner.path) && members.len() < MEMBERS_MAX {
            members.push(inner.path.to_owned());
        }
        let stored = Stored { land, runs, within: inner.within, inner: *inner };
        // What lies in the container as it is was swept with the disk: it is matched again for its path and
        // its own windows, takes the place of the raw match, and does not count as decoded.
        let is_on_disk = inner.within.is_empty() && !runs.is_empty();
        let is_stored = is_on_disk && (inner.stored.is_some() || !inner.pieces.is_empty());
        let (length, outcome) = stream::sweep_reader(tools, reader, whose, (inner.path, &stored), bench);
        if !is_stored {
            *bytes = bytes.saturating_add(length);
        }
        outcome
    });
    decoded.taken = Some(cuts.first().map(|cut| cut.error.to_string()));
    decoded.gaps.extend(cuts.iter().map(|cut| gap(land, item, Some(cut), &cut.error)));
    Ok(())
}

/// A member, of which all or parts may lie in its container, and so on the disk.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub(super) land: &'a Land,
    /// Where the container lies in its volume.
    pub(super) runs: &'a [DataRun],
    /// How candidates in what the member was taken from call that.
    pub(super) within: &'a str,
    pub(super) inner: Inner<'a>,
}

impl ToDisk for Stored<'_> {
    fn to_disk(&self, logical: u64) -> Option<u64> {
        let at = self.inner.source(logical).filter(|_| self.inner.within.is_empty())?;
        let next = self.runs.partition_point(|run| run.logical <= at);
        let run = self.runs.get(next.checked_sub(1)?).filter(|run| at < run.end())?;
        match run.place {
            Place::At(start) => self.land.volume.to_disk(start.checked_add(at.checked_sub(run.logical)?)?),
            _ => None,
        }
    }

    fn in_container(&self, logical: u64) -> Option<(&str, u64)> {
        Some((self.within, self.inner.source(logical)?))
    }
}

/// The gap that a cut leaves. What is left of a deleted file is rarely whole: that much is expected.
fn gap(land: &Land, item: &Encoded, cut: Option<&Cut>, error: &Error) -> Gap {
    let limited = matches!(error.kind(), Kind::LimitExceeded | Kind::Encrypted | Kind::Unsupported);
    let kind = if limited || item.state == State::Deleted { GapKind::Limited } else { GapKind::Damaged };
    let member = cut.map(|cut| cut.member.as_str()).filter(|member| !member.is_empty());
    Gap {
        kind,
        volume: land.volume.name.clone(),
        disk_offset: None,
        length: None,
        path: Some(member_path(land, item.entry, member)),
        reason: error.to_string(),
    }
}

/// Path of a member of an entry's content.
pub(super) fn member_path(land: &Land, entry: EntryId, member: Option<&str>) -> String {
    // A path that cannot be built leaves the number, as in all gaps.
    let paths = land.filesystem.as_ref().and_then(|filesystem| filesystem.paths(entry).ok());
    let path = paths.and_then(|paths| paths.all.into_iter().next());
    let path = path.map_or_else(|| land.number(entry), |path| escape(&path));
    member.map_or(path.clone(), |member| format!("{path}!/{member}"))
}
