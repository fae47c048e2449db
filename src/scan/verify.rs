//! Digests that a container stores of its disk, compared with the disk's bytes.

use super::disk::Disk;
use crate::coverage::{Gap, GapKind};
use crate::error::Result;
use crate::io::ReadAt;
use sha1::Digest as _;

/// Bytes that are hashed at a time.
const CHUNK: usize = 1 << 20;

/// What a comparison came to.
#[derive(Debug, Default)]
pub(super) struct Verified {
    /// Digests that agree, or that there are none.
    pub(super) notes: Vec<String>,
    /// Digests that do not agree, or could not be computed.
    pub(super) gaps: Vec<Gap>,
}

/// Compares the digests that `disk`'s container stores: the MD5 and SHA-1 of an acquired image.
pub(super) fn verify(disk: &Disk) -> Verified {
    let mut verified = Verified::default();
    let stored = |name: &str| {
        let identifiers = disk.image.facts().identifiers.iter();
        identifiers.filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).next()
    };
    let (md5, sha1) = (stored("md5"), stored("sha1"));
    if md5.is_none() && sha1.is_none() {
        let format = disk.image.facts().format;
        verified.notes.push(format!("nothing to verify: the image ({format}) stores no digest of its disk"));
        return verified;
    }
    let computed = match digests(disk.image.as_ref(), md5.is_some(), sha1.is_some()) {
        Ok(computed) => computed,
        Err(error) => {
            verified.gaps.push(gap(format!("the stored digests cannot be verified: {error}")));
            return verified;
        }
    };
    for (name, stored, found) in [("MD5", md5, computed.md5), ("SHA-1", sha1, computed.sha1)] {
        let (Some(stored), Some(found)) = (stored, found) else { continue };
        if stored.eq_ignore_ascii_case(&found) {
            verified
                .notes
                .push(format!("verified: the {name} that the image stores is that of its disk, {found}"));
        } else {
            verified.gaps.push(gap(format!(
                "verification failed: the image stores the {name} {stored}, its disk has {found}"
            )));
        }
    }
    verified
}

fn gap(reason: String) -> Gap {
    Gap { kind: GapKind::Damaged, volume: String::new(), disk_offset: None, length: None, path: None, reason }
}

/// Digests of a whole disk, in hexadecimal.
#[derive(Debug, Default)]
struct Computed {
    md5: Option<String>,
    sha1: Option<String>,
}

fn digests(disk: &dyn ReadAt, md5: bool, sha1: bool) -> Result<Computed> {
    let mut md5 = md5.then(md5::Md5::new);
    let mut sha1 = sha1.then(sha1::Sha1::new);
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < disk.size() {
        let rest = usize::try_from(disk.size().saturating_sub(at)).unwrap_or(CHUNK).min(CHUNK);
        let part = buffer.get_mut(..rest).unwrap_or_default();
        disk.read_at(at, part)?;
        if let Some(md5) = &mut md5 {
            md5.update(&*part);
        }
        if let Some(sha1) = &mut sha1 {
            sha1.update(&*part);
        }
        at = at.saturating_add(u64::try_from(rest.max(1)).unwrap_or(1));
    }
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    Ok(Computed {
        md5: md5.map(|md5| hex(md5.finalize().as_slice())),
        sha1: sha1.map(|sha1| hex(sha1.finalize().as_slice())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_other_programs() {
        let disk = vec![0x5a; (1 << 20) + 17];
        let computed = digests(&disk, true, true).unwrap();
        assert_eq!(computed.md5.as_deref(), Some(MD5));
        assert_eq!(computed.sha1.as_deref(), Some(SHA1));
        assert!(digests(&disk, false, true).unwrap().md5.is_none());
    }

    const MD5: &str = "b84daaa7c3f8cc8010097b0c96e42bc2";
    const SHA1: &str = "8b14a1064a4b45fc4a8971f6c811c4cd8865e95a";
}
