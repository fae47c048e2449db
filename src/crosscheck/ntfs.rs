//! NTFS through the crate `ntfs`.
//!
//! Records are read by number only. The crate's index iteration can be led round in circles by a damaged
//! image, and some of its parsers panic; records are therefore read behind `catch_unwind`.

use super::{Content, Difference, Tally, bounded, hash, ours};
use crate::error::Result;
use crate::filesystem::{Entry, EntryId, EntryState, FileSystem, Layout, Place, Stream, StreamName, Walked};
use crate::io::ReadAt;
use crate::location::escape;
use ntfs::{Ntfs, NtfsAttributeFlags, NtfsAttributeType, NtfsError, NtfsFileFlags, NtfsReadSeek as _};
use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// `$BadClus`, whose stream `$Bad` spans the whole volume and holds nothing.
const BAD_CLUSTERS: EntryId = EntryId(8);

/// Gives the other reader the volume's bytes.
#[derive(Debug)]
struct Adapter {
    volume: Arc<dyn ReadAt>,
    at: u64,
}

impl Read for Adapter {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let step = bounded(self.volume.size().saturating_sub(self.at), buffer.len());
        if let Some(part) = buffer.get_mut(..step) {
            self.volume.read_at(self.at, part).map_err(Error::other)?;
        }
        self.at = self.at.saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
        Ok(step)
    }
}

impl Seek for Adapter {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.volume.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// What the other reader makes of a stream.
enum Opinion {
    Content(Content),
    Failed(String),
    Limit(&'static str),
}

pub(super) fn compare(
    volume: &Arc<dyn ReadAt>,
    filesystem: &dyn FileSystem,
    tally: &mut Tally<'_>,
) -> Result<()> {
    let mut reader = Adapter { volume: volume.clone(), at: 0 };
    // A caught panic is a result here, not news for standard error.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = match caught(|| Ntfs::new(&mut reader)) {
        Ok(other) => records(&other, &mut reader, filesystem, tally),
        Err(message) => {
            let what = format!("the other reader does not open the file system: {message}");
            tally.differ(Difference { entry: None, path: None, stream: None, what, explained: None });
            Ok(())
        }
    };
    std::panic::set_hook(hook);
    result
}

/// Runs a piece of the other reader; its errors and panics become a message.
fn caught<T>(read: impl FnOnce() -> Result<T, NtfsError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}

fn records(
    other: &Ntfs,
    reader: &mut Adapter,
    filesystem: &dyn FileSystem,
    tally: &mut Tally<'_>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    filesystem.walk(&mut |walked| {
        match walked {
            Walked::Entry(entry) if entry.state == EntryState::Deleted => {}
            Walked::Entry(entry) => {
                seen.insert(entry.id.0);
                streams(other, reader, filesystem, &entry, tally);
            }
            Walked::Problem { entry, error } => {
                seen.extend(entry.map(|id| id.0));
                let what = format!("this reader: {error}");
                tally.differ(Difference { entry, path: None, stream: None, what, explained: None });
            }
        }
        ControlFlow::Continue(())
    })?;
    unseen(other, reader, &seen, tally);
    Ok(())
}

