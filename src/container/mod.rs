//! Disk-image containers: what turns a file of this machine into a virtual disk.
//!
//! One file a format, one line in [`FORMATS`]. Readers are stateless over their source, take `&self`, and
//! tell through [`ReadAt::map`] which bytes are stored as they are (zero-copy slices), which are encoded,
//! which are holes, and which cannot be had. A reference inside an image (backing file, parent, extent) is
//! never opened because the image says so.

mod blocks;
mod cache;
mod codec;
mod crc32c;
mod directory;
mod ewf;
mod options;
mod patched;
mod qcow2;
mod raw;
mod reference;
mod residual;
mod sparse;
mod split;
mod unread;
mod unshown;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;
mod wrapped;

pub use directory::DirectoryImage;
pub use options::{Chain, OpenOptions, Spool, Unresolved};
pub use wrapped::{compression, unpack, unpacked_head};

use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A virtual disk.
pub trait Image: ReadAt {
    /// What the container says of itself.
    fn facts(&self) -> &Facts;

    /// Bytes of the container's files that hold neither the disk nor tables: clusters that nothing refers to
    /// any more, blocks of internal snapshots, data behind the end of the disk. A clean-up inside the guest
    /// never reaches them, and they ship with the image. Computed on each call by a walk over all tables.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] for images in more pieces than can be kept.
    fn residual(&self) -> Result<Vec<Residual>> {
        Ok(Vec::new())
    }

    /// The files whose bytes the disk is made of, with those of its parents; of a compressed image, what it was
    /// unpacked into.
    fn sources(&self) -> Vec<Arc<dyn ReadAt>>;

    /// Bytes of the disk that only keep files apart, and belong to nothing.
    fn padding(&self) -> u64 {
        0
    }

    /// Whether there is no disk behind the file system: places on the disk then mean nothing.
    fn is_logical(&self) -> bool {
        false
    }

    /// What changed while it was read.
    fn disturbances(&self) -> Vec<String> {
        Vec::new()
    }

    /// The internal snapshots that can be read, and why others cannot.
    fn snapshots(&self) -> Vec<Result<Snapshot>> {
        Vec::new()
    }
}

/// Bytes of one file that only the container knows.
#[derive(Clone, Debug)]
pub struct Residual {
    /// The file, in the order in which the image names its files.
    pub number: usize,
    /// Its bytes.
    pub file: Arc<dyn ReadAt>,
    /// Ranges of it, ascending and apart from each other.
    pub remains: Vec<Remains>,
    /// Ranges shorter than this were left out.
    pub length_min: u64,
    /// How to make a file of this format that holds nothing but the disk.
    pub rewrite: &'static str,
}

/// A range of a file that is neither disk nor table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Where in the file.
    pub range: Range<u64>,
    /// What it is.
    pub kind: RemainsKind,
}

/// What bytes that only the container knows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemainsKind {
    /// No table refers to them any more.
    Unreferenced,
    /// An internal snapshot refers to them, the active state does not.
    Snapshot,
    /// The memory of a machine that a snapshot was taken of.
    MachineState,
    /// Between two units or tables, shorter than a unit.
    Padding,
    /// Behind everything that a table refers to.
    Trailing,
    /// Members of an archive beside the disk.
    Beside,
}

impl RemainsKind {
    /// What a report calls them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreferenced => "a unit of the container that no table refers to any more",
            Self::Snapshot => "a cluster of an internal snapshot that the active state does not show",
            Self::MachineState => "memory of the machine, kept with an internal snapshot",
            Self::Padding => "padding between units of the container",
            Self::Trailing => "bytes behind the end of the container's data",
            Self::Beside => "a part of the archive that is not the disk",
        }
    }

    /// What is to be done about them before the file may leave.
    pub fn remedy(self, rewrite: &str) -> String {
        match self {
            Self::Snapshot | Self::MachineState => format!(
                "Nothing inside the machine reaches it: delete the internal snapshots, then write the disk into \
                 a fresh file ({rewrite}), and ship that one."
            ),
            Self::Unreferenced | Self::Padding | Self::Trailing => format!(
                "Nothing inside the machine reaches it: export the disk again, or write it into a fresh file \
                 ({rewrite}), and ship that one."
            ),
            Self::Beside => {
                "Nothing inside the machine reaches it: make the archive again without it.".to_owned()
            }
        }
    }
}

