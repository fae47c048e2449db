//! Compressed streams, decoded once.

use super::archive::{Cursor, SAMPLE};
use super::spool::SpoolFile;
use super::tar::{self, Forward, Member, from_io};
use super::{Unwrapped, looks_like_disk, open_inner};
use crate::container::{Facts, Image, OpenOptions};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use zstd::stream::read::Decoder as ZstdDecoder;

/// Bytes read from the file, and decoded, at a time.
const CHUNK: usize = 1 << 20;
/// Bytes read from a file of which only the first decoded bytes are wanted.
const GLANCE: usize = 8 << 10;
/// Memory that the dictionary of a stream may take.
const WINDOW_MAX: u32 = 128 << 20;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz file format, version 1.2.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Compression {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Gzip, Self::Zstd, Self::Xz, Self::Bzip2];

    /// The one whose format is called `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }

    fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => &[0x1f, 0x8b, 8],
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
            Self::Xz => &[0xfd, b'7', b'z', b'X', b'Z', 0],
            Self::Bzip2 => b"BZh",
        }
    }

    /// Name of its container format.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
            Self::Xz => "xz",
            Self::Bzip2 => "bz2",
        }
    }

    /// Whether a stream of this kind starts the source.
    pub(super) fn probe(self, source: &dyn ReadAt) -> bool {
        let starts = |at: u64, magic: &[u8]| {
            let mut start = [0; 6];
            start
                .get_mut(..magic.len())
                .is_some_and(|start| source.read_at(at, start).is_ok() && start == magic)
        };
        // Writers that compress in parallel begin with a frame that says how long the next one is.
        let mut head = [0; 8];
        starts(0, self.magic())
            || (source.read_at(0, &mut head).is_ok() && self.continues(&head) && {
                let [.., a, b, c, d] = head;
                starts(u64::from(u32::from_le_bytes([a, b, c, d])).saturating_add(8), self.magic())
            })
    }

    /// Whether what follows a frame belongs to the stream: another one, or one to be skipped (RFC 8878, 3.1.2).
    fn continues(self, rest: &[u8]) -> bool {
        let skippable = matches!(rest, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        rest.starts_with(self.magic()) || (self == Self::Zstd && skippable)
    }
}

/// The first decoded bytes, at most `length`.
pub(super) fn head(source: &Arc<dyn ReadAt>, compression: Compression, length: usize) -> Vec<u8> {
    let mut head = vec![0; length];
    let got =
        Stream::with_capacity(source, compression, GLANCE).map_or(0, |mut stream| stream.fill(&mut head));
    head.truncate(got);
    head
}

/// Decodes the stream into a file of its own; says why it broke off, where it did.
pub(super) fn to_file(
    source: &Arc<dyn ReadAt>,
    compression: Compression,
    options: &OpenOptions,
) -> Result<(Arc<dyn ReadAt>, Option<String>)> {
    let mut stream = Stream::new(source, compression)?;
    let mut spool = SpoolFile::new(&options.spool)?;
    copy(&mut stream, u64::MAX, &mut spool)?;
    Ok((spool.finish(options.access)?, stream.broken()))
}

/// Decodes the stream and opens what it holds.
pub(super) fn open(
    source: &Arc<dyn ReadAt>,
    compression: Compression,
    options: &OpenOptions,
) -> Result<Arc<dyn Image>> {
    let length = source.size();
    let mut unpacked = unpack(source, compression, options, Choice::Looks)?;
    if let Outcome::Largest(number) = unpacked.outcome {
        unpacked = unpack(source, compression, options, Choice::Number(number))?;
    }
    let Unpacked { outcome, notes, unread, archive } = unpacked;
    let Outcome::Spooled(spool) = outcome else {
        return Err(Error::new(Kind::NotFound, "the archive has no file with bytes"));
    };
    if spool.size() == 0 {
        let message = unread.first().map_or("the stream is empty", String::as_str);
        return Err(Error::new(Kind::Truncated, message));
    }
    let inner = open_inner(spool.finish(options.access)?, options)?;
    let mut facts = Facts { stored_size: length, ..inner.facts().clone() };
    facts
        .wrapping
        .splice(0..0, std::iter::once(compression.name().to_owned()).chain(archive.map(str::to_owned)));
    facts.notes.extend(notes);
    facts.unread.extend(unread);
    Ok(Arc::new(Unwrapped { inner, facts, decoded_from: Some(length), beside: None }))
}

/// Which member of an archive is unpacked.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// The one that looks like the wanted disk.
    Looks,
    /// The one with this number among regular members.
    Number(usize),
}

enum Outcome {
    Spooled(SpoolFile),
    /// No member looked like a disk; this is the largest one.
    Largest(usize),
    Nothing,
}

struct Unpacked {
    outcome: Outcome,
    notes: Vec<String>,
    unread: Vec<String>,
    archive: Option<&'static str>,
}