fn streams(
    other: &Ntfs,
    reader: &mut Adapter,
    filesystem: &dyn FileSystem,
    entry: &Entry,
    tally: &mut Tally<'_>,
) {
    let is_data = |stream: &&Stream| matches!(stream.name, StreamName::Data | StreamName::Named(_));
    for stream in entry.streams.iter().filter(is_data) {
        if entry.id == BAD_CLUSTERS && stream.name != StreamName::Data {
            continue;
        }
        // Bytes past the initialised size are zeros by definition; the other reader shows the clusters.
        let length = stream.initialised.min(stream.size);
        let theirs = theirs(other, reader, entry.id, stream, length);
        let mine = ours(filesystem, entry, &stream.name, length);
        let (what, explained) = match (mine, theirs) {
            (Ok(mine), Opinion::Content(theirs)) if mine == theirs => {
                tally.same();
                continue;
            }
            (Ok(mine), Opinion::Content(theirs)) => {
                (format!("this reader: {mine}; the other: {theirs}"), None)
            }
            (Ok(mine), Opinion::Failed(message)) => {
                (format!("this reader: {mine}; the other: {message}"), None)
            }
            (Ok(mine), Opinion::Limit(limit)) => (format!("this reader: {mine}"), Some(limit)),
            (Err(error), Opinion::Limit(limit)) if matches!(stream.layout, Layout::Encrypted(_)) => {
                (format!("this reader: {error}"), Some(limit))
            }
            (Err(error), _) => (format!("this reader: {error}"), None),
        };
        let path =
            filesystem.paths(entry.id).ok().and_then(|paths| paths.all.first().map(|path| escape(path)));
        let stream = stream.name.shown();
        tally.differ(Difference { entry: Some(entry.id), path, stream, what, explained });
    }
}

/// The first `length` bytes of a stream through the other reader.
fn theirs(other: &Ntfs, reader: &mut Adapter, id: EntryId, stream: &Stream, length: u64) -> Opinion {
    let wanted = match &stream.name {
        StreamName::Named(name) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    };
    // A position of 0 stands for "nowhere" in the other reader, so that it reads a run there as zeros.
    if stream.runs().iter().any(|run| run.place == Place::At(0)) {
        return Opinion::Limit("the other reader takes the volume's first cluster for a hole");
    }
    let read = caught(|| {
        let file = other.file(reader, id.0)?;
        let mut has_list = false;
        for attribute in file.attributes_raw() {
            let attribute = attribute?;
            match attribute.ty()? {
                NtfsAttributeType::AttributeList => has_list = true,
                NtfsAttributeType::Data if attribute.name()?.to_string_lossy() == wanted => {
                    if has_list {
                        break;
                    }
                    let flags = attribute.flags();
                    if flags.contains(NtfsAttributeFlags::COMPRESSED) {
                        return Ok(Opinion::Limit("the other reader does not decode compressed streams"));
                    }
                    if flags.contains(NtfsAttributeFlags::ENCRYPTED) {
                        return Ok(Opinion::Limit("encrypted streams have no content to compare"));
                    }
                    let mut value = attribute.value(reader)?;
                    let content = hash(|at, buffer| {
                        let step = bounded(length.saturating_sub(at), buffer.len());
                        let part = buffer.get_mut(..step).unwrap_or_default();
                        if part.is_empty() { Ok(0) } else { value.read(reader, part) }
                    });
                    return content.map(Opinion::Content);
                }
                _ => {}
            }
        }
        if has_list {
            return Ok(Opinion::Limit(
                "the other reader loses parts of attributes split over several records",
            ));
        }
        Ok(Opinion::Failed("it has no such stream".to_owned()))
    });
    read.unwrap_or_else(Opinion::Failed)
}

/// Records in use that only the other reader takes for files.
fn unseen(other: &Ntfs, reader: &mut Adapter, seen: &BTreeSet<u64>, tally: &mut Tally<'_>) {
    let size = caught(|| {
        let table = other.file(reader, 0)?;
        for attribute in table.attributes_raw() {
            let attribute = attribute?;
            if attribute.ty()? == NtfsAttributeType::Data {
                return Ok(attribute.value_length());
            }
        }
        Ok(0)
    });
    let record = u64::from(other.file_record_size()).max(1);
    let records = size.unwrap_or(0).min(reader.volume.size()) / record;
    for number in (0..records).filter(|number| !seen.contains(number)) {
        let is_file = caught(|| {
            let file = other.file(reader, number)?;
            // Extension records hold no standard information.
            Ok(file.flags().contains(NtfsFileFlags::IN_USE) && file.info().is_ok())
        });
        if is_file == Ok(true) {
            let what = "only the other reader takes the record for a file".to_owned();
            let entry = Some(EntryId(number));
            tally.differ(Difference { entry, path: None, stream: None, what, explained: None });
        }
    }
}
