//! `--recover`: writes what carries findings to a folder, for a closer look.
//!
//! Nothing of the image decides where anything is written: files are numbered, what is appended of their names
//! is reduced to letters, digits and a few marks, and there are no folders. The folder has to be a new or an
//! empty one, so that no file is ever replaced and no link followed.

use super::entries::{self, CHUNK};
use super::member;
use super::resolve::{self, outside};
use crate::content::carved::{self, Name};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{Entry, EntryKind, EntryNumber, FileSystem, StreamName};
use crate::finding::{Finding, Location};
use crate::io::ReadAt;
use crate::location::{Place, State, unescape};
use crate::report;
use crate::scan::Disk;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes written of one file or range; a sparse file may claim any size.
const BYTES_MAX: u64 = 1 << 30;
/// Bytes of the disk written before and after a finding that no file's content holds.
const AROUND: u64 = 32 << 10;
/// Ranges of the disk are written in whole blocks of this size.
const BLOCK: u64 = 4096;
/// Granularity in which bytes that cannot be read are passed over.
const SECTOR: usize = 512;
/// Characters of a name that are kept.
const NAME_MAX: usize = 80;
/// The list of what was written.
const MANIFEST: &str = "manifest.jsonl";

/// A folder that is being filled.
#[derive(Debug)]
pub(super) struct Recover {
    folder: PathBuf,
    manifest: File,
    count: u64,
    wanted: BTreeMap<Source, Vec<String>>,
}

/// What findings lie in: the content of a stream, a member of content without a file, or a stretch of the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Stream { volume: String, inode: u64, version: Option<u64>, stream: Option<String>, state: Option<State> },
    Member { volume: String, on_disk: bool, name: Name, path: String, state: Option<State> },
    Disk { start: u64, end: u64, volume: String, state: Option<State> },
}

/// A line of the manifest.
#[derive(Debug, Default, Serialize)]
struct Written<'a> {
    /// Name in the folder; absent where nothing could be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    image: &'a str,
    volume: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
    /// Path of a member of content without a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// Offset on the disk of a range that is no stream, or of the first byte of content without a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_offset: Option<u64>,
    /// Length of the content; more than what was written where that was cut.
    size: u64,
    /// Bytes written.
    written: u64,
    /// SHA-256 of the bytes written.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Parts of the content that could not be read and stand as zeros: from, to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<(u64, u64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Ids of the findings in it.
    findings: &'a [String],
}

