//! What the caller allows when a container is opened.

use crate::io::Access;
use std::path::PathBuf;

/// What to do about a file that the image needs and that is not opened: a parent that was not given, an
/// extent that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unresolved {
    /// Refuse to open the image.
    #[default]
    Refuse,
    /// Open what is there: what only the other file holds is missing, never zero.
    Gap,
}

/// How a container is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Name of the format; `None` recognises it by content.
    pub format: Option<String>,
    /// Where the source lies on this machine. Without it no other file is ever opened.
    pub path: Option<PathBuf>,
    /// Parents that the user named, nearest first.
    pub parents: Vec<PathBuf>,
    /// Whether a parent that the image names by a bare file name may be opened from the image's own folder.
    /// Extents of one image (VMDK descriptors, split images) always may.
    pub allow_siblings: bool,
    /// What to do about a file that the image needs and that is not opened.
    pub unresolved: Unresolved,
    /// Which disk of an archive with several, from 0 on.
    pub disk: usize,
    /// How further files are read.
    pub access: Access,
    /// Where and how much a compressed image is unpacked.
    pub spool: Spool,
    /// The images above this one; callers leave it as it is.
    pub chain: Chain,
}

/// The images that refer to the one that is opened.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// How many images refer to this one.
    pub(super) depth: usize,
    /// Device and inode of their files.
    pub(super) seen: Vec<(u64, u64)>,
}

/// Where and how much a compressed image is unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Folder for the unlinked file; `None` is the system's folder for temporary files.
    pub folder: Option<PathBuf>,
    /// Bytes that are written at most; zeros are not written.
    pub bytes_max: u64,
    /// Length of the unpacked image at most.
    pub size_max: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { folder: None, bytes_max: 1 << 40, size_max: 1 << 44 }
    }
}
