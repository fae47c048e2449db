//! The header ("Header", "Additional fields").

use super::extensions::Extensions;
use crate::container::codec::Codec;
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};

/// First bytes of the file.
pub(super) const MAGIC: &[u8] = b"QFI\xfb";

/// Length of a version-2 header.
const V2_LENGTH: u32 = 72;
/// Least length of a version-3 header.
const V3_LENGTH: u32 = 104;
/// Longest name of a backing file ("backing_file_size").
const BACKING_NAME_MAX: u32 = 1023;
/// Largest L1 table that the format's own program opens, in bytes.
pub(super) const L1_BYTES_MAX: u64 = 32 << 20;

const DIRTY: u64 = 1 << 0;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// Size of a cluster: a power of two from 512 bytes to 2 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClusterSize {
    bits: u32,
}

impl ClusterSize {
    fn new(bits: u32) -> Result<Self> {
        if (9..=21).contains(&bits) {
            Ok(Self { bits })
        } else {
            Err(Error::corrupt(20, "cluster bits", "9 to 21", bits))
        }
    }

    /// In bytes.
    pub(super) fn bytes(self) -> u64 {
        1 << self.bits
    }

    /// Its binary logarithm.
    pub(super) fn bits(self) -> u32 {
        self.bits
    }
}

/// Whether L2 entries have a subcluster bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entries {
    /// Eight bytes: the cluster descriptor.
    Standard,
    /// Sixteen bytes: the descriptor and the bitmap of 32 subclusters.
    Extended,
}

/// A header that was found consistent.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) cluster: ClusterSize,
    pub(super) entries: Entries,
    pub(super) codec: Codec,
    /// Size of the disk in bytes.
    pub(super) size: u64,
    pub(super) l1_at: u64,
    pub(super) l1_entries: u64,
    pub(super) refcounts_at: u64,
    pub(super) refcount_clusters: u64,
    pub(super) snapshots_at: u64,
    pub(super) snapshots: u32,
    /// Name of the backing file.
    pub(super) backing_file: Option<Vec<u8>>,
    /// Format of the backing file, by this program's name.
    pub(super) backing_format: Option<&'static str>,
    pub(super) notes: Vec<String>,
}

impl Header {
    /// Reads and checks the header of `file`.
    ///
    /// # Errors
    /// By name, for everything that is not read: see the module.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self> {
        let mut bytes = read_vec(file, 0, 72)?;
        let version = Fields::new("qcow2 header", &bytes, 0).be_u32(4)?;
        let length = match version {
            2 => V2_LENGTH,
            3 => {
                bytes = read_vec(file, 0, 112).or_else(|_| read_vec(file, 0, 104))?;
                Fields::new("qcow2 header", &bytes, 0).be_u32(100)?
            }
            other => return Err(Error::unsupported(format!("qcow2 version {other}; 2 and 3 are read"))),
        };
        let fields = Fields::new("qcow2 header", &bytes, 0);
        let cluster = ClusterSize::new(fields.be_u32(20)?)?;
        if version == 3 && (length < V3_LENGTH || u64::from(length) > cluster.bytes()) {
            return Err(Error::corrupt(100, "header length", "104 to one cluster", length));
        }
        refuse_encryption(fields.be_u32(32)?)?;
        let extensions = Extensions::read(file, u64::from(length), cluster.bytes());
        let mut notes = extensions.notes.clone();
        let features = if version == 3 { fields.be_u64(72)? } else { 0 };
        check_features(features, &extensions, &mut notes)?;
        let method = if length > 104 { fields.u8(104)? } else { 0 };
        let header = Self {
            version,
            cluster,
            entries: entries(features, cluster)?,
            codec: codec(features, method)?,
            size: fields.be_u64(24)?,
            l1_at: fields.be_u64(40)?,
            l1_entries: u64::from(fields.be_u32(36)?),
            refcounts_at: fields.be_u64(48)?,
            refcount_clusters: fields.be_u32(56)?.into(),
            snapshots_at: fields.be_u64(64)?,
            snapshots: fields.be_u32(60)?,
            backing_file: backing_file(file, &fields, cluster)?,
            backing_format: extensions.backing_format(),
            notes,
        };
        header.check_l1(file.size())?;
        Ok(header)
    }

    /// Clusters that one L2 table describes.
    pub(super) fn clusters_per_table(&self) -> u64 {
        match self.entries {
            Entries::Standard => self.cluster.bytes() / 8,
            Entries::Extended => self.cluster.bytes() / 16,
        }
    }

    /// The compression method's usual name.
    pub(super) fn compression_name(&self) -> &'static str {
        if self.codec == Codec::Zstd { "zstd" } else { "zlib" }
    }

    /// The active L1 table must describe the whole disk and start within the file.
    fn check_l1(&self, file_size: u64) -> Result<()> {
        let clusters = self.size.div_ceil(self.cluster.bytes());
        let needed = clusters.div_ceil(self.clusters_per_table());
        if self.l1_entries < needed {
            return Err(Error::corrupt(
                36,
                "L1 table entries",
                format!("at least {needed}"),
                self.l1_entries,
            ));
        }
        let bytes = self.l1_entries.saturating_mul(8);
        if bytes > L1_BYTES_MAX {
            return Err(Error::corrupt(36, "L1 table bytes", format!("at most {L1_BYTES_MAX}"), bytes));
        }
        if needed > 0 && self.l1_at.checked_rem(self.cluster.bytes()) != Some(0) {
            return Err(Error::corrupt(40, "L1 table offset", "a multiple of the cluster size", self.l1_at));
        }
        if needed > 0 && self.l1_at >= file_size {
            return Err(Error::truncated("L1 table", self.l1_at, bytes, file_size));
        }
        Ok(())
    }
}

