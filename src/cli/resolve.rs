//! From the text of a place to the bytes there.

use crate::content::carved::Name;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{
    Entry, EntryId, EntryNumber, EntryState, FileSystem, Place as RunPlace, Recognised, RunReader, Stream,
    StreamName, Walked,
};
use crate::io::{ReadAt, Window};
use crate::location::{Place, Target, escape, unescape};
use crate::scan::{Disk, OpenVolume};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The place that is meant: what reads like a member of an archive may be a volume of a disk image in a file.
pub(super) fn settle(disk: &Disk, place: Place) -> Place {
    let (Target::Path(path), Some(member), Some(outer)) = (&place.target, &place.member, &place.volume)
    else {
        return place;
    };
    let is_volume = |name: &str| disk.volumes.iter().any(|open| open.nested && open.volume.name == name);
    let all = format!("{outer}:{path}!/{member}");
    let (volume, carved) = all
        .match_indices("!/")
        .filter_map(|(at, mark)| Some((all.get(..at)?, all.get(at.checked_add(mark.len())?..)?)))
        .find(|(volume, rest)| is_volume(volume) && Name::split(rest).is_some())
        .unwrap_or((&all, ""));
    if is_volume(volume) {
        let member = (!carved.is_empty()).then(|| carved.to_owned());
        Place { volume: Some(volume.to_owned()), target: Target::Volume, member, ..place }
    } else {
        place
    }
}

/// Opens the disk, volume or stream that `place` names; its offsets and its member are the caller's business.
///
/// # Errors
/// [`Kind::NotFound`] when there is no such place, [`Kind::Usage`] when there are several, and damage.
pub(super) fn open(disk: &Disk, place: &Place) -> Result<Arc<dyn ReadAt>> {
    match &place.target {
        Target::Disk => {
            let disk: Arc<dyn ReadAt> = disk.image.clone();
            Ok(disk)
        }
        Target::Volume => volume(disk, place.volume.as_deref().unwrap_or_default()),
        Target::Path(_) | Target::Inode { .. } => {
            let found = entry(disk, place)?;
            found.filesystem.open(&found.entry, &found.stream)
        }
    }
}

/// Opens content that no file owns and that starts at byte `at` of the disk or the volume that `place` names.
///
/// # Errors
/// As [`open`].
pub(super) fn carved(disk: &Disk, place: &Place, at: u64) -> Result<Arc<dyn ReadAt>> {
    if let Some(unowned) = disk.unowned(place.volume.as_deref(), at)? {
        return Ok(Arc::new(unowned));
    }
    let whole = open(disk, place)?;
    let length = whole.size().checked_sub(at);
    let length = length.ok_or_else(|| Error::truncated("content", at, 1, whole.size()))?;
    Ok(Arc::new(Window::new(whole, at, length)?))
}

/// Opens all blocks of the stream that `place` names, as they lie on the disk: what is behind the content's end,
/// reserved or superseded included, and encoded bytes as they are stored.
///
/// # Errors
/// As [`open`]; [`Kind::Usage`] where the place is no stream of blocks.
pub(super) fn open_raw(disk: &Disk, place: &Place) -> Result<Arc<dyn ReadAt>> {
    if matches!(place.target, Target::Disk | Target::Volume) {
        return open(disk, place);
    }
    let found = entry(disk, place)?;
    let stream = found.entry.stream(&found.stream).filter(|stream| !stream.runs().is_empty());
    let stream = stream
        .ok_or_else(|| Error::new(Kind::Usage, "the stream has no blocks of its own, and so no slack"))?;
    Ok(Arc::new(RunReader::new(found.volume.reader.clone(), &as_stored(stream))))
}

/// The same where `offset` lies behind the content's end and in its blocks still, as the places of slack do.
pub(super) fn open_behind(disk: &Disk, place: &Place, offset: u64) -> Option<Arc<dyn ReadAt>> {
    open_raw(disk, place).ok().filter(|blocks| offset < blocks.size())
}

/// The stream as its blocks are, to the end of the last one.
fn as_stored(stream: &Stream) -> Stream {
    let mut runs = stream.runs().to_vec();
    for run in &mut runs {
        if let RunPlace::Unwritten(at) = run.place {
            run.place = RunPlace::At(at);
        }
    }
    Stream::of_runs(stream.name.clone(), runs)
}

fn volume(disk: &Disk, name: &str) -> Result<Arc<dyn ReadAt>> {
    let all: Vec<_> = disk.volumes.iter().map(|mounted| mounted.volume.name.as_str()).collect();
    let mut named = disk.volumes.iter().filter(|mounted| mounted.volume.name == name);
    match (named.next(), named.next()) {
        (Some(volume), None) => Ok(volume.reader.clone()),
        (Some(_), Some(_)) => Err(Error::new(
            Kind::Usage,
            format!(
                "several volumes are called `{}`; name the place on the disk: `disk @ OFFSET`",
                escape(name.as_bytes())
            ),
        )),
        (None, _) => {
            if let Some(outside) = outside(disk, name)? {
                return Ok(outside);
            }
            let message = format!("no volume `{}`; there are {}", escape(name.as_bytes()), all.join(", "));
            Err(Error::new(Kind::NotFound, message))
        }
    }
}

