//! Walks the file systems of a disk for listings and timelines.

use super::{entries, output};
use crate::error::{Kind, Result};
use crate::filesystem::{
    Entry, EntryKind, EntryState, FileSystem, Recognised, RunReader, Stream, StreamName, Walked,
};
use crate::io::ReadAt;
use crate::location::escape;
use crate::record::EntryFacts;
use crate::scan::Disk;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Which entries and streams are listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Select {
    /// Only this volume.
    pub volume: Option<String>,
    /// Only entries at or below this path, which has no `/` at its end.
    pub below: Option<String>,
    /// Deleted entries, and those without a name, too.
    pub deleted: bool,
    /// Extended attributes and other streams, too.
    pub streams: bool,
    /// Whether contents are hashed.
    pub hash: bool,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// File systems that were read.
    pub file_systems: u64,
    /// Whether nothing stood in the way.
    pub complete: bool,
}

/// Hands every selected entry on, once for each of its names and streams. Problems go to standard error.
pub(super) fn walk(
    disk: &Disk,
    select: &Select,
    emit: &mut dyn FnMut(&EntryFacts) -> Result<()>,
) -> Result<Walk> {
    let mut listing = Listing { select, emit, complete: true, volume: None };
    let mut file_systems: u64 = 0;
    for mounted in &disk.volumes {
        let name = &mounted.volume.name;
        if select.volume.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        match &mounted.content {
            Recognised::Opened(filesystem) => {
                file_systems = file_systems.saturating_add(1);
                listing.volume = Some(mounted.reader.clone());
                listing.filesystem(name, filesystem.as_ref())?;
            }
            Recognised::Opaque { facts, error } => {
                listing.problem(&format!("{name}: {} cannot be listed: {error}", facts.kind));
            }
            Recognised::Plain(_) | Recognised::Unknown => {}
        }
    }
    Ok(Walk { file_systems, complete: listing.complete })
}

/// A walk under way.
struct Listing<'a> {
    select: &'a Select,
    emit: &'a mut dyn FnMut(&EntryFacts) -> Result<()>,
    complete: bool,
    /// The bytes of the volume that is walked.
    volume: Option<Arc<dyn ReadAt>>,
}

impl Listing<'_> {
    fn filesystem(&mut self, volume: &str, filesystem: &dyn FileSystem) -> Result<()> {
        let mut result = Ok(());
        let walked = filesystem.walk(&mut |walked| {
            result = match walked {
                Walked::Entry(entry) => self.entry(volume, filesystem, &entry),
                Walked::Problem { entry, error } => {
                    let entry =
                        entry.map(|id| format!(" inode:{}", filesystem.number(id))).unwrap_or_default();
                    self.problem(&format!("{volume}{entry}: {error}"));
                    Ok(())
                }
            };
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = walked {
            self.problem(&format!("{volume}: {error}"));
        }
        result
    }

    fn problem(&mut self, message: &str) {
        output::say(message);
        self.complete = false;
    }

    fn entry(&mut self, volume: &str, filesystem: &dyn FileSystem, entry: &Entry) -> Result<()> {
        if entry.state != EntryState::Allocated && !self.select.deleted {
            return Ok(());
        }
        let names = self.names(volume, filesystem, entry);
        if names.is_empty() {
            return Ok(());
        }
        let mut facts = entries::facts(volume, filesystem, entry);
        for stream in self.streams(entry) {
            facts.stream = stream.and_then(|stream| stream.name.shown());
            facts.size = stream.map_or(0, |stream| stream.size);
            (facts.sha256, facts.error) = (None, None);
            if let Some(stream) = stream.filter(|stream| self.hashes(entry, stream)) {
                match entries::sha256(filesystem, entry, &stream.name) {
                    Ok(digest) => facts.sha256 = Some(digest),
                    Err(error) => {
                        // What is encrypted has a digest all the same: that of its bytes as they are stored.
                        let encrypted = error.kind() == Kind::Encrypted;
                        facts.sha256 = self
                            .volume
                            .clone()
                            .filter(|_| encrypted)
                            .and_then(|volume| entries::digest(&RunReader::new(volume, stream)).ok());
                        self.complete = false;
                        facts.error = Some(error.to_string());
                    }
                }
            }
            for path in &names {
                facts.path.clone_from(path);
                (self.emit)(&facts)?;
            }
        }
        Ok(())
    }

    /// The names under which an entry is listed; one that is `None` for an entry without any.
    fn names(&mut self, volume: &str, filesystem: &dyn FileSystem, entry: &Entry) -> Vec<Option<String>> {
        let paths = match filesystem.paths(entry.id) {
            Ok(paths) => paths.all,
            Err(error) => {
                self.problem(&format!("{volume} inode:{}: {error}", filesystem.number(entry.id)));
                Vec::new()
            }
        };
        let names: Vec<_> = match paths.as_slice() {
            [] if self.select.deleted => vec![None],
            all => all.iter().map(|path| Some(escape(path))).collect(),
        };
        names.into_iter().filter(|name| self.is_below(name.as_deref())).collect()
    }

    fn is_below(&self, path: Option<&str>) -> bool {
        let Some(top) = self.select.below.as_deref() else { return true };
        let rest = path.and_then(|path| path.strip_prefix(top));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The streams that are listed: the unnamed one, or a line without one, then the named ones.
    fn streams<'e>(&self, entry: &'e Entry) -> Vec<Option<&'e Stream>> {
        let is_wanted = |stream: &&Stream| match stream.name {
            StreamName::Data => false,
            StreamName::Named(_) => true,
            StreamName::Xattr(_) | StreamName::Attribute(_) => self.select.streams,
        };
        let mut streams = vec![entry.stream(&StreamName::Data)];
        streams.extend(entry.streams.iter().filter(is_wanted).map(Some));
        streams
    }

    fn hashes(&self, entry: &Entry, stream: &Stream) -> bool {
        let is_content = match entry.kind {
            EntryKind::Directory | EntryKind::Special => stream.name != StreamName::Data,
            EntryKind::File | EntryKind::Symlink | EntryKind::Unknown => true,
        };
        self.select.hash && is_content
    }
}
