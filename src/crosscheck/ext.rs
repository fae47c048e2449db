//! ext2, ext3 and ext4 through the crate `ext4-view`.

use super::{Content, Difference, Tally, hash, ours};
use crate::error::{Kind, Result};
use crate::filesystem::{Entry, EntryKind, EntryState, FileSystem, Place, Role, StreamName, Walked};
use crate::io::ReadAt;
use crate::location::escape;
use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Path};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Directories below one another that the other reader's tree is followed to.
const DEPTH_MAX: usize = 512;

/// Features with which the other reader opens nothing.
const NOT_OPENED: [&str; 6] = ["inline_data", "meta_bg", "mmp", "ea_inode", "large_dir", "casefold"];

/// Limits of the other reader that its error messages show.
const KNOWN_ERRORS: [(&str, &str); 5] = [
    ("timestamp", "the other reader refuses times before 1970 and after 2038"),
    ("checksum", "the other reader refuses what fails its checksum"),
    ("encrypted", "the other reader does not read encrypted directories"),
    ("from block 0", "the other reader fails on holes that cover an indirect block"),
    ("truncated", "the other reader fails on inodes of 128 bytes with checksums"),
];

/// Gives the other reader the volume's bytes.
struct Adapter(Arc<dyn ReadAt>);

impl Ext4Read for Adapter {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.0.read_at(start_byte, dst)?)
    }
}

pub(super) fn compare(
    volume: &Arc<dyn ReadAt>,
    filesystem: &dyn FileSystem,
    tally: &mut Tally<'_>,
) -> Result<()> {
    let other = match Ext4::load(Box::new(Adapter(volume.clone()))) {
        Ok(other) => other,
        Err(error) => {
            tally.differ(not_opened(filesystem, &error));
            return Ok(());
        }
    };
    let mut seen = BTreeSet::new();
    filesystem.walk(&mut |walked| {
        match walked {
            Walked::Entry(entry) => file(&other, filesystem, &entry, &mut seen, tally),
            Walked::Problem { entry, error } => tally.differ(Difference {
                entry,
                path: None,
                stream: None,
                what: format!("this reader: {error}"),
                explained: None,
            }),
        }
        ControlFlow::Continue(())
    })?;
    tree(&other, &seen, tally);
    Ok(())
}

/// The other reader opens nothing at all.
fn not_opened(filesystem: &dyn FileSystem, error: &Ext4Error) -> Difference {
    let feature = |name: &str| filesystem.facts().features.iter().any(|feature| feature == name);
    let known = NOT_OPENED.iter().any(|name| feature(name)) || !feature("filetype");
    let explained = known.then_some("the other reader does not open file systems with these features");
    Difference {
        entry: None,
        path: None,
        stream: None,
        what: format!("the other reader does not open the file system: {error}"),
        explained: explained.or_else(|| explain(error)),
    }
}

fn explain(error: &Ext4Error) -> Option<&'static str> {
    let message = error.to_string().to_lowercase();
    KNOWN_ERRORS.iter().find(|(part, _)| message.contains(part)).map(|&(_, limit)| limit)
}

/// Compares the content of one entry by its first name, and remembers all its names.
fn file(
    other: &Ext4,
    filesystem: &dyn FileSystem,
    entry: &Entry,
    seen: &mut BTreeSet<Vec<u8>>,
    tally: &mut Tally<'_>,
) {
    let is_content =
        matches!(entry.kind, EntryKind::File | EntryKind::Symlink) && entry.role == Role::Content;
    if entry.state != EntryState::Allocated || !is_content {
        return;
    }
    let paths = match filesystem.paths(entry.id) {
        Ok(paths) => paths.all,
        Err(error) => return differ(tally, entry, None, format!("this reader: {error}"), None),
    };
    let Some(path) = paths.first() else { return };
    let mine = ours(filesystem, entry, &StreamName::Data, u64::MAX);
    let theirs = match entry.kind {
        EntryKind::Symlink => link(other, path),
        _ => content(other, path),
    };
    judge(tally, entry, path, &mine, &theirs);
    seen.extend(paths);
}