/// A file of the container, or the disk as an internal snapshot has it, by its name in reports.
///
/// # Errors
/// What the container reports.
pub(super) fn outside(disk: &Disk, name: &str) -> Result<Option<Arc<dyn ReadAt>>> {
    let (kind, number) = name.split_once(':').unwrap_or((name, "1"));
    let Some(index) = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) else {
        return Ok(None);
    };
    Ok(match kind {
        "container" => disk.image.residual()?.into_iter().nth(index).map(|residual| residual.file),
        "snapshot" => {
            let snapshot = disk.image.snapshots().into_iter().nth(index).transpose()?;
            snapshot.map(|snapshot| snapshot.disk)
        }
        _ => None,
    })
}

/// A stream of an entry on its volume.
struct Found<'a> {
    volume: &'a OpenVolume,
    filesystem: &'a dyn FileSystem,
    entry: Entry,
    stream: StreamName,
}

/// Finds a stream of an entry. Without a volume, every file system is asked, and one has to answer.
fn entry<'a>(disk: &'a Disk, place: &Place) -> Result<Found<'a>> {
    let mut found: Vec<Found<'a>> = Vec::new();
    let mut asked = 0;
    for mounted in &disk.volumes {
        let name = &mounted.volume.name;
        if place.volume.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        match &mounted.content {
            Recognised::Opened(filesystem) => {
                asked += 1;
                match stream(filesystem.as_ref(), place) {
                    Ok((entry, stream)) => {
                        found.push(Found { volume: mounted, filesystem: filesystem.as_ref(), entry, stream });
                    }
                    Err(error) if error.kind() == Kind::NotFound && place.volume.is_none() => {}
                    Err(error) => return Err(error.context(name)),
                }
            }
            Recognised::Opaque { error, .. } if place.volume.is_some() => {
                return Err(Error::new(Kind::Unsupported, format!("{name} cannot be read: {error}")));
            }
            _ => {}
        }
    }
    if found.len() > 1 {
        let volumes: Vec<_> = found.iter().map(|found| found.volume.volume.name.as_str()).collect();
        let message = format!("found in several volumes, name one of {}: `VOLUME:/PATH`", volumes.join(", "));
        return Err(Error::new(Kind::Usage, message));
    }
    found.pop().ok_or_else(|| not_found(place, asked))
}

fn not_found(place: &Place, asked: usize) -> Error {
    let volume =
        place.volume.as_deref().map(|name| format!(" on {}", escape(name.as_bytes()))).unwrap_or_default();
    let message = match (&place.target, asked) {
        (_, 0) => format!("no file system that can be read{volume}"),
        (Target::Path(path), _) => format!("no such path: {}", escape(&unescape(path))),
        (Target::Inode { number, .. }, _) => format!("no such inode: {number}"),
        (Target::Disk | Target::Volume, _) => "no such place".to_owned(),
    };
    Error::new(Kind::NotFound, message)
}

fn stream(filesystem: &dyn FileSystem, place: &Place) -> Result<(Entry, StreamName)> {
    let name = place.stream.as_deref().map_or(StreamName::Data, StreamName::parse);
    match &place.target {
        Target::Inode { number, version } => {
            let id = filesystem.numbered(EntryNumber { number: *number, version: *version });
            Ok((filesystem.entry(id)?, name))
        }
        Target::Path(path) => by_path(filesystem, path, place.stream.as_deref(), name),
        Target::Disk | Target::Volume => Err(Error::new(Kind::NotFound, "no such entry")),
    }
}

/// The entry at a path: the one in use, else one whose name really holds a `:`, where what follows it was taken
/// for a stream, else a deleted one.
fn by_path(
    filesystem: &dyn FileSystem,
    path: &str,
    rest: Option<&str>,
    name: StreamName,
) -> Result<(Entry, StreamName)> {
    let wanted = unescape(path);
    let error = match filesystem.find(&wanted) {
        Ok(id) => return Ok((filesystem.entry(id)?, name)),
        Err(error) if error.kind() == Kind::NotFound => error,
        Err(error) => return Err(error),
    };
    let literal = rest.map(|rest| unescape(&format!("{path}:{rest}")));
    if let Some(id) = literal.as_ref().and_then(|literal| filesystem.find(literal).ok()) {
        return Ok((filesystem.entry(id)?, StreamName::Data));
    }
    if let Some(entry) = deleted(filesystem, &wanted)? {
        return Ok((entry, name));
    }
    match literal.map(|literal| deleted(filesystem, &literal)).transpose()?.flatten() {
        Some(entry) => Ok((entry, StreamName::Data)),
        None => Err(error),
    }
}

/// The deleted entry that was known by a path.
///
/// # Errors
/// [`Kind::Usage`] where there are several.
fn deleted(filesystem: &dyn FileSystem, path: &[u8]) -> Result<Option<Entry>> {
    /// Entries that an error message names.
    const SHOWN_MAX: usize = 8;
    let mut found: Vec<EntryId> = Vec::new();
    filesystem.walk(&mut |walked| {
        if let Walked::Entry(entry) = walked
            && entry.state != EntryState::Allocated
            && filesystem.paths(entry.id).is_ok_and(|paths| paths.all.iter().any(|one| one == path))
        {
            found.push(entry.id);
        }
        ControlFlow::Continue(())
    })?;
    match found.as_slice() {
        [] => Ok(None),
        [id] => filesystem.entry(*id).map(Some),
        several => {
            let shown = several.iter().take(SHOWN_MAX).map(|id| format!("inode:{}", filesystem.number(*id)));
            let message = format!(
                "{} deleted entries had the path {}; name one of them: {}",
                several.len(),
                escape(path),
                shown.collect::<Vec<_>>().join(", ")
            );
            Err(Error::new(Kind::Usage, message))
        }
    }
}
