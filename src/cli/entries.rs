//! Entries of file systems as listings show them, with the names that findings use.

use crate::error::Result;
use crate::filesystem::{Entry, EntryKind, EntryNumber, EntryState, FileSystem, Role, StreamName, Times};
use crate::io::ReadAt;
use crate::location::escape;
use crate::record::EntryFacts;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Bytes that are hashed or copied at a time.
pub(super) const CHUNK: usize = 1 << 20;

/// What all names and streams of `entry` share.
pub(super) fn facts(volume: &str, filesystem: &dyn FileSystem, entry: &Entry) -> EntryFacts {
    let EntryNumber { number, version } = filesystem.number(entry.id);
    let Times { modified, accessed, changed, created, deleted } = entry.times;
    EntryFacts {
        volume: volume.to_owned(),
        fs: filesystem.facts().kind,
        inode: number,
        version,
        kind: kind(entry),
        state: state(entry.state),
        mtime: modified.map(shown),
        atime: accessed.map(shown),
        ctime: changed.map(shown),
        crtime: created.map(shown),
        dtime: deleted.map(shown),
        owner_uid: entry.owner.uid,
        owner_gid: entry.owner.gid,
        mode: entry.owner.mode.map(|mode| format!("{mode:04o}")),
        links: entry.links,
        notes: notes(entry),
        ..EntryFacts::default()
    }
}

/// What a reader should know of an entry, escaped.
pub(super) fn notes(entry: &Entry) -> Vec<String> {
    entry.notes.iter().map(|note| escape(note.as_bytes())).collect()
}

/// A time as reports show it: RFC 3339, UTC, nanoseconds.
fn shown(time: Timestamp) -> String {
    format!("{time:.9}")
}

fn kind(entry: &Entry) -> &'static str {
    match (entry.role, entry.kind) {
        (Role::Journal, _) => "journal",
        (Role::Metadata, _) => "metadata",
        (Role::Content, EntryKind::File) => "file",
        (Role::Content, EntryKind::Directory) => "directory",
        (Role::Content, EntryKind::Symlink) => "symlink",
        (Role::Content, EntryKind::Special) => "special",
        (Role::Content, EntryKind::Unknown) => "unknown",
    }
}

fn state(state: EntryState) -> &'static str {
    match state {
        EntryState::Allocated => "allocated",
        EntryState::Deleted => "deleted",
        EntryState::Orphan => "orphan",
    }
}

/// SHA-256 of a stream's content, in hexadecimal.
pub(super) fn sha256(filesystem: &dyn FileSystem, entry: &Entry, stream: &StreamName) -> Result<String> {
    digest(filesystem.open(entry, stream)?.as_ref())
}

/// SHA-256 of all bytes of a layer, in hexadecimal.
pub(super) fn digest(content: &dyn ReadAt) -> Result<String> {
    let mut hasher = Sha256::new();
    copy(content, 0, content.size(), &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(data_encoding::HEXLOWER.encode(&hasher.finalize()))
}

/// Hands `length` bytes from `offset` on to `take`, a chunk at a time.
pub(super) fn copy(
    from: &dyn ReadAt,
    offset: u64,
    length: u64,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK))];
    let (mut at, mut left) = (offset, length);
    while left > 0 {
        let step = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(chunk) = buffer.get_mut(..step) else { break };
        from.read_at(at, chunk)?;
        take(chunk)?;
        let step = u64::try_from(step).unwrap_or(u64::MAX);
        (at, left) = (at.saturating_add(step), left.saturating_sub(step));
    }
    Ok(())
}