fn judge(
    tally: &mut Tally<'_>,
    entry: &Entry,
    path: &[u8],
    mine: &Result<Content>,
    theirs: &Result<Content, Ext4Error>,
) {
    let what = match (mine, theirs) {
        (Ok(mine), Ok(theirs)) if mine == theirs => return tally.same(),
        (Ok(mine), Ok(theirs)) => format!("this reader: {mine}; the other: {theirs}"),
        (Ok(mine), Err(error)) => format!("this reader: {mine}; the other: {error}"),
        (Err(error), Ok(theirs)) => format!("this reader: {error}; the other: {theirs}"),
        (Err(error), Err(other)) => format!("this reader: {error}; the other: {other}"),
    };
    let explained = match (mine, theirs) {
        (Ok(_), Ok(_)) => {
            has_unwritten(entry).then_some("the other reader takes unwritten extents for written ones")
        }
        (Ok(_), Err(error)) => explain(error),
        (Err(mine), Err(_)) if mine.kind() == Kind::Encrypted => {
            Some("neither reader reads encrypted content")
        }
        (Err(_), _) => None,
    };
    differ(tally, entry, Some(path), what, explained);
}

fn has_unwritten(entry: &Entry) -> bool {
    entry.streams.iter().flat_map(|stream| stream.runs()).any(|run| matches!(run.place, Place::Unwritten(_)))
}

fn differ(
    tally: &mut Tally<'_>,
    entry: &Entry,
    path: Option<&[u8]>,
    what: String,
    explained: Option<&'static str>,
) {
    tally.differ(Difference { entry: Some(entry.id), path: path.map(escape), stream: None, what, explained });
}

/// A path that the other reader does not take; its error type has no room for the reason.
fn malformed(_reason: ext4_view::PathError) -> Ext4Error {
    Ext4Error::MalformedPath
}

fn content(other: &Ext4, path: &[u8]) -> Result<Content, Ext4Error> {
    let path = Path::try_from(path).map_err(malformed)?;
    let mut file = other.open(path)?;
    hash(|_, buffer| file.read_bytes(buffer))
}

fn link(other: &Ext4, path: &[u8]) -> Result<Content, Ext4Error> {
    let path = Path::try_from(path).map_err(malformed)?;
    let target = other.read_link(path)?;
    let mut rest = target.as_ref().to_vec();
    hash(|_, buffer| {
        let step = rest.len().min(buffer.len());
        if let Some(front) = buffer.get_mut(..step) {
            front.copy_from_slice(&rest.drain(..step).collect::<Vec<_>>());
        }
        Ok(step)
    })
}

/// Walks the other reader's directories: a file that only it finds is a disagreement, too.
fn tree(other: &Ext4, seen: &BTreeSet<Vec<u8>>, tally: &mut Tally<'_>) {
    let mut directories = vec![(b"/".to_vec(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        let Ok(path) = Path::try_from(directory.as_slice()) else { continue };
        let listing = match other.read_dir(path) {
            Ok(listing) => listing,
            Err(error) => {
                tally.differ(missing(&directory, format!("the other reader: {error}"), explain(&error)));
                continue;
            }
        };
        for entry in listing {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    tally.differ(missing(&directory, format!("the other reader: {error}"), explain(&error)));
                    break;
                }
            };
            let name = entry.file_name();
            if name == "." || name == ".." {
                continue;
            }
            let path = entry.path().as_ref().to_vec();
            match entry.file_type() {
                Ok(FileType::Directory) if depth < DEPTH_MAX => directories.push((path, depth + 1)),
                Ok(FileType::Regular | FileType::Symlink) if !seen.contains(&path) => {
                    tally.differ(missing(&path, "only the other reader finds it".to_owned(), None));
                }
                _ => {}
            }
        }
    }
}

fn missing(path: &[u8], what: String, explained: Option<&'static str>) -> Difference {
    Difference { entry: None, path: Some(escape(path)), stream: None, what, explained }
}
