//! Containers in containers, within one budget for all of them.

use super::fused::Fused;
use super::{Cut, Decoder, Form, HEAD, Inner, Limits, Member, Piece, Sink, decode_error, recognise, to_u64};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::Read;
use std::time::Instant;

/// Cuts that are kept of one content; the rest is counted.
const CUTS_MAX: usize = 64;

/// Decodes `content`, a stream of the disk that `decoder` recognised; every member goes to `sink`, those that
/// are containers themselves as what they hold. Returns what was cut.
///
/// Content without a name of its own (a `.gz` that stores none) takes the name of its format as its path, so
/// that it is told from the encoded bytes; where it is a container itself it adds nothing to its members'.
pub fn decode(content: &dyn ReadAt, decoder: &Decoder, limits: &Limits, sink: Sink<'_>) -> Vec<Cut> {
    let allowed = content.size().saturating_mul(limits.ratio_max).saturating_add(limits.bytes_free);
    let budget = Budget {
        bytes_left: Cell::new(allowed.min(limits.bytes_max)),
        members_left: Cell::new(limits.members_max),
        until: Instant::now().checked_add(limits.time_max),
        spent: Cell::new(None),
    };
    let mut nest = Nest {
        limits,
        budget: &budget,
        sink,
        names: HashMap::new(),
        cuts: Vec::new(),
        more_cuts: 0,
        told: false,
    };
    nest.open(decoder, Source::Disk(content), &Level { path: "", within: "", base: Some(0), depth: 1 });
    nest.finish()
}

/// What is left for one content of the disk; all levels draw on it.
struct Budget {
    bytes_left: Cell<u64>,
    members_left: Cell<u64>,
    until: Option<Instant>,
    /// What ran out first.
    spent: Cell<Option<&'static str>>,
}

impl Budget {
    fn spend(&self, what: &'static str) -> Error {
        let what = self.spent.get().unwrap_or(what);
        self.spent.set(Some(what));
        Error::new(Kind::LimitExceeded, format!("budget of {what} used up; the rest is not decoded"))
    }
}

/// What a decoder reads from.
enum Source<'a> {
    Disk(&'a dyn ReadAt),
    Member(&'a mut dyn Read),
}

/// A container that is open.
struct Level<'a> {
    path: &'a str,
    /// The content that went to the sink, or lies on the disk, which its places count in.
    within: &'a str,
    /// Offset of its first byte there, where it lies there as it is.
    base: Option<u64>,
    depth: usize,
}

impl Level<'_> {
    /// A member's pieces as places in what the level counts in; none where the container is not there itself.
    fn pieces<'a>(&self, pieces: &'a [Piece]) -> Cow<'a, [Piece]> {
        match self.base {
            Some(0) => Cow::Borrowed(pieces),
            Some(base) => {
                let moved = |piece: &Piece| Piece { source: piece.source.saturating_add(base), ..*piece };
                Cow::Owned(pieces.iter().map(moved).collect())
            }
            None => Cow::Borrowed(&[]),
        }
    }
}

/// The state of one nested decoding.
struct Nest<'a, 'b> {
    limits: &'a Limits,
    budget: &'a Budget,
    sink: Sink<'b>,
    /// How often each path came, by its hash.
    names: HashMap<u64, u32>,
    cuts: Vec<Cut>,
    more_cuts: u64,
    /// Whether the spent budget is among the cuts.
    told: bool,
}

impl Nest<'_, '_> {
    /// Runs a decoder; what goes wrong is kept as a cut.
    fn open(&mut self, decoder: &Decoder, source: Source<'_>, level: &Level<'_>) {
        let until = self.budget.until;
        let visit = &mut |member: Member<'_>| self.member(member, level, decoder.name);
        let outcome = match (decoder.form, source) {
            (Form::Stream(decode), Source::Disk(content)) => {
                decode(&mut Sequential { content: &Timed { content, until }, at: 0 }, visit)
            }
            (Form::Stream(decode), Source::Member(content)) => decode(content, visit),
            (Form::Random(decode) | Form::Partial(decode), Source::Disk(content)) => {
                decode(&Timed { content, until }, visit)
            }
            (Form::Random(decode) | Form::Partial(decode), Source::Member(content)) => {
                let (held, outcome) = self.hold(content);
                // What came before an error is decoded all the same, and the error that is told is the first one.
                match outcome.as_ref().map_err(Error::kind) {
                    Err(Kind::LimitExceeded) => outcome,
                    _ => outcome.and(decode(&Timed { content: &held, until }, &mut |member| {
                        self.member(member, level, decoder.name)
                    })),
                }
            }
        };
        if let Err(error) = outcome {
            if until.is_some_and(|until| Instant::now() > until) {
                self.budget.spend("time");
            }
            self.cut(level.path, error.context(decoder.name));
        }
    }

    /// A nested member whose bytes are matched as they are, and then what its decoder adds.
    fn partial(&mut self, decoder: &Decoder, content: &mut dyn Read, level: &Level<'_>) {
        let limit = self.limits.held_max;
        let mut held = Vec::new();
        let read = (&mut *content).take(limit.saturating_add(1)).read_to_end(&mut held);
        let fits = to_u64(held.len()) <= limit;
        let is_whole = read.is_ok() && fits;
        let mut all = held.as_slice().chain(Failing(read.err())).chain(content);
        let inner = Inner { path: level.path, within: "", stored: None, pieces: &[] };
        if let Err(error) = (self.sink)(&inner, &mut all) {
            self.cut(level.path, error);
        } else if is_whole {
            self.open(decoder, Source::Disk(&held), level);
        } else if !fits {
            let error = format!("nested content above {limit} bytes; matched as it is only");
            self.cut(level.path, Error::new(Kind::LimitExceeded, error).context(decoder.name));
        }
    }

