//! Packs of git (gitformat-pack, versions 2 and 3): every blob, commit and tag under its object name, deltas
//! resolved. Trees hold only names and are passed over.

mod delta;
mod input;

use super::part::Part;
use super::{Decoder, Form, Member, Visit, decode_error, to_u64, to_usize};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use flate2::bufread::ZlibDecoder;
use input::Input;
use sha1::{Digest as _, Sha1};
use std::collections::HashMap;
use std::io::Read as _;
use std::rc::Rc;

/// Largest object that is held in memory, as a base or to be named.
const OBJECT_MAX: u64 = 16 << 20;
/// Objects kept as bases, in bytes.
const CACHE_MAX: usize = 64 << 20;
/// Objects that are known by name, for deltas that name their base so.
const NAMES_MAX: usize = 2 << 20;
/// Deltas upon deltas; git itself makes at most 4,095.
const CHAIN_MAX: usize = 4096;
/// Bytes that bases may take to resolve, for each byte of the pack and at least.
const WORK_RATIO: u64 = 200;
const WORK_FREE: u64 = 64 << 20;

pub(super) const DECODER: Decoder = Decoder {
    name: "git-pack",
    probe: |head| matches!(head, [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, ..]),
    form: Form::Random(decode),
};

/// Bundles (gitformat-bundle): lines of names, an empty one, and a pack.
pub(super) const BUNDLE: Decoder = Decoder {
    name: "git-bundle",
    probe: |head| head.starts_with(b"# v2 git bundle\n") || head.starts_with(b"# v3 git bundle\n"),
    form: Form::Random(bundle),
};

/// Bytes of names before a bundle's pack.
const NAMES_BYTES_MAX: u64 = 16 << 20;

fn bundle(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let head = read_vec(content, 0, to_usize(content.size().min(NAMES_BYTES_MAX)))?;
    let at = head.windows(6).position(|window| window == b"\n\nPACK");
    let at = at.ok_or_else(|| Error::corrupt(0, "git bundle", "a pack behind the names", "none"))?;
    let at = to_u64(at).saturating_add(2);
    let mut pack = Part { content, at, left: content.size().saturating_sub(at) };
    visit(Member { name: b"pack", stored: Some(at), pieces: &[], content: &mut pack })
}

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let header = read_vec(content, 0, 12)?;
    let count =
        header.get(8..).and_then(|rest| rest.first_chunk()).map_or(0, |&count| u32::from_be_bytes(count));
    let mut pack = Pack {
        content,
        kinds: Vec::new(),
        names: HashMap::new(),
        cache: HashMap::new(),
        cached: 0,
        work_left: content.size().saturating_mul(WORK_RATIO).saturating_add(WORK_FREE),
    };
    let mut input = Input::new(content, 12);
    let mut trouble = None;
    for _ in 0..count {
        let start = input.at();
        match pack.object(&mut input, visit)? {
            Ok(()) => {}
            // Where the next object starts is known all the same.
            Err(error) if error.kind() != Kind::Corrupt => drop(trouble.get_or_insert(error.at(start))),
            Err(error) => return Err(error.at(start)),
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// What an object is, by its number in the pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Commit,
    Tree,
    Blob,
    Tag,
    /// On top of the object this many bytes before.
    Offset(u64),
    /// On top of the object of this name.
    Name([u8; 20]),
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Tag => "tag",
            _ => "blob",
        }
    }
}

struct Pack<'a> {
    content: &'a dyn ReadAt,
    /// Offset and what it came to of each object so far, in order.
    kinds: Vec<(u64, What)>,
    /// Offset by name, for bases that are referred to in that way.
    names: HashMap<[u8; 20], u64>,
    cache: HashMap<u64, Rc<Vec<u8>>>,
    cached: usize,
    work_left: u64,
}

