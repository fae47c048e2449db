//! Digests that package databases record, and those of files.

use super::wanted::Record;
use crate::filesystem::{Entry, FileSystem, StreamName};
use crate::io::ReadAt;
use std::sync::Arc;

/// Bytes digested at once.
const PIECE: usize = 256 << 10;

/// A digest of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// RFC 1321.
    Md5([u8; 16]),
    /// FIPS 180-4, SHA-1.
    Sha1([u8; 20]),
    /// FIPS 180-4, SHA-256.
    Sha256([u8; 32]),
    /// FIPS 180-4, SHA-512.
    Sha512([u8; 64]),
}

impl Digest {
    /// An MD5 digest as 32 hexadecimal digits.
    pub(super) fn md5_from_hex(hex: &[u8]) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()?;
        bytes.try_into().ok().map(Self::Md5)
    }

    /// A digest of the same kind over `content`; `None` where that cannot be read.
    fn again(self, content: &dyn ReadAt) -> Option<Self> {
        Some(match self {
            Self::Md5(_) => Self::Md5(digest::<md5::Md5>(content)?.into()),
            Self::Sha1(_) => Self::Sha1(digest::<sha1::Sha1>(content)?.into()),
            Self::Sha256(_) => Self::Sha256(digest::<sha2::Sha256>(content)?.into()),
            Self::Sha512(_) => Self::Sha512(digest::<sha2::Sha512>(content)?.into()),
        })
    }

    fn same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// The package of the first record whose digest is that of the entry's content.
pub(super) fn matching<'r>(
    filesystem: &dyn FileSystem,
    entry: &Entry,
    records: &'r [Record],
) -> Option<&'r Arc<str>> {
    let content = filesystem.open(entry, &StreamName::Data).ok()?;
    let mut seen: Vec<Digest> = Vec::new();
    records.iter().find_map(|record| {
        let known = seen.iter().copied().find(|digest| digest.same_kind(record.digest));
        let digest = match known {
            Some(digest) => digest,
            None => record.digest.again(content.as_ref()).inspect(|&digest| seen.push(digest))?,
        };
        (digest == record.digest).then_some(&record.package)
    })
}

fn digest<D: sha2::Digest>(content: &dyn ReadAt) -> Option<sha2::digest::Output<D>> {
    let mut hasher = D::new();
    let mut buffer = vec![0; PIECE];
    let mut at = 0_u64;
    while at < content.size() {
        let rest = usize::try_from(content.size().saturating_sub(at)).unwrap_or(usize::MAX);
        let piece = buffer.get_mut(..rest.min(PIECE))?;
        content.read_at(at, piece).ok()?;
        hasher.update(&*piece);
        at = at.checked_add(u64::try_from(piece.len()).ok()?)?;
    }
    Some(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let content = b"abc".to_vec();
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let md5 = Digest::md5_from_hex(b"900150983cd24fb0d6963f7d28e17f72").unwrap();
        let sha1 = Digest::Sha1(hex("a9993e364706816aba3e25717850c26c9cd0d89d").try_into().unwrap());
        let sha256 = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let sha256 = Digest::Sha256(sha256.try_into().unwrap());
        let sha512 = hex(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        );
        let sha512 = Digest::Sha512(sha512.try_into().unwrap());
        for digest in [md5, sha1, sha256, sha512] {
            assert_eq!(digest.again(&content), Some(digest));
            assert_ne!(digest.again(&b"abd".to_vec()), Some(digest));
        }
        for wrong in ["", "900150983cd24fb0d6963f7d28e17f7", "900150983cd24fb0d6963f7d28e17f7x", "00"] {
            assert_eq!(Digest::md5_from_hex(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