    /// A nested member in memory: what could be read of it, and whether that is all.
    fn hold(&self, content: &mut dyn Read) -> (Vec<u8>, Result<()>) {
        let mut held = Vec::new();
        let limit = self.limits.held_max;
        let read = content.take(limit.saturating_add(1)).read_to_end(&mut held).map_err(decode_error);
        let outcome = match read {
            Ok(read) if to_u64(read) > limit => {
                Err(Error::new(Kind::LimitExceeded, format!("nested content above {limit} bytes")))
            }
            read => read.map(drop),
        };
        (held, outcome)
    }

    /// Looks at a member; an error ends the container that it lies in.
    fn member(&mut self, member: Member<'_>, level: &Level<'_>, format: &str) -> Result<()> {
        let left = self.budget.members_left.get().checked_sub(1);
        self.budget.members_left.set(left.ok_or_else(|| self.budget.spend("members"))?);
        let Member { name, stored, pieces, content } = member;
        let path = join(level.path, name);
        let base = stored.and_then(|at| level.base?.checked_add(at));
        let pieces = level.pieces(pieces);
        let mut metered = Metered { content: Fused::new(content), budget: self.budget };
        let mut head = Vec::with_capacity(HEAD);
        let limit = u64::try_from(HEAD).unwrap_or(u64::MAX);
        let started = (&mut metered).take(limit).read_to_end(&mut head);
        let decoder = recognise(&head);
        let too_deep = level.depth >= self.limits.depth_max;
        if started.is_ok() && decoder.is_some() && too_deep {
            let error = format!("nested deeper than {} containers; not decoded", self.limits.depth_max);
            self.cut(&path, Error::new(Kind::LimitExceeded, error));
        }
        // What came before the error is looked at all the same.
        let mut rest = head.as_slice().chain(Failing(started.err())).chain(&mut metered);
        match decoder.filter(|_| !too_deep) {
            Some(decoder) if matches!(decoder.form, Form::Partial(_)) => {
                let path = self.unique(own_path(level.path, name, path, format));
                let depth = level.depth.saturating_add(1);
                let inside = Level { path: &path, within: &path, base: Some(0), depth };
                self.partial(decoder, &mut rest, &inside);
            }
            Some(decoder) => {
                let depth = level.depth.saturating_add(1);
                let inside = Level { path: &path, within: level.within, base, depth };
                self.open(decoder, Source::Member(&mut rest), &inside);
            }
            None => {
                let path = self.unique(own_path(level.path, name, path, format));
                let inner = Inner { path: &path, within: level.within, stored: base, pieces: &pieces };
                if let Err(error) = (self.sink)(&inner, &mut rest) {
                    self.cut(&path, error);
                }
            }
        }
        match self.budget.spent.get() {
            Some(what) => Err(self.budget.spend(what)),
            None => Ok(()),
        }
    }

    /// A path that no member had before.
    fn unique(&mut self, path: String) -> String {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let count = self.names.entry(hasher.finish()).or_default();
        *count = count.saturating_add(1);
        if *count > 1 { format!("{path}#{count}") } else { path }
    }

    /// Keeps a cut. A budget that is used up fails every level on its way out and is told once, where it ran
    /// out, whatever the decoders made of the error.
    fn cut(&mut self, member: &str, error: Error) {
        let error = match self.budget.spent.get() {
            Some(_) if self.told => return,
            Some(what) => {
                self.told = true;
                self.budget.spend(what)
            }
            None => error,
        };
        // The spent budget is told even behind a flood of others.
        if self.cuts.len() < CUTS_MAX || self.told {
            self.cuts.push(Cut { member: member.to_owned(), error });
        } else {
            self.more_cuts = self.more_cuts.saturating_add(1);
        }
    }

    fn finish(mut self) -> Vec<Cut> {
        if self.more_cuts > 0 {
            let error = Error::new(Kind::Corrupt, format!("{} more members not read whole", self.more_cuts));
            self.cuts.push(Cut { member: String::new(), error });
        }
        self.cuts
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

/// The path of a member that goes to the sink: one without a name takes that of the format around it.
fn own_path(outer: &str, name: &[u8], path: String, format: &str) -> String {
    if name.is_empty() { join(outer, format.as_bytes()) } else { path }
}

/// A reader that stops with an error when the budget is used up.
struct Metered<'a> {
    content: Fused<&'a mut dyn Read>,
    budget: &'a Budget,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.budget.until.is_some_and(|until| Instant::now() > until) {
            return Err(std::io::Error::other(self.budget.spend("time")));
        }
        let left = self.budget.bytes_left.get();
        // Without anything left one more byte is asked for: content may end right here.
        let allowed = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX).max(1));
        let got = self.content.read(buffer.get_mut(..allowed).unwrap_or_default())?;
        if got > 0 && left == 0 {
            return Err(std::io::Error::other(self.budget.spend("decoded bytes")));
        }
        // What the level below used up meanwhile counts as well.
        let left = self.budget.bytes_left.get();
        self.budget.bytes_left.set(left.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX)));
        Ok(got)
    }
}

/// Content that cannot be read any more once the time is over, so that a decoder that finds nothing to hand
/// on ends as well.
#[derive(Debug)]
struct Timed<'a> {
    content: &'a dyn ReadAt,
    until: Option<Instant>,
}

impl ReadAt for Timed<'_> {
    fn size(&self) -> u64 {
        self.content.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            return Err(Error::new(Kind::LimitExceeded, "budget of time used up"));
        }
        self.content.read_at(offset, buffer)
    }
}

/// An error put back into a reader; nothing without one.
struct Failing(Option<std::io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
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
