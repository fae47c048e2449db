//! Files and block devices of this machine, opened read-only.

use super::mapped::MappedFile;
use super::{Backing, Extent, ReadAt, check_range};
use crate::error::{Error, Kind, Result};
use rustix::fs::SeekFrom;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the bytes of a file get into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Memory-mapped for regular files on local file systems, `pread` otherwise.
    #[default]
    Auto,
    /// Memory-mapped; an error where that cannot be done.
    Mapped,
    /// Copied with `pread`.
    Pread,
}

/// Opens a regular file or block device for reading.
///
/// # Errors
/// [`Kind::Io`] when it cannot be opened, [`Kind::Usage`] for directories, pipes and other special files.
pub fn open(path: &Path, access: Access) -> Result<Arc<dyn ReadAt>> {
    from_plain(PlainFile::open(path)?, access)
}

/// Reads a file that is open already; `path` is only what errors call it.
///
/// # Errors
/// As [`open`].
pub fn from_file(file: File, path: &Path, access: Access) -> Result<Arc<dyn ReadAt>> {
    from_plain(PlainFile::new(file, path)?, access)
}

fn from_plain(file: PlainFile, access: Access) -> Result<Arc<dyn ReadAt>> {
    let mappable = file.regular && file.size > 0;
    match access {
        Access::Pread => Ok(Arc::new(file)),
        Access::Mapped if !mappable => {
            let message = "only regular, non-empty files can be memory-mapped";
            Err(Error::new(Kind::Usage, message).in_file(&file.path))
        }
        Access::Mapped => Ok(Arc::new(MappedFile::new(file)?)),
        Access::Auto if mappable && file.is_local() => Ok(Arc::new(MappedFile::new(file)?)),
        Access::Auto => Ok(Arc::new(file)),
    }
}

/// A file that is read with `pread`.
#[derive(Debug)]
pub(super) struct PlainFile {
    file: File,
    path: PathBuf,
    size: u64,
    regular: bool,
}

impl PlainFile {
    fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::io("cannot open", source).in_file(path);
        check_kind(&std::fs::metadata(path).map_err(failed)?, path)?;
        Self::new(File::open(path).map_err(failed)?, path)
    }

    fn new(file: File, path: &Path) -> Result<Self> {
        let failed = |source| Error::io("cannot open", source).in_file(path);
        let metadata = file.metadata().map_err(failed)?;
        check_kind(&metadata, path)?;
        let kind = metadata.file_type();
        let size = if kind.is_file() {
            metadata.len()
        } else {
            rustix::fs::seek(&file, SeekFrom::End(0)).map_err(|errno| failed(errno.into()))?
        };
        Ok(Self { file, path: path.to_path_buf(), size, regular: kind.is_file() })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether the file system is one where a page fault does not go over a network or through a daemon.
    fn is_local(&self) -> bool {
        // Magic numbers from linux/magic.h: NFS, SMB, SMB2, CIFS, FUSE, 9P, Ceph, AFS, Coda.
        const REMOTE: [u64; 9] = [
            0x6969,
            0x517b,
            0xfe53_4d42,
            0xff53_4d42,
            0x6573_5546,
            0x0102_1997,
            0x00c3_6400,
            0x5346_414f,
            0x7375_7245,
        ];
        rustix::fs::fstatfs(&self.file)
            .is_ok_and(|facts| u64::try_from(facts.f_type).is_ok_and(|magic| !REMOTE.contains(&magic)))
    }
}

fn check_kind(metadata: &Metadata, path: &Path) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "neither a regular file nor a block device").in_file(path))
}

impl ReadAt for PlainFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|source| Error::io("cannot read", source).at(offset).in_file(&self.path))
    }

    /// Holes are what the file system of this machine reports (`SEEK_DATA`, `SEEK_HOLE`).
    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let rest = max.min(self.size.saturating_sub(offset)).max(1);
        let stored = Extent { length: rest, backing: Backing::Stored { host: offset } };
        if !self.regular {
            return Ok(stored);
        }
        let clip = |next: u64| next.saturating_sub(offset).clamp(1, rest);
        match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => Ok(Extent { length: clip(data), backing: Backing::Hole }),
            Ok(_) => match rustix::fs::seek(&self.file, SeekFrom::Hole(offset)) {
                Ok(hole) => Ok(Extent { length: clip(hole), ..stored }),
                Err(_) => Ok(stored),
            },
            Err(rustix::io::Errno::NXIO) => Ok(Extent { length: rest, backing: Backing::Hole }),
            Err(_) => Ok(stored),
        }
    }
}