fn unpack(
    source: &Arc<dyn ReadAt>,
    compression: Compression,
    options: &OpenOptions,
    choice: Choice,
) -> Result<Unpacked> {
    let mut stream = Stream::new(source, compression)?;
    let mut start = vec![0; 512];
    let got = stream.fill(&mut start);
    start.truncate(got);
    let mut unpacked =
        Unpacked { outcome: Outcome::Nothing, notes: Vec::new(), unread: Vec::new(), archive: None };
    if tar::is_header(&start) {
        unpacked.archive = Some("tar");
        stream.push_back(start);
        unpack_member(&mut stream, options, choice, &mut unpacked)?;
        // The stream's checksum stands at its end, behind the zeros that end the archive.
        io::copy(&mut stream, &mut io::sink()).map_err(from_io)?;
    } else {
        let mut spool = SpoolFile::new(&options.spool)?;
        spool.append(&start)?;
        copy(&mut stream, u64::MAX, &mut spool)?;
        unpacked.outcome = Outcome::Spooled(spool);
    }
    unpacked.notes.append(&mut stream.notes);
    unpacked.unread.extend(stream.broken());
    Ok(unpacked)
}

/// Copies at most `length` bytes; says how many came.
fn copy(stream: &mut Stream, length: u64, spool: &mut SpoolFile) -> Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut copied = 0u64;
    while copied < length {
        let wanted = usize::try_from(length.saturating_sub(copied)).unwrap_or(CHUNK).min(CHUNK);
        let got = stream.fill(buffer.get_mut(..wanted).unwrap_or_default());
        spool.append(buffer.get(..got).unwrap_or_default())?;
        copied = copied.saturating_add(u64::try_from(got).unwrap_or(0));
        if got < wanted {
            break;
        }
    }
    Ok(copied)
}

/// Walks the archive in the stream to its end and unpacks one member on the way.
fn unpack_member(
    stream: &mut Stream,
    options: &OpenOptions,
    choice: Choice,
    unpacked: &mut Unpacked,
) -> Result<()> {
    let (mut number, mut disks, mut largest) = (0usize, 0usize, None);
    loop {
        let member = match tar::next_member(stream) {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) if number == 0 => return Err(error),
            Err(error) => {
                unpacked.unread.push(format!("the archive cannot be read to its end: {error}"));
                break;
            }
        };
        let mut start = vec![0; usize::try_from(member.stored).unwrap_or(SAMPLE).min(SAMPLE)];
        let got = stream.fill(&mut start);
        start.truncate(got);
        let (is_disk, wanted) = match choice {
            Choice::Looks => {
                let disk = member.pieces.is_some() || looks_like_disk(&start);
                (disk, disk && disks == options.disk)
            }
            Choice::Number(wanted) => (false, wanted == number),
        };
        stream.push_back(start);
        if wanted {
            unpacked.notes.push(format!("the disk is the member {}", member.name));
            unpacked.outcome =
                Outcome::Spooled(spool_member(stream, &member, options, &mut unpacked.unread)?);
        } else {
            if is_disk {
                unpacked.unread.push(format!("a further disk in the archive: {}", member.name));
            }
            if largest.is_none_or(|(size, _)| member.size > size) {
                largest = Some((member.size, number));
            }
            if Forward::skip(stream, member.stored).is_err() {
                break;
            }
        }
        disks = disks.saturating_add(usize::from(is_disk));
        number = number.saturating_add(1);
        if Forward::skip(stream, tar::padding(member.stored)).is_err() {
            break;
        }
    }
    if let (Outcome::Nothing, 0, Some((_, number))) = (&unpacked.outcome, disks, largest) {
        unpacked.outcome = Outcome::Largest(number);
    }
    Ok(())
}

fn spool_member(
    stream: &mut Stream,
    member: &Member,
    options: &OpenOptions,
    unread: &mut Vec<String>,
) -> Result<SpoolFile> {
    let mut spool = SpoolFile::new(&options.spool)?;
    let whole = 0..member.size;
    for piece in member.pieces.as_deref().unwrap_or(std::slice::from_ref(&whole)) {
        spool.skip(piece.start.saturating_sub(spool.size()))?;
        let length = piece.end.saturating_sub(piece.start);
        let got = copy(stream, length, &mut spool)?;
        if got < length {
            // What did not arrive is not zeros: the image ends here.
            unread.push(format!("the member has {} bytes, {} arrived", member.size, spool.size()));
            return Ok(spool);
        }
    }
    spool.skip(member.size.saturating_sub(spool.size()))?;
    Ok(spool)
}

/// The decoded bytes. An error ends them and is kept.
struct Stream {
    frames: Frames,
    /// Bytes that were looked at and come again.
    ahead: io::Cursor<Vec<u8>>,
    position: u64,
    failed: Option<Error>,
    notes: Vec<String>,
}

impl Stream {
    fn new(source: &Arc<dyn ReadAt>, compression: Compression) -> Result<Self> {
        Self::with_capacity(source, compression, CHUNK)
    }

    /// A stream that reads `capacity` bytes of the file at a time.
    fn with_capacity(source: &Arc<dyn ReadAt>, compression: Compression, capacity: usize) -> Result<Self> {
        let cursor = Cursor { source: Arc::clone(source), position: 0 };
        let frames = Frames::new(BufReader::with_capacity(capacity, cursor), compression).map_err(from_io)?;
        Ok(Self { frames, ahead: io::Cursor::default(), position: 0, failed: None, notes: Vec::new() })
    }