impl Recover {
    /// Makes the folder, or takes it where it is empty.
    ///
    /// # Errors
    /// [`Kind::Usage`] where it holds anything or is none, [`Kind::Io`] where it cannot be made.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let failed = |source| Error::io("cannot make the folder", source).in_file(folder);
        match std::fs::symlink_metadata(folder) {
            Ok(found) => {
                let is_empty = found.is_dir() && std::fs::read_dir(folder).map_err(failed)?.next().is_none();
                if !is_empty {
                    let message = "--recover needs a folder that is new or empty: nothing is ever replaced";
                    return Err(Error::new(Kind::Usage, message).in_file(folder));
                }
            }
            Err(_) => private_folder().create(folder).map_err(failed)?,
        }
        let manifest = create_new(&folder.join(MANIFEST))?;
        Ok(Self { folder: folder.to_path_buf(), manifest, count: 0, wanted: BTreeMap::new() })
    }

    /// Notes what a finding lies in.
    pub(super) fn add(&mut self, finding: &Finding) {
        let Some(source) = source(&finding.place, finding.length.unwrap_or(0)) else { return };
        let findings = self.wanted.entry(source).or_default();
        findings.push(finding.id.clone());
    }

    /// Writes what has been noted of one image.
    ///
    /// # Errors
    /// Where the folder cannot be written to; what cannot be read of the image is said in the manifest.
    pub(super) fn write(&mut self, image: &str, disk: &Disk) -> Result<()> {
        for (source, findings) in joined(std::mem::take(&mut self.wanted)) {
            let written = match &source {
                Source::Stream { .. } => self.stream(image, disk, &source, &findings)?,
                Source::Member { .. } => self.member(image, disk, &source, &findings)?,
                Source::Disk { start, end, volume, state } => {
                    // Volumes outside of the disk have their own offsets.
                    let outside =
                        if *state == Some(State::Container) { outside(disk, volume)? } else { None };
                    let name = if outside.is_some() { "container" } else { "disk" };
                    let bytes = outside.unwrap_or_else(|| disk.image.clone());
                    let end = (*end).min(bytes.size());
                    let name = format!("{name}-{start}");
                    let (state, findings) = (*state, findings.as_slice());
                    let about = Written { image, volume, state, findings, ..Written::default() };
                    self.content(bytes.as_ref(), *start..end, &name, about)?
                }
            };
            report::write_line(&mut self.manifest, &written).map_err(|source| self.unwritable(source))?;
        }
        self.manifest.flush().map_err(|source| self.unwritable(source))
    }

    /// Writes a stream.
    fn stream<'a>(
        &mut self,
        image: &'a str,
        disk: &Disk,
        source: &'a Source,
        findings: &'a [String],
    ) -> Result<Written<'a>> {
        let Source::Stream { volume, inode, version, stream, state } = source else {
            return Ok(Written::default());
        };
        let (inode, version, state) = (*inode, *version, *state);
        let mut about =
            Written { image, volume, inode: Some(inode), version, state, findings, ..Written::default() };
        about.stream = stream.as_deref();
        let mounted = disk.volumes.iter().filter(|mounted| mounted.volume.name == *volume);
        let Some(filesystem) = mounted.filter_map(|mounted| mounted.filesystem()).next() else {
            about.error = Some("the volume has no file system that is read".to_owned());
            return Ok(about);
        };
        match open(filesystem.as_ref(), EntryNumber { number: inode, version }, stream.as_deref()) {
            Ok((entry, content)) => {
                let paths = filesystem.paths(entry.id).unwrap_or_default().all;
                let path = paths.into_iter().next();
                let number = filesystem.number(entry.id);
                let mut name = path.clone().unwrap_or_else(|| format!("inode-{number}").into_bytes());
                if let Some(stream) = stream {
                    name.push(b'-');
                    name.extend(unescape(stream));
                }
                about.path = path.map(|path| crate::location::escape(&path));
                about.notes = entries::notes(&entry);
                let all = 0..content.size();
                self.content(content.as_ref(), all, &safe(&name), about)
            }
            Err(error) => {
                about.error = Some(error.to_string());
                Ok(about)
            }
        }
    }

    /// Writes a member of content without a file, decoded.
    fn member<'a>(
        &mut self,
        image: &'a str,
        disk: &Disk,
        source: &'a Source,
        findings: &'a [String],
    ) -> Result<Written<'a>> {
        let Source::Member { volume, on_disk, name, path, state } = source else {
            return Ok(Written::default());
        };
        let member = Some(name.before(path));
        let mut about = Written { image, volume, member, state: *state, findings, ..Written::default() };
        about.disk_offset = on_disk.then_some(name.at);
        let place = Place::bytes((!on_disk).then(|| volume.clone()));
        let opened = resolve::carved(disk, &place, name.at);
        let (file, mut out) = self.next(&safe(path.as_bytes()))?;
        let (mut hasher, mut unwritable) = (Sha256::new(), None);
        let range = member::Range { offset: 0, length: None };
        let copied = opened.and_then(|content| {
            member::copy((content.as_ref(), carved::decoder), path, range, &mut |bytes| {
                about.size = about.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                let room = usize::try_from(BYTES_MAX.saturating_sub(about.written)).unwrap_or(usize::MAX);
                let part = bytes.get(..room.min(bytes.len())).unwrap_or_default();
                hasher.update(part);
                about.written = about.written.saturating_add(u64::try_from(part.len()).unwrap_or(0));
                out.write_all(part).map_err(|source| {
                    unwritable = Some(source);
                    Error::new(Kind::Io, "cannot write")
                })
            })
        });
        if let Some(source) = unwritable {
            return Err(self.unwritable(source));
        }
        out.flush().map_err(|source| self.unwritable(source))?;
        // What comes before the place at which it breaks off is there.
        about.error = copied.err().map(|error| error.to_string());
        about.sha256 = Some(data_encoding::HEXLOWER.encode(&hasher.finalize()));
        about.file = Some(file);
        Ok(about)
    }

    /// Makes the next file.
    fn next(&mut self, name: &str) -> Result<(String, File)> {
        self.count = self.count.saturating_add(1);
        let file = format!("{:05}-{name}", self.count);
        let out = create_new(&self.folder.join(&file))?;
        Ok((file, out))
    }

    /// Writes a range of `content` to the next file.
    fn content<'a>(
        &mut self,
        content: &dyn ReadAt,
        range: Range<u64>,
        name: &str,
        mut about: Written<'a>,
    ) -> Result<Written<'a>> {
        let (file, mut out) = self.next(name)?;
        let length = range.end.saturating_sub(range.start);
        if about.inode.is_none() {
            about.disk_offset = Some(range.start);
        }
        about.size = length;
        about.written = length.min(BYTES_MAX);
        let end = range.start.saturating_add(about.written);
        let mut hasher = Sha256::new();
        let mut at = range.start;
        let mut buffer = vec![0; CHUNK];
        while at < end {
            let step = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(CHUNK);
            let Some(chunk) = buffer.get_mut(..step) else { break };
            if content.read_at(at, chunk).is_err() {
                by_sector(content, at, chunk, &mut |lost| note(&mut about.missing, lost, range.start));
            }
            hasher.update(&*chunk);
            out.write_all(chunk).map_err(|source| self.unwritable(source))?;
            at = at.saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
        }
        out.flush().map_err(|source| self.unwritable(source))?;
        about.sha256 = Some(data_encoding::HEXLOWER.encode(&hasher.finalize()));
        about.file = Some(file);
        Ok(about)
    }

    fn unwritable(&self, source: std::io::Error) -> Error {
        Error::io("cannot write", source).in_file(&self.folder)
    }
}