impl Pack<'_> {
    /// Hands on the object at the input and leaves the input behind it. The inner error is the object's own.
    fn object(&mut self, input: &mut Input<'_>, visit: Visit<'_>) -> Result<Result<()>> {
        let start = input.at();
        let (what, size) = match head(input, start) {
            Ok(head) => head,
            Err(error) => return Ok(Err(error)),
        };
        if let (What::Blob | What::Commit | What::Tag, true) = (what, size > OBJECT_MAX) {
            self.kinds.push((start, what));
            let mut decoder = ZlibDecoder::new(&mut *input);
            let name = format!("object at {start}");
            visit(Member { name: name.as_bytes(), stored: None, pieces: &[], content: &mut decoder })?;
            return Ok(std::io::copy(&mut decoder, &mut std::io::sink()).map(drop).map_err(decode_error));
        }
        let data = match inflate(input, size) {
            Ok(data) => data,
            Err(error) => return Ok(Err(error)),
        };
        let (kind, data) = match what {
            What::Offset(_) | What::Name(_) => match self.on_base(start, what, &data) {
                Ok(resolved) => resolved,
                // The stream itself was whole: only this object is lost, but for what it puts in.
                Err(error) => {
                    if let Ok(known) = delta::inserted(&data) {
                        let name = format!("object at {start}, without its base");
                        let content = &mut known.as_slice();
                        visit(Member { name: name.as_bytes(), stored: None, pieces: &[], content })?;
                    }
                    return Ok(Err(Error::unsupported(error.message())));
                }
            },
            what => (what, Rc::new(data)),
        };
        self.kinds.push((start, kind));
        let id = id(kind, &data);
        if self.names.len() < NAMES_MAX {
            self.names.insert(id, start);
        }
        self.keep(start, &data);
        if kind != What::Tree {
            let name: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            visit(Member {
                name: name.as_bytes(),
                stored: None,
                pieces: &[],
                content: &mut data.as_slice(),
            })?;
        }
        Ok(Ok(()))
    }

    fn keep(&mut self, at: u64, data: &Rc<Vec<u8>>) {
        if self.cached > CACHE_MAX {
            self.cache.clear();
            self.cached = 0;
        }
        self.cached = self.cached.saturating_add(data.len());
        self.cache.insert(at, Rc::clone(data));
    }

    fn kind_at(&self, at: u64) -> Option<What> {
        let index = self.kinds.binary_search_by_key(&at, |kind| kind.0).ok()?;
        self.kinds.get(index).map(|kind| kind.1)
    }

    /// Applies the delta of the object at `start`.
    fn on_base(&mut self, start: u64, what: What, delta: &[u8]) -> Result<(What, Rc<Vec<u8>>)> {
        let base = self.base_of(start, what)?;
        let kind = self.kind_at(base).ok_or_else(|| elsewhere("an object whose base was not read"))?;
        let base = self.data(base)?;
        let data = self.apply(&base, delta)?;
        Ok((kind, Rc::new(data)))
    }

    fn base_of(&self, start: u64, what: What) -> Result<u64> {
        let base = match what {
            What::Offset(back) => start.checked_sub(back),
            What::Name(name) => self.names.get(&name).copied(),
            _ => None,
        };
        base.ok_or_else(|| elsewhere("an object whose base is not before it in the pack"))
    }

    /// The data of an object that was read before: from the cache, or put together again.
    fn data(&mut self, at: u64) -> Result<Rc<Vec<u8>>> {
        let mut deltas = Vec::new();
        let mut at = at;
        let mut held = 0_u64;
        let mut data = loop {
            if let Some(data) = self.cache.get(&at) {
                break Rc::clone(data);
            }
            let mut input = Input::new(self.content, at);
            let (what, size) = head(&mut input, at)?;
            self.spend(size)?;
            let own = inflate(&mut input, size)?;
            if !matches!(what, What::Offset(_) | What::Name(_)) {
                break Rc::new(own);
            }
            held = held.saturating_add(size);
            if deltas.len() >= CHAIN_MAX || held > to_u64(CACHE_MAX) {
                return Err(Error::new(Kind::LimitExceeded, "a chain of deltas that is too long"));
            }
            let base = self.base_of(at, what)?;
            deltas.push((at, own));
            at = base;
        };
        while let Some((at, delta)) = deltas.pop() {
            data = Rc::new(self.apply(&data, &delta)?);
            self.keep(at, &data);
        }
        Ok(data)
    }

    fn apply(&mut self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>> {
        let data = delta::apply(base, delta, OBJECT_MAX)?;
        self.spend(to_u64(data.len()))?;
        Ok(data)
    }

    fn spend(&mut self, bytes: u64) -> Result<()> {
        let left = self.work_left.checked_sub(bytes);
        self.work_left = left.ok_or_else(|| {
            Error::new(Kind::LimitExceeded, "budget of bytes for deltas used up; the rest is not resolved")
        })?;
        Ok(())
    }
}

fn elsewhere(what: &str) -> Error {
    Error::unsupported(what)
}

/// Kind and length of the object at the input, which is left at its data.
fn head(input: &mut Input<'_>, start: u64) -> Result<(What, u64)> {
    let wrong = |found: &str| Error::corrupt(start, "object of a pack", "kind and length", found);
    let mut byte = input.byte()?;
    let number = (byte >> 4) & 7;
    let mut size = u64::from(byte & 0x0f);
    let mut shift = 4_u32;
    while byte & 0x80 != 0 {
        byte = input.byte()?;
        let bits = u64::from(byte & 0x7f);
        size |= bits.checked_shl(shift).filter(|_| shift < 57).ok_or_else(|| wrong("a length too long"))?;
        shift = shift.saturating_add(7);
    }
    let what = match number {
        1 => What::Commit,
        2 => What::Tree,
        3 => What::Blob,
        4 => What::Tag,
        6 => What::Offset(input.back()?),
        7 => {
            let mut name = [0; 20];
            input.read_exact(&mut name).map_err(decode_error)?;
            What::Name(name)
        }
        _ => return Err(wrong("another kind")),
    };
    Ok((what, size))
}

/// The data of an object that must have `size` bytes; the input is left behind it.
fn inflate(input: &mut Input<'_>, size: u64) -> Result<Vec<u8>> {
    let start = input.at();
    let mut decoder = ZlibDecoder::new(&mut *input);
    let mut data = Vec::new();
    (&mut decoder).take(size.min(OBJECT_MAX)).read_to_end(&mut data).map_err(decode_error)?;
    // The end of the stream, or what is too long to hold.
    let more = std::io::copy(&mut decoder, &mut std::io::sink()).map_err(decode_error)?;
    let found = to_u64(data.len()).saturating_add(more);
    if found != size {
        return Err(Error::corrupt(start, "object of a pack", format!("{size} bytes"), found));
    }
    if more > 0 {
        return Err(Error::new(Kind::LimitExceeded, format!("an object of {size} bytes as a delta or tree")));
    }
    Ok(data)
}

/// The object's name: the digest of its kind, its length and its data.
fn id(kind: What, data: &[u8]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    hasher.update(format!("{} {}\0", kind.word(), data.len()));
    hasher.update(data);
    hasher.finalize().into()
}
