//! From the text of a place to the bytes there.

use crate::error::{Error, Kind, Result};
use crate::filesystem::{EntryId, FileSystem, Recognised, StreamName};
use crate::io::ReadAt;
use crate::location::{Place, Target, escape, unescape};
use crate::scan::{Disk, OpenVolume};
use std::sync::Arc;

/// Opens the disk, volume or stream that `place` names; its offsets are the caller's business.
///
/// # Errors
/// [`Kind::NotFound`] when there is no such place, [`Kind::Usage`] when there are several, and damage.
pub(super) fn open(disk: &Disk, place: &Place) -> Result<Arc<dyn ReadAt>> {
    if let Some(volume) = nested(disk, place) {
        return Ok(volume.reader.clone());
    }
    if place.member.is_some() {
        return Err(Error::unsupported("content inside of archives; the archive itself can be read"));
    }
    match &place.target {
        Target::Disk => {
            let disk: Arc<dyn ReadAt> = disk.image.clone();
            Ok(disk)
        }
        Target::Volume => volume(disk, place.volume.as_deref().unwrap_or_default()),
        Target::Path(_) | Target::Inode(_) => entry(disk, place),
    }
}

/// The volume of a disk image in a file, whose name reads like a member of an archive.
fn nested<'a>(disk: &'a Disk, place: &Place) -> Option<&'a OpenVolume> {
    let (Target::Path(path), Some(member)) = (&place.target, &place.member) else { return None };
    let outer = place.volume.as_deref()?;
    let name = format!("{outer}:{path}!/{member}");
    disk.volumes.iter().find(|open| open.nested && open.volume.name == name)
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
fn outside(disk: &Disk, name: &str) -> Result<Option<Arc<dyn ReadAt>>> {
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

/// Opens a stream of an entry. Without a volume, every file system is asked, and one has to answer.
fn entry(disk: &Disk, place: &Place) -> Result<Arc<dyn ReadAt>> {
    let mut found: Vec<(String, Arc<dyn ReadAt>)> = Vec::new();
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
                    Ok(stream) => found.push((name.clone(), stream)),
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
        let volumes: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("found in several volumes, name one of {}: `VOLUME:/PATH`", volumes.join(", "));
        return Err(Error::new(Kind::Usage, message));
    }
    found.pop().map(|(_, stream)| stream).ok_or_else(|| not_found(place, asked))
}

fn not_found(place: &Place, asked: usize) -> Error {
    let volume =
        place.volume.as_deref().map(|name| format!(" on {}", escape(name.as_bytes()))).unwrap_or_default();
    let message = match (&place.target, asked) {
        (_, 0) => format!("no file system that can be read{volume}"),
        (Target::Path(path), _) => format!("no such path: {}", escape(&unescape(path))),
        (Target::Inode(number), _) => format!("no such inode: {number}"),
        (Target::Disk | Target::Volume, _) => "no such place".to_owned(),
    };
    Error::new(Kind::NotFound, message)
}

fn stream(filesystem: &dyn FileSystem, place: &Place) -> Result<Arc<dyn ReadAt>> {
    let name = place.stream.as_deref().map_or(StreamName::Data, StreamName::parse);
    let id = match &place.target {
        Target::Inode(number) => EntryId(*number),
        Target::Path(path) => match filesystem.find(&unescape(path)) {
            Ok(id) => id,
            Err(error) if error.kind() == Kind::NotFound => return literally(filesystem, path, place, error),
            Err(error) => return Err(error),
        },
        Target::Disk | Target::Volume => return Err(Error::new(Kind::NotFound, "no such entry")),
    };
    filesystem.open(&filesystem.entry(id)?, &name)
}

/// A path whose name really holds a `:`, where what follows it was taken for a stream.
fn literally(
    filesystem: &dyn FileSystem,
    path: &str,
    place: &Place,
    error: Error,
) -> Result<Arc<dyn ReadAt>> {
    let Some(rest) = &place.stream else { return Err(error) };
    let id = filesystem.find(&unescape(&format!("{path}:{rest}")))?;
    filesystem.open(&filesystem.entry(id)?, &StreamName::Data)
}