/// Reads what can be read of a chunk, with zeros for the rest.
fn by_sector(content: &dyn ReadAt, at: u64, chunk: &mut [u8], lose: &mut dyn FnMut(Range<u64>)) {
    let mut offset = at;
    for part in chunk.chunks_mut(SECTOR) {
        let end = offset.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        if content.read_at(offset, part).is_err() {
            part.fill(0);
            lose(offset..end);
        }
        offset = end;
    }
}

/// Adds a range that was lost, counted from `base`, joined to the one before it where they touch.
fn note(missing: &mut Vec<(u64, u64)>, lost: Range<u64>, base: u64) {
    let (from, to) = (lost.start.saturating_sub(base), lost.end.saturating_sub(base));
    match missing.last_mut() {
        Some(last) if last.1 == from => last.1 = to,
        _ => missing.push((from, to)),
    }
}

/// What a finding lies in; `None` for what is nowhere on the disk.
fn source(place: &Location, length: u64) -> Option<Source> {
    let is_content = matches!(place.state, None | Some(State::Allocated | State::Deleted | State::Orphan));
    if let Some(inode) = place.inode.filter(|_| is_content) {
        return Some(Source::Stream {
            volume: place.volume.clone(),
            inode,
            version: place.version,
            stream: place.stream.clone(),
            state: place.state,
        });
    }
    let member = place.member.as_deref().filter(|_| place.inode.is_none() && place.file_offset.is_some());
    if let Some((name, path)) = member.and_then(Name::split) {
        return Some(Source::Member {
            volume: place.volume.clone(),
            on_disk: place.disk_offset.is_some(),
            name,
            path: path.to_owned(),
            state: place.state,
        });
    }
    let outside = place.file_offset.filter(|_| place.state == Some(State::Container));
    let at = outside.or(place.disk_offset)?;
    let start = at.saturating_sub(AROUND) / BLOCK * BLOCK;
    let end = at.saturating_add(length).saturating_add(AROUND).next_multiple_of(BLOCK);
    Some(Source::Disk { start, end, volume: place.volume.clone(), state: place.state })
}

