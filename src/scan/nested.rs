//! Disks inside of files that hold a system of their own: those of the Windows subsystem for Linux.

use super::Outcome;
use crate::container::{self, OpenOptions};
use crate::coverage::{Gap, GapKind};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{self, EntryId, EntryKind, FileSystem, Recognised, StreamName};
use crate::io::ReadAt;
use crate::leftover::{Members, Outer, Source};
use crate::location::escape;
use crate::volume::{self, VolumeReader};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Where such disks stand, below a directory of profiles; `*` is any one name.
const PLACES: [&str; 4] = [
    "*/AppData/Local/Packages/*/LocalState/ext4.vhdx",
    "*/AppData/Local/wsl/*/ext4.vhdx",
    "*/AppData/Local/Docker/wsl/*/ext4.vhdx",
    "*/AppData/Local/Docker/wsl/*/docker_data.vhdx",
];
/// Disks of one volume that are looked into.
const DISKS_MAX: usize = 64;
/// Names of one directory on the way that are looked at.
const NAMES_MAX: usize = 10_000;

/// Opens the file systems on such disks and adds them to the sources; what cannot be opened is a gap.
pub(super) fn add(outcome: &mut Outcome) {
    let mut inner = Vec::new();
    for source in &outcome.sources {
        if source.filesystem.facts().kind != "ntfs" {
            continue;
        }
        for (entry, path) in disks(source.filesystem.as_ref()) {
            match open(source, entry, &path) {
                Ok(sources) => inner.extend(sources),
                Err(error) => outcome.gaps.push(Gap {
                    kind: GapKind::Opaque,
                    volume: source.volume.clone(),
                    disk_offset: None,
                    length: None,
                    path: Some(path),
                    reason: error.context("disk inside of a file").to_string(),
                }),
            }
        }
    }
    outcome.sources.extend(inner);
}

/// Entry and escaped path of each such disk.
fn disks(filesystem: &dyn FileSystem) -> Vec<(EntryId, String)> {
    let Ok(users) = filesystem.find(b"/Users") else { return Vec::new() };
    let mut found = Vec::new();
    for place in PLACES {
        let mut at = vec![(users, "/Users".to_owned())];
        for part in place.split('/') {
            at = at.iter().flat_map(|(id, path)| children(filesystem, *id, path, part)).collect();
            at.truncate(NAMES_MAX);
        }
        found.extend(at);
    }
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found.truncate(DISKS_MAX);
    found
}

/// What stands in a directory under a name, or all of it. A directory that cannot be read was reported by the
/// checks, which look there too.
fn children(filesystem: &dyn FileSystem, at: EntryId, path: &str, part: &str) -> Vec<(EntryId, String)> {
    let mut found = Vec::new();
    let listed = filesystem.list(at, &mut |entry| {
        let is_wanted = part == "*" && entry.kind != EntryKind::File
            || filesystem.same_name(&entry.name, part.as_bytes());
        if is_wanted && found.len() < NAMES_MAX {
            found.push((entry.id, format!("{path}/{}", escape(&entry.name))));
        }
        ControlFlow::Continue(())
    });
    drop(listed);
    found
}

/// The file systems on one disk.
fn open(source: &Source, id: EntryId, path: &str) -> Result<Vec<Source>> {
    let entry = source.filesystem.entry(id)?;
    let content = source.filesystem.open(&entry, &StreamName::Data)?;
    let disk: Arc<dyn ReadAt> = container::open_with(content, &OpenOptions::default())?;
    let tiling = volume::tile(&disk)?;
    let mut inner = Vec::new();
    for volume in tiling.volumes.iter().chain(&tiling.logical) {
        let reader: Arc<dyn ReadAt> = Arc::new(VolumeReader::new(disk.clone(), volume.clone()));
        if let Recognised::Opened(filesystem) = filesystem::recognise(&reader) {
            let outer = Some(Outer { volume: source.volume.clone(), entry: id, path: path.to_owned() });
            let volume = format!("{}{path}:{}", source.volume, volume.name);
            inner.push(Source { volume, filesystem, members: Members::default(), outer });
        }
    }
    if inner.is_empty() {
        return Err(Error::new(Kind::Unsupported, "no file system that is read"));
    }
    Ok(inner)
}
