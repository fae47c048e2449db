//! Reading bytes: the one trait that every layer reads through, and checked field access.
//!
//! A file on this machine, the virtual disk inside a container, a volume, a logical volume and the content
//! of a file inside a file system all implement [`ReadAt`], so that each layer works on top of each other.

mod fields;
mod file;
mod mapped;
pub mod tree;
mod window;

pub use fields::Fields;
pub use file::{Access, from_file, open};
pub use window::Window;

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// What a stretch of a layer's bytes is made of; see [`ReadAt::map`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Stored as they are, from byte `host` of the outermost file on.
    Stored {
        /// Offset in the outermost file.
        host: u64,
    },
    /// Stored in another form (compressed); `host` is where that form starts.
    Encoded {
        /// Offset in the outermost file.
        host: u64,
        /// Length of the stored form in bytes.
        host_length: u64,
    },
    /// Zero by promise of the layer; nothing is stored.
    Hole,
    /// Not obtainable, and why. Reading such bytes is an error.
    Missing {
        /// What the report says of the gap.
        reason: Arc<str>,
    },
}

/// A stretch of bytes with one [`Backing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Length in bytes, at least 1.
    pub length: u64,
    /// What the bytes are made of.
    pub backing: Backing,
}

/// Random access to a fixed number of bytes, from any thread.
pub trait ReadAt: Send + Sync + fmt::Debug {
    /// Length in bytes, as the layer promises it.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset`. Never reads short, never invents zeros.
    ///
    /// # Errors
    /// [`Kind::Truncated`](crate::error::Kind::Truncated) where the range passes the end;
    /// whatever the layer below reports. `buffer` then holds nothing useful.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// What the bytes from `offset` on are made of: one extent of at most `max` bytes, coalesced as far as
    /// that is cheap. `offset` must lie below [`size`](Self::size) and `max` above zero.
    ///
    /// # Errors
    /// When the layer's own tables for this place cannot be read or are wrong.
    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let length = max.min(self.size().saturating_sub(offset)).max(1);
        Ok(Extent { length, backing: Backing::Stored { host: offset } })
    }

    /// Borrows stored bytes without copying: between 1 and `max` bytes from `offset` on, or `None` where
    /// they are not memory-mapped in one piece.
    ///
    /// The memory may fail under the reader's hands; after use, ask [`faulted`](Self::faulted).
    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let _ = (offset, max);
        None
    }

    /// Whether memory handed out by [`slice`](Self::slice) for this range could not be delivered by the
    /// medium (it then read as zeros). [`read_at`](Self::read_at) tells which bytes are really there.
    fn faulted(&self, offset: u64, length: u64) -> bool {
        let _ = (offset, length);
        false
    }

    /// Says that slices of this range are not needed for now, so that they stop counting as resident memory.
    fn release(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }
}

/// Fails unless `length` bytes from `offset` on lie within `size`.
///
/// # Errors
/// [`Kind::Truncated`](crate::error::Kind::Truncated).
pub fn check_range(size: u64, offset: u64, length: u64) -> Result<()> {
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(()),
        _ => Err(Error::truncated("read past the end", offset, length, size)),
    }
}

/// Reads `length` bytes from `offset` into a new vector.
///
/// # Errors
/// As [`ReadAt::read_at`]; the vector is allocated only after the range has been checked.
pub fn read_vec(from: &dyn ReadAt, offset: u64, length: usize) -> Result<Vec<u8>> {
    check_range(from.size(), offset, u64::try_from(length).unwrap_or(u64::MAX))?;
    let mut bytes = vec![0; length];
    from.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// Whether all bytes are zero. By whole lines: a loop that may leave at each byte takes them one at a time.
pub fn is_zero(bytes: &[u8]) -> bool {
    let (lines, rest) = bytes.as_chunks::<64>();
    lines.iter().all(|line| line.iter().fold(0, |any, byte| any | byte) == 0)
        && rest.iter().all(|&byte| byte == 0)
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match start.checked_add(buffer.len()).and_then(|end| self.get(start..end)) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => check_range(self.size(), offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX)),
        }
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let rest = self.get(usize::try_from(offset).ok()?..)?;
        let length = rest.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        rest.get(..length).filter(|bytes| !bytes.is_empty())
    }
}
