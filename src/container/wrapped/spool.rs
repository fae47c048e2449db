//! The unlinked sparse file that a stream is decoded into.

use crate::container::Spool;
use crate::error::{Error, Kind, Result};
use crate::io::{Access, ReadAt, from_file, is_zero};
use crate::location::escape;
use std::fs::File;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Zeros of this length and alignment are not written.
const BLOCK: usize = 4096;
/// Space that is left to others on the file system.
const RESERVE: u64 = 64 << 20;
/// How often the free space is looked at, in bytes written.
const CHECK_EVERY: u64 = 64 << 20;

/// A file that grows and has no name.
#[derive(Debug)]
pub(super) struct SpoolFile {
    file: File,
    folder: PathBuf,
    limits: Spool,
    written: u64,
    checked: u64,
    size: u64,
}

impl SpoolFile {
    /// A new file in the folder that the limits name.
    ///
    /// # Errors
    /// [`Kind::Io`] where it cannot be made, [`Kind::LimitExceeded`] without free space.
    pub(super) fn new(limits: &Spool) -> Result<Self> {
        let folder = limits.folder.clone().unwrap_or_else(std::env::temp_dir);
        // The error as a whole is about the image, not about the folder.
        let shown = escape(folder.as_os_str().as_bytes());
        let failed = |source| Error::io(&format!("cannot make a file in {shown} to unpack into"), source);
        let file = tempfile::tempfile_in(&folder).map_err(failed)?;
        let spool = Self { file, folder, limits: limits.clone(), written: 0, checked: 0, size: 0 };
        spool.check_space()?;
        Ok(spool)
    }

    /// Length so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends bytes; aligned blocks of zeros become holes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.check_size(self.size.saturating_add(length))?;
        let inside = usize::try_from(self.size).map_or(0, |size| size % BLOCK);
        let (head, rest) = bytes.split_at(BLOCK.saturating_sub(inside).min(bytes.len()));
        // Blocks with bytes in them that lie behind each other are written together.
        let (mut pending, mut end) = (0..0, 0usize);
        for block in std::iter::once(head).chain(rest.chunks(BLOCK)) {
            end = end.saturating_add(block.len());
            if is_zero(block) {
                self.write(bytes, pending)?;
                pending = end..end;
            } else {
                pending.end = end;
            }
        }
        self.write(bytes, pending)?;
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    /// Leaves a hole of `length` bytes.
    pub(super) fn skip(&mut self, length: u64) -> Result<()> {
        self.check_size(self.size.saturating_add(length))?;
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    /// Writes the part `pending` of what is being appended.
    fn write(&mut self, bytes: &[u8], pending: Range<usize>) -> Result<()> {
        let start = u64::try_from(pending.start).unwrap_or(u64::MAX).saturating_add(self.size);
        let Some(part) = bytes.get(pending).filter(|part| !part.is_empty()) else { return Ok(()) };
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(length);
        if self.written > self.limits.bytes_max {
            let message = format!("unpacking needs more than {} bytes of disk space", self.limits.bytes_max);
            return Err(Error::new(Kind::LimitExceeded, message).at(start));
        }
        if self.written.saturating_sub(self.checked) >= CHECK_EVERY {
            self.check_space()?;
            self.checked = self.written;
        }
        let failed = |source| Error::io("cannot unpack", source).in_file(&self.folder);
        self.file.write_all_at(part, start).map_err(failed)
    }

    fn check_size(&self, size: u64) -> Result<()> {
        if size <= self.limits.size_max {
            return Ok(());
        }
        let message = format!("the unpacked image is longer than {} bytes", self.limits.size_max);
        Err(Error::new(Kind::LimitExceeded, message).at(self.size))
    }

    fn check_space(&self) -> Result<()> {
        let facts = rustix::fs::fstatvfs(&self.file);
        let free = facts.map_or(u64::MAX, |facts| facts.f_bavail.saturating_mul(facts.f_frsize));
        if free > RESERVE {
            return Ok(());
        }
        let folder = escape(self.folder.as_os_str().as_bytes());
        let message = format!("{folder} has {free} bytes free to unpack into, {RESERVE} are left to others");
        Err(Error::new(Kind::LimitExceeded, message).at(self.size))
    }

    /// The file as a source.
    pub(super) fn finish(self, access: Access) -> Result<Arc<dyn ReadAt>> {
        let failed = |source| Error::io("cannot unpack", source).in_file(&self.folder);
        self.file.set_len(self.size).map_err(failed)?;
        from_file(self.file, &self.folder, access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Backing, read_vec};

    fn limits() -> Spool {
        Spool::default()
    }

    #[test]
    fn appended_bytes_read_back_and_zeros_are_holes() {
        let mut expected = vec![0u8; 300_000];
        for (at, length) in [(0, 10), (5000, 1), (70_000, 9000), (200_000, 4096), (299_999, 1)] {
            expected[at..at + length].fill(0xaa);
        }
        for step in [1000, 4096, 5000, 65_536, 300_000] {
            let mut spool = SpoolFile::new(&limits()).unwrap();
            for part in expected.chunks(step) {
                spool.append(part).unwrap();
            }
            let source = spool.finish(Access::Pread).unwrap();
            assert!(read_vec(source.as_ref(), 0, 300_000).unwrap() == expected, "step {step}");
        }
        let mut spool = SpoolFile::new(&limits()).unwrap();
        spool.append(&[1; 4096]).unwrap();
        spool.append(&vec![0; 1 << 20]).unwrap();
        spool.skip(1 << 20).unwrap();
        let source = spool.finish(Access::Pread).unwrap();
        assert_eq!(source.size(), 4096 + (2 << 20));
        let extent = source.map(4096, u64::MAX).unwrap();
        assert_eq!((extent.backing, extent.length), (Backing::Hole, 2 << 20));
    }

    #[test]
    fn the_limits_hold() {
        let mut small = SpoolFile::new(&Spool { bytes_max: 8192, ..limits() }).unwrap();
        small.append(&[0; 100_000]).unwrap();
        assert_eq!(small.append(&[1; 10_000]).unwrap_err().kind(), Kind::LimitExceeded);
        let mut short = SpoolFile::new(&Spool { size_max: 8192, ..limits() }).unwrap();
        assert_eq!(short.append(&[0; 8193]).unwrap_err().kind(), Kind::LimitExceeded);
        assert_eq!(short.skip(u64::MAX).unwrap_err().kind(), Kind::LimitExceeded);
    }
}