/// The same, with stretches of the disk that overlap joined where they are of one volume and state.
fn joined(wanted: BTreeMap<Source, Vec<String>>) -> Vec<(Source, Vec<String>)> {
    let mut out: Vec<(Source, Vec<String>)> = Vec::new();
    for (source, findings) in wanted {
        if let Source::Disk { start, end, volume, state } = &source
            && let Some((Source::Disk { end: last_end, volume: last_volume, state: last_state, .. }, ids)) =
                out.last_mut()
            && (*start <= *last_end && volume == last_volume && state == last_state)
        {
            *last_end = (*last_end).max(*end);
            ids.extend(findings);
        } else {
            out.push((source, findings));
        }
    }
    out
}

/// Opens the stream of a file.
fn open(
    filesystem: &dyn FileSystem,
    number: EntryNumber,
    stream: Option<&str>,
) -> Result<(Entry, std::sync::Arc<dyn ReadAt>)> {
    let entry = filesystem.entry(filesystem.numbered(number))?;
    let name = stream.map_or(StreamName::Data, StreamName::parse);
    if entry.kind == EntryKind::Directory && name == StreamName::Data {
        return Err(Error::new(Kind::Unsupported, "a directory, which has no content to write"));
    }
    let content = filesystem.open(&entry, &name)?;
    Ok((entry, content))
}

/// A name from the image as part of a file name: its end, in letters, digits, `.`, `_` and `-`.
fn safe(name: &[u8]) -> String {
    let kept: String = name
        .iter()
        .map(|&byte| match byte {
            b'/' => '-',
            b'.' | b'_' | b'-' => char::from(byte),
            _ if byte.is_ascii_alphanumeric() => char::from(byte),
            _ => '_',
        })
        .collect();
    // All characters take one byte.
    let end = kept.get(kept.len().saturating_sub(NAME_MAX)..).unwrap_or_default();
    end.trim_start_matches(['.', '-']).trim_end_matches('.').to_owned()
}

/// Makes a file that must not exist yet, readable by its owner only: it holds secrets.
fn create_new(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| Error::io("cannot make the file", source).in_file(path))
}

fn private_folder() -> DirBuilder {
    #[allow(unused_mut, reason = "permissions are set where there are such")]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_image_lead_nowhere() {
        let cases: [(&[u8], &str); 8] = [
            (b"/etc/shadow", "etc-shadow"),
            (b"/../../root/.ssh/id_rsa", "root-.ssh-id_rsa"),
            (b"..", ""),
            (b"/a\0b\x1b[2J", "a_b__2J"),
            (b"C:\\Windows\\x", "C__Windows_x"),
            ("/日".as_bytes(), "___"),
            (b"/trailing...", "trailing"),
            (b"/.hidden", "hidden"),
        ];
        for (name, expected) in cases {
            assert_eq!(safe(name), expected, "{name:?}");
        }
        assert_eq!(safe(&[b'a'; 300]).len(), NAME_MAX);
    }

    #[test]
    fn neighbouring_stretches_of_the_disk_are_written_once() {
        let of = |at: u64| {
            let place =
                Location { disk_offset: Some(at), state: Some(State::Unallocated), ..Location::default() };
            source(&place, 20).unwrap()
        };
        let wanted = [1 << 20, (1 << 20) + 5000, 1 << 24];
        let wanted = wanted.iter().map(|&at| (of(at), vec![at.to_string()])).collect();
        let joined = joined(wanted);
        assert_eq!(joined.len(), 2);
        assert_eq!(joined[0].1.len(), 2);
        let Source::Disk { start, end, .. } = joined[0].0 else { panic!("{joined:?}") };
        assert!(start <= (1 << 20) - AROUND && end >= (1 << 20) + 5020 + AROUND);
    }
}
