//! Decoders: content inside content, found by its first bytes, never by its name.
//!
//! One file a format, one line in [`DECODERS`]. A decoder hands each member on as a reader; what it hands on
//! is looked at again, to a fixed depth, within a budget of bytes and time. What is cut is reported as such.

mod gzip;
mod tar;

use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::fmt;
use std::io::Read;
use std::time::{Duration, Instant};

/// Bytes that every probe gets to see, fewer only at the end of the content.
pub const HEAD: usize = 512;

/// A member's content as a decoder hands it on.
pub type Visit<'a> = &'a mut dyn FnMut(Member<'_>) -> Result<()>;

/// One member of decoded content.
pub struct Member<'a> {
    /// Its name inside the container, as stored; empty where the format holds one unnamed content.
    pub name: &'a [u8],
    /// Its decoded bytes.
    pub content: &'a mut dyn Read,
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &crate::location::escape(self.name)).finish_non_exhaustive()
    }
}

/// How a format is read.
#[derive(Clone, Copy)]
pub enum Form {
    /// From the first byte to the last.
    Stream(fn(&mut dyn Read, Visit<'_>) -> Result<()>),
    /// At any place.
    Random(fn(&dyn ReadAt, Visit<'_>) -> Result<()>),
}

/// A format that is decoded.
#[derive(Clone, Copy)]
pub struct Decoder {
    /// Name for reports.
    pub name: &'static str,
    /// Whether content that starts with these bytes (at most [`HEAD`]) is of this format. Cheap: it is asked
    /// for every file.
    pub probe: fn(&[u8]) -> bool,
    /// The decoder itself.
    pub form: Form,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All decoders, in the order in which they are probed.
pub const DECODERS: &[Decoder] = &[gzip::DECODER, tar::DECODER];

/// The decoder for content that starts with `head`.
pub fn recognise(head: &[u8]) -> Option<&'static Decoder> {
    DECODERS.iter().find(|decoder| (decoder.probe)(head))
}

/// Bounds on the work for one piece of content of the disk.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Containers within containers.
    pub depth_max: usize,
    /// Decoded bytes, over all members and depths.
    pub bytes_max: u64,
    /// Decoded bytes for each byte on the disk, on top of [`bytes_free`](Self::bytes_free).
    pub ratio_max: u64,
    /// Decoded bytes that are always granted.
    pub bytes_free: u64,
    /// Members.
    pub members_max: u64,
    /// Bytes of a nested member that is held in memory because its format needs access at any place.
    pub held_max: u64,
    /// Time.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 5,
            bytes_max: 8 << 30,
            ratio_max: 200,
            bytes_free: 64 << 20,
            members_max: 1_000_000,
            held_max: 64 << 20,
            time_max: Duration::from_secs(120),
        }
    }
}

/// Where decoded content goes: each innermost member, with its path, as a reader.
pub type Sink<'a> = &'a mut dyn FnMut(&str, &mut dyn Read) -> Result<()>;

/// Something in decoded content that was not read, with its path inside.
#[derive(Debug)]
pub struct Cut {
    /// Path inside the content, as in findings.
    pub member: String,
    /// Why.
    pub error: Error,
}

/// Decodes `content`, a stream of the disk that `decoder` recognised; every member goes to `sink`, those that
/// are containers themselves as what they hold. Returns what was cut.
pub fn decode(content: &dyn ReadAt, decoder: &Decoder, limits: &Limits, sink: Sink<'_>) -> Vec<Cut> {
    let allowed = content.size().saturating_mul(limits.ratio_max).saturating_add(limits.bytes_free);
    let mut nest = Nest {
        limits,
        bytes_left: allowed.min(limits.bytes_max),
        members_left: limits.members_max,
        until: Instant::now().checked_add(limits.time_max),
        sink,
        cuts: Vec::new(),
    };
    nest.open(decoder, Source::Disk(content), "", 1);
    nest.cuts
}

/// What a decoder reads from.
enum Source<'a> {
    Disk(&'a dyn ReadAt),
    Member(&'a mut dyn Read),
}

/// The state of one nested decoding.
struct Nest<'a, 'b> {
    limits: &'a Limits,
    bytes_left: u64,
    members_left: u64,
    until: Option<Instant>,
    sink: Sink<'b>,
    cuts: Vec<Cut>,
}

impl Nest<'_, '_> {
    /// Runs a decoder; what goes wrong is kept as a cut at `path`.
    fn open(&mut self, decoder: &Decoder, source: Source<'_>, path: &str, depth: usize) {
        let outcome = match (decoder.form, source) {
            (Form::Stream(decode), Source::Disk(content)) => {
                let mut reader = Sequential { content, at: 0 };
                decode(&mut reader, &mut |member| self.member(member, path, depth))
            }
            (Form::Stream(decode), Source::Member(content)) => {
                decode(content, &mut |member| self.member(member, path, depth))
            }
            (Form::Random(decode), Source::Disk(content)) => {
                decode(content, &mut |member| self.member(member, path, depth))
            }
            (Form::Random(decode), Source::Member(content)) => self
                .hold(content)
                .and_then(|held| decode(&held, &mut |member| self.member(member, path, depth))),
        };
        if let Err(error) = outcome {
            self.cuts.push(Cut { member: path.to_owned(), error: error.context(decoder.name) });
        }
    }

    /// A nested member in memory.
    fn hold(&self, content: &mut dyn Read) -> Result<Vec<u8>> {
        let mut held = Vec::new();
        let limit = self.limits.held_max;
        let read = content.take(limit.saturating_add(1)).read_to_end(&mut held).map_err(decode_error)?;
        if u64::try_from(read).unwrap_or(u64::MAX) > limit {
            return Err(Error::new(Kind::LimitExceeded, format!("nested content above {limit} bytes")));
        }
        Ok(held)
    }

    fn member(&mut self, member: Member<'_>, path: &str, depth: usize) -> Result<()> {
        self.members_left = self
            .members_left
            .checked_sub(1)
            .ok_or_else(|| Error::new(Kind::LimitExceeded, "more members than are looked at"))?;
        let path = join(path, member.name);
        let mut metered = Metered { content: member.content, left: self.bytes_left, until: self.until };
        let mut head = Vec::with_capacity(HEAD);
        (&mut metered).take(HEAD as u64).read_to_end(&mut head).map_err(decode_error)?;
        let decoder = recognise(&head).filter(|_| depth < self.limits.depth_max);
        let left = match decoder {
            Some(decoder) => {
                let mut rest = head.as_slice().chain(&mut metered);
                // The budget is shared: what the member's own members use is taken off below.
                let before = self.bytes_left;
                self.open(decoder, Source::Member(&mut rest), &path, depth.saturating_add(1));
                let used = before.saturating_sub(self.bytes_left);
                metered.left.saturating_sub(used)
            }
            None => {
                let mut rest = head.as_slice().chain(&mut metered);
                (self.sink)(&path, &mut rest)?;
                metered.left
            }
        };
        self.bytes_left = left;
        Ok(())
    }
}

/// A member's path: names joined by `!`, as in `app.jar!/WEB-INF/web.xml`; unnamed content adds nothing.
fn join(path: &str, name: &[u8]) -> String {
    let name = crate::location::escape(name);
    match (path.is_empty(), name.is_empty()) {
        (_, true) => path.to_owned(),
        (true, _) => name,
        _ => format!("{path}!/{}", name.trim_start_matches('/')),
    }
}

/// A reader that stops with an error when the budget is used up.
struct Metered<'a> {
    content: &'a mut dyn Read,
    left: u64,
    until: Option<Instant>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            return Err(std::io::Error::other(Cap("time")));
        }
        let allowed = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if allowed == 0 && !buffer.is_empty() {
            return Err(std::io::Error::other(Cap("decoded bytes")));
        }
        let got = self.content.read(buffer.get_mut(..allowed).unwrap_or_default())?;
        self.left = self.left.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX));
        Ok(got)
    }
}

/// The budget that ran out.
#[derive(Debug)]
struct Cap(&'static str);

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "budget of {} used up", self.0)
    }
}

impl std::error::Error for Cap {}

/// An error of a decoder's reader: a budget that ran out, or damage.
pub(crate) fn decode_error(error: std::io::Error) -> Error {
    let kind = if error.get_ref().is_some_and(|inner| inner.is::<Cap>()) {
        Kind::LimitExceeded
    } else if error.kind() == std::io::ErrorKind::UnexpectedEof {
        Kind::Truncated
    } else {
        Kind::Corrupt
    };
    Error::new(kind, error.to_string())
}

/// Reads content of the disk from its first byte on.
struct Sequential<'a> {
    content: &'a dyn ReadAt,
    at: u64,
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.content.size().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.content.read_at(self.at, part).map_err(std::io::Error::other)?;
        self.at = self.at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(length)
    }
}
