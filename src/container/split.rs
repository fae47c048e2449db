//! Raw images cut into numbered files: `disk.000`, `disk.001` … or `disk.001`, `disk.002` …
//!
//! The parts are siblings by construction: only the number at the end of the name that the user gave changes.

use super::reference::sibling;
use super::sparse::{Layout, Piece, Place, Sparse};
use super::{Facts, Format, Image, OpenOptions, open_with};
use crate::error::{Error, Kind, Result};
use crate::io::{Backing, Extent, ReadAt};
use crate::location::escape;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

pub(super) const FORMAT: Format = Format { name: "split", probe, open };

/// Parts of one image at most.
const PARTS_MAX: usize = 10_000;

/// A file name that ends in a number, in its two parts.
struct Numbered {
    stem: Vec<u8>,
    number: usize,
    digits: usize,
}

impl Numbered {
    /// The name of the image's own file, where it is that of a first part.
    fn first(options: &OpenOptions) -> Option<Self> {
        let name = options.path.as_ref()?.file_name()?.as_bytes();
        let dot = name.iter().rposition(|&byte| byte == b'.')?;
        let (stem, digits) = name.split_at(dot.checked_add(1)?);
        let numeric = digits.len() >= 2 && digits.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(digits).ok().filter(|_| numeric)?.parse().ok()?;
        (number <= 1).then(|| Self { stem: stem.to_vec(), number, digits: digits.len() })
    }

    /// The name of the part `steps` further on.
    fn after(&self, steps: usize) -> Vec<u8> {
        let number = self.number.saturating_add(steps);
        let digits = format!("{number:0width$}", width = self.digits);
        [self.stem.as_slice(), digits.as_bytes()].concat()
    }
}

/// A first part with a second one beside it.
fn probe(_source: &dyn ReadAt, options: &OpenOptions) -> bool {
    Numbered::first(options).is_some_and(|name| sibling(options, &name.after(1)).is_ok())
}

fn open(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let name = Numbered::first(options).ok_or_else(|| {
        let message = "a split image is opened by its first part, whose name ends in .000 or .001";
        Error::new(Kind::Usage, message)
    })?;
    let mut parts = vec![source];
    let mut notes = Vec::new();
    for step in 1..=PARTS_MAX {
        match sibling(options, &name.after(step)) {
            Ok(_) if step == PARTS_MAX => {
                return Err(Error::new(Kind::LimitExceeded, format!("more than {PARTS_MAX} parts")));
            }
            Ok(part) => parts.push(part),
            Err(error) if error.kind() == Kind::MissingParent => break,
            Err(error) => return Err(error),
        }
    }
    // A hole in the numbering would shift all that follows: say so rather than guess a length.
    let missing = name.after(parts.len());
    if sibling(options, &name.after(parts.len().saturating_add(1))).is_ok() {
        let message = format!("{} is not in the image's folder, the next one is", escape(&missing));
        return Err(Error::new(Kind::MissingParent, message));
    }
    if let Some(note) = uneven(&parts) {
        notes.push(note);
    }
    let layout = Parts::new(&parts);
    let facts = Facts {
        format: FORMAT.name,
        version: Some(format!("{} parts", parts.len())),
        virtual_size: layout.size(),
        stored_size: layout.size(),
        notes,
        ..Facts::default()
    };
    let whole = Arc::new(Whole(Sparse::new(layout, parts, None, facts)));
    inside(whole, options)
}

/// The container that was cut into parts, or the parts themselves where they are raw.
fn inside(whole: Arc<Whole>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let below = OpenOptions { format: None, path: None, ..options.clone() };
    let source: Arc<dyn ReadAt> = Arc::clone(&whole) as Arc<dyn ReadAt>;
    let inner = open_with(source, &below)?;
    Ok(if inner.facts().format == "raw" { whole } else { inner })
}

/// A note where a part before the last one differs in length from the first.
fn uneven(parts: &[Arc<dyn ReadAt>]) -> Option<String> {
    let first = parts.first()?.size();
    let (_, before_last) = parts.split_last()?;
    let number = before_last.iter().position(|part| part.size() != first)?;
    let size = before_last.get(number)?.size();
    Some(format!("part {number} has {size} bytes where the first one has {first}"))
}

/// Parts behind each other.
#[derive(Debug)]
struct Parts {
    ranges: Vec<Range<u64>>,
}

impl Parts {
    fn new(parts: &[Arc<dyn ReadAt>]) -> Self {
        let mut start = 0u64;
        let ranges = parts.iter().map(|part| {
            let range = start..start.saturating_add(part.size());
            start = range.end;
            range
        });
        Self { ranges: ranges.collect() }
    }
}

impl Layout for Parts {
    fn size(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.end)
    }

    fn locate(&self, offset: u64) -> Piece {
        let file = self.ranges.partition_point(|range| range.end <= offset);
        let Some(range) = self.ranges.get(file) else {
            return Piece::missing(1, &Error::truncated("split image", offset, 1, self.size()));
        };
        let at = offset.saturating_sub(range.start);
        Piece { length: range.end.saturating_sub(offset), place: Place::Stored { file, at } }
    }
}

/// The parts put together. Places in it count through all parts.
#[derive(Debug)]
struct Whole(Sparse<Parts>);

impl Image for Whole {
    fn facts(&self) -> &Facts {
        self.0.facts()
    }

    fn sources(&self) -> Vec<Arc<dyn ReadAt>> {
        self.0.sources()
    }
}

impl ReadAt for Whole {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        let extent = self.0.map(offset, max)?;
        let stored = matches!(extent.backing, Backing::Stored { .. });
        Ok(if stored { Extent { backing: Backing::Stored { host: offset }, ..extent } } else { extent })
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.0.slice(offset, max)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.0.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.0.release(offset, length);
    }
}