    /// Reads until the buffer is full, or the stream ends or fails; says how much came.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0usize;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest) {
                Ok(0) | Err(_) => break,
                Ok(got) => filled = filled.saturating_add(got),
            }
        }
        filled
    }

    /// Why the stream broke off, where it did.
    fn broken(&self) -> Option<String> {
        let error = self.failed.as_ref()?;
        Some(format!("the stream breaks off after {} decoded bytes: {error}", self.position))
    }

    /// Puts bytes that were just read in front of what follows.
    fn push_back(&mut self, bytes: Vec<u8>) {
        self.position = self.position.saturating_sub(u64::try_from(bytes.len()).unwrap_or(0));
        let mut again = bytes;
        let at = usize::try_from(self.ahead.position()).unwrap_or(usize::MAX);
        again.extend_from_slice(self.ahead.get_ref().get(at..).unwrap_or_default());
        self.ahead = io::Cursor::new(again);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut got = self.ahead.read(buffer)?;
        if got == 0 && self.failed.is_none() {
            match self.frames.read(buffer, &mut self.notes) {
                Ok(decoded) => got = decoded,
                Err(error) => self.failed = Some(from_io(error)),
            }
        }
        self.position = self.position.saturating_add(u64::try_from(got).unwrap_or(0));
        Ok(got)
    }
}

impl Forward for Stream {
    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut Read::take(&mut *self, length), &mut io::sink())?;
        if skipped == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn position(&self) -> u64 {
        self.position
    }
}

type Input = BufReader<Cursor>;

/// One frame after the other: each kind allows streams behind streams.
struct Frames {
    compression: Compression,
    decoder: Decoder,
}

enum Decoder {
    Gzip(Box<GzDecoder<Input>>),
    Zstd(Box<ZstdDecoder<'static, Input>>),
    Xz(Box<XzReader<Input>>),
    Bzip2(Box<BzDecoder<Input>>),
    Ended,
}

impl Decoder {
    fn new(input: Input, compression: Compression) -> io::Result<Self> {
        let memory = WINDOW_MAX / 1024;
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(GzDecoder::new(input))),
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(WINDOW_MAX.ilog2())?;
                Self::Zstd(Box::new(decoder))
            }
            Compression::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(input, true, memory))),
            Compression::Bzip2 => Self::Bzip2(Box::new(BzDecoder::new(input))),
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Ended => Ok(0),
        }
    }

    /// What follows the frame that has ended.
    fn into_input(self) -> Option<Input> {
        match self {
            Self::Gzip(decoder) => Some(decoder.into_inner()),
            Self::Zstd(decoder) => Some(decoder.finish()),
            Self::Bzip2(decoder) => Some(decoder.into_inner()),
            // Reads stream after stream by itself.
            Self::Xz(_) | Self::Ended => None,
        }
    }
}

impl Frames {
    fn new(input: Input, compression: Compression) -> io::Result<Self> {
        Ok(Self { compression, decoder: Decoder::new(input, compression)? })
    }

    fn read(&mut self, buffer: &mut [u8], notes: &mut Vec<String>) -> io::Result<usize> {
        loop {
            let got = self.decoder.read(buffer)?;
            if got > 0 || buffer.is_empty() || matches!(self.decoder, Decoder::Ended) {
                return Ok(got);
            }
            let ended = std::mem::replace(&mut self.decoder, Decoder::Ended);
            let Some(mut input) = ended.into_input() else { return Ok(0) };
            let rest = input.fill_buf()?;
            if rest.is_empty() {
                return Ok(0);
            }
            if !self.compression.continues(rest) {
                notes.push(format!(
                    "bytes that are not part of the {} stream follow it and are not read",
                    self.compression.name()
                ));
                return Ok(0);
            }
            self.decoder = Decoder::new(input, self.compression)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tar::fill;
    use super::*;

    #[test]
    fn fill_reads_across_frames() {
        let [one, two] = [b"one " as &[u8], b"two"].map(|text| zstd::bulk::compress(text, 1).unwrap());
        let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size".to_vec();
        let source: Arc<dyn ReadAt> =
            Arc::new([skipped.clone(), one, skipped, two, b"garbage".to_vec()].concat());
        assert!(Compression::Zstd.probe(source.as_ref()) && !Compression::Gzip.probe(source.as_ref()));
        let mut stream = Stream::new(&source, Compression::Zstd).unwrap();
        let mut buffer = [0; 20];
        assert_eq!(stream.fill(&mut buffer), 7);
        assert_eq!(&buffer[..7], b"one two");
        assert!(stream.failed.is_none());
        assert!(stream.notes[0].contains("follow it"), "{:?}", stream.notes);
        let mut again = Vec::new();
        stream.push_back(buffer[..7].to_vec());
        assert_eq!(fill(&mut stream, &mut [0; 3]).unwrap(), 3);
        stream.read_to_end(&mut again).unwrap();
        assert_eq!(again, b" two");
    }
}