fn refuse_encryption(method: u32) -> Result<()> {
    match method {
        0 => Ok(()),
        1 => Err(Error::new(Kind::Encrypted, "qcow2 AES encryption")),
        2 => Err(Error::new(Kind::Encrypted, "qcow2 LUKS encryption")),
        other => Err(Error::corrupt(32, "encryption method", "0, 1 or 2", other)),
    }
}

fn check_features(features: u64, extensions: &Extensions, notes: &mut Vec<String>) -> Result<()> {
    if features & DATA_FILE != 0 {
        let name = extensions.data_file.as_deref().unwrap_or("without a name");
        let message = format!("the data lie in the external file {name}, which is not read");
        return Err(Error::new(Kind::RefusedReference, message).at(72));
    }
    let unknown = features & !(DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2);
    if unknown != 0 {
        let names: Vec<_> =
            (0..64).filter(|bit| unknown >> bit & 1 == 1).map(|bit| extensions.feature_name(bit)).collect();
        let message = format!("qcow2 incompatible feature: {}", names.join(", "));
        return Err(Error::unsupported(message).at(72));
    }
    if features & DIRTY != 0 {
        notes.push("the dirty bit is set: the image was not closed cleanly".to_owned());
    }
    if features & CORRUPT != 0 {
        notes.push("the corrupt bit is set: a program found damaged structures".to_owned());
    }
    Ok(())
}

fn entries(features: u64, cluster: ClusterSize) -> Result<Entries> {
    match features & EXTENDED_L2 != 0 {
        false => Ok(Entries::Standard),
        true if cluster.bits() >= 14 => Ok(Entries::Extended),
        true => Err(Error::corrupt(20, "cluster bits with extended L2 entries", "14 to 21", cluster.bits())),
    }
}

fn codec(features: u64, method: u8) -> Result<Codec> {
    match (features & COMPRESSION != 0, method) {
        (false, 0) => Ok(Codec::Deflate),
        (true, 1) => Ok(Codec::Zstd),
        (true, 0) | (false, _) => {
            Err(Error::corrupt(104, "compression type", "agreement with the compression bit", method))
        }
        (true, other) => Err(Error::unsupported(format!("qcow2 compression type {other}")).at(104)),
    }
}

/// The backing file's name; it lies in the first cluster.
fn backing_file(file: &dyn ReadAt, fields: &Fields<'_>, cluster: ClusterSize) -> Result<Option<Vec<u8>>> {
    let (at, length) = (fields.be_u64(8)?, fields.be_u32(16)?);
    if at == 0 || length == 0 {
        return Ok(None);
    }
    if length > BACKING_NAME_MAX {
        return Err(Error::corrupt(16, "length of the backing file's name", "at most 1023", length));
    }
    if at.saturating_add(u64::from(length)) > cluster.bytes() {
        return Err(Error::corrupt(8, "backing file name", "a place in the first cluster", at));
    }
    read_vec(file, at, usize::try_from(length).unwrap_or(usize::MAX)).map(Some)
}