/// An older state of the disk inside its container.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its name, escaped.
    pub name: String,
    /// The disk as it was.
    pub disk: Arc<dyn ReadAt>,
    /// The same disk, where what the active state or the snapshot before this one shows counts as holes.
    pub unshown: Arc<dyn ReadAt>,
}

/// What is known of a container apart from the disk's bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Name of the format, as `--container` takes it: `raw`, `qcow2` …
    #[serde(deserialize_with = "crate::names::read")]
    pub format: crate::names::Name,
    /// Version within the format, where it has versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Size of the virtual disk in bytes.
    pub virtual_size: u64,
    /// Size of the file or files in bytes.
    pub stored_size: u64,
    /// Method by which the format compresses units of data, as the header has it; none of them need be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// How the disk's bytes are encrypted by the container, where they are. Such an image does not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Program that wrote it, as far as the container names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// Identifiers (UUIDs and the like) as name and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<(String, String)>,
    /// Names of internal snapshots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// Name of the parent (backing file) that the image refers to, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Wrappings around the container, the outermost first: `gz`, `tar` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrapping: Vec<String>,
    /// What of the file is not part of the disk and was not read: each makes the scan incomplete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// What a reader of the report should know: dirty bits, ignored features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Opens a source as one format.
pub type Open = fn(Arc<dyn ReadAt>, &OpenOptions) -> Result<Arc<dyn Image>>;

/// A container format.
#[derive(Clone, Copy)]
pub struct Format {
    /// Name for `--container` and for reports.
    pub name: &'static str,
    /// Whether the bytes look like this format. Looks only; reading errors count as "no".
    pub probe: fn(&dyn ReadAt, &OpenOptions) -> bool,
    /// Opens the container.
    pub open: Open,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All formats in the order in which they are probed; `raw` fits anything and comes last; `split`
/// comes first, because a first part looks like the whole image.
pub const FORMATS: &[Format] = &[
    split::FORMAT,
    qcow2::FORMAT,
    vmdk::FORMAT,
    vhdx::FORMAT,
    vdi::FORMAT,
    vhd::FORMAT,
    ewf::FORMAT,
    unread::FORMAT,
    wrapped::GZIP,
    wrapped::ZSTD,
    wrapped::XZ,
    wrapped::BZIP2,
    wrapped::TAR,
    raw::FORMAT,
];

/// Opens `source` as the first format that recognises it, or as the format called `name`.
///
/// # Errors
/// As [`open_with`].
pub fn open(source: Arc<dyn ReadAt>, name: Option<&str>) -> Result<Arc<dyn Image>> {
    let options = OpenOptions { format: name.map(str::to_owned), ..OpenOptions::default() };
    open_with(source, &options)
}

/// Opens `source` as the options say.
///
/// # Errors
/// [`Kind::Truncated`] for an empty source, [`Kind::Usage`] for an unknown name; otherwise what the format
/// says.
pub fn open_with(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    if source.size() == 0 {
        return Err(Error::new(Kind::Truncated, "the file is empty"));
    }
    let format = recognise(source.as_ref(), options).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
        Error::new(Kind::Usage, format!("unknown container format; known are {}", known.join(", ")))
    })?;
    (format.open)(source, options)
}

/// The format that `options` name, or the first one that recognises `source`; `None` for an unknown name.
pub fn recognise(source: &dyn ReadAt, options: &OpenOptions) -> Option<&'static Format> {
    FORMATS.iter().find(|format| match &options.format {
        Some(name) => format.name == name,
        None => (format.probe)(source, options),
    })
}
