//! Headers of packages as the databases keep them (RPM file format, header structure): an index of tags, and a
//! store that they point into. Big-endian.

use crate::error::{Error, Result};
use crate::format::be32;
use crate::knowngood::digest::Digest;
use crate::knowngood::wanted::package;
use std::sync::Arc;

/// Bytes in front of the index: how many entries it has, and how long the store is.
const INTRO: usize = 8;
/// Bytes of an entry of the index: tag, type, offset, count.
const ENTRY: usize = 16;
/// Entries of one index, as rpm itself has it.
const ENTRIES_MAX: usize = 0xffff;
/// Directories of one package.
const DIRECTORIES_MAX: usize = 1 << 20;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
/// Full names, in packages of rpm 3.
const OLD_FILE_NAMES: u32 = 1027;
const FILE_STATES: u32 = 1029;
const FILE_DIGESTS: u32 = 1035;
const FILE_FLAGS: u32 = 1037;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const FILE_DIGEST_ALGORITHM: u32 = 5011;

/// The state of a file that is installed; others were replaced, left out, or are on a shared volume.
const NORMAL: u8 = 0;
/// The flag of a file that the package owns and does not bring.
const GHOST: u32 = 1 << 6;

/// Takes an absolute path, its digest and its package; says whether it takes more.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&[u8], Digest, &Arc<str>) -> bool;

/// A header.
#[derive(Clone, Copy, Debug)]
struct Header<'h> {
    index: &'h [u8],
    store: &'h [u8],
}

/// Visits the files of a package that have a digest; whether the visitor wants those of others.
///
/// # Errors
/// When the header is cut or has no name.
pub(super) fn files(blob: &[u8], visit: Visit<'_>) -> Result<bool> {
    let header = Header::parse(blob)?;
    let Some(package) = header.package() else {
        return Err(Error::corrupt(0, "rpm header", "a name, a version and a release", "none"));
    };
    let algorithm = header.numbers(FILE_DIGEST_ALGORITHM).next().unwrap_or(1);
    let mut states = header.bytes(FILE_STATES).iter();
    let mut flags = header.numbers(FILE_FLAGS);
    let directories: Vec<&[u8]> = header.strings(DIRECTORY_NAMES).take(DIRECTORIES_MAX).collect();
    let mut indexes = header.numbers(DIRECTORY_INDEXES);
    let has_directories = !directories.is_empty();
    let names = header.strings(if has_directories { BASE_NAMES } else { OLD_FILE_NAMES });
    let mut path = Vec::new();
    for (name, digest) in names.zip(header.strings(FILE_DIGESTS)) {
        let index = indexes.next().and_then(|index| usize::try_from(index).ok());
        // A package that is not installed has no states, and its files are all meant to be there.
        let is_normal = states.next().is_none_or(|&state| state == NORMAL);
        let is_ghost = flags.next().is_some_and(|flags| flags & GHOST != 0);
        let directory = match index.filter(|_| has_directories).and_then(|index| directories.get(index)) {
            Some(directory) => directory,
            None if has_directories => continue,
            None => b"".as_slice(),
        };
        let Some(digest) = digest_of(algorithm, digest).filter(|_| is_normal && !is_ghost) else { continue };
        path.clear();
        path.extend_from_slice(directory);
        path.extend_from_slice(name);
        if !visit(&path, digest, &package) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A digest in hexadecimal, by the number that OpenPGP gives its algorithm (RFC 9580, section 9.5). What is no
/// regular file has an empty one.
fn digest_of(algorithm: u32, hex: &[u8]) -> Option<Digest> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()?;
    match algorithm {
        1 => bytes.try_into().ok().map(Digest::Md5),
        2 => bytes.try_into().ok().map(Digest::Sha1),
        8 => bytes.try_into().ok().map(Digest::Sha256),
        10 => bytes.try_into().ok().map(Digest::Sha512),
        _ => None,
    }
}

impl<'h> Header<'h> {
    fn parse(blob: &'h [u8]) -> Result<Self> {
        let number =
            |at| be32(blob, at).and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX);
        let (entries, length) = (number(0), number(4));
        let index = INTRO.checked_add(entries.saturating_mul(ENTRY)).and_then(|end| blob.get(INTRO..end));
        let store = index.and_then(|index| blob.get(INTRO.checked_add(index.len())?..));
        let store = store.and_then(|store| store.get(..length));
        match (index, store) {
            (Some(index), Some(store)) if entries <= ENTRIES_MAX => Ok(Self { index, store }),
            _ => {
                let claimed = format!("{entries} entries and {length} bytes in {}", blob.len());
                Err(Error::corrupt(0, "rpm header", "an index and a store within its length", claimed))
            }
        }
    }

    /// What the store has from a tag's offset on, the tag's type, and its count.
    fn value(&self, tag: u32) -> Option<(&'h [u8], u32, usize)> {
        let entry = self.index.chunks_exact(ENTRY).find(|entry| be32(entry, 0) == Some(tag))?;
        let offset = usize::try_from(be32(entry, 8)?).ok()?;
        let count = usize::try_from(be32(entry, 12)?).ok()?;
        Some((self.store.get(offset..)?, be32(entry, 4)?, count))
    }

    /// The strings of a tag: types string, array of strings, translated strings.
    fn strings(&self, tag: u32) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        let (bytes, count) = match self.value(tag) {
            Some((bytes, 6 | 8 | 9, count)) => (bytes, count),
            _ => (&[][..], 0),
        };
        // What has no zero byte behind it is cut.
        let terminated = bytes.iter().rposition(|&byte| byte == 0).and_then(|end| bytes.get(..end));
        terminated.unwrap_or_default().split(|&byte| byte == 0).take(count)
    }

    /// The numbers of a tag of 32 bits.
    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> + use<'h> {
        let (bytes, count) = match self.value(tag) {
            Some((bytes, 4, count)) => (bytes, count),
            _ => (&[][..], 0),
        };
        bytes.chunks_exact(4).map_while(|four| be32(four, 0)).take(count)
    }

    /// The numbers of a tag of 8 bits.
    fn bytes(&self, tag: u32) -> &'h [u8] {
        match self.value(tag) {
            Some((bytes, 1 | 2, count)) => bytes.get(..count).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Name, and epoch, version and release as rpm writes them.
    fn package(&self) -> Option<Arc<str>> {
        let text = |tag| self.strings(tag).next();
        let (name, version, release) = (text(NAME)?, text(VERSION)?, text(RELEASE)?);
        let epoch = match self.numbers(EPOCH).next() {
            Some(epoch) if epoch > 0 => format!("{epoch}:"),
            _ => String::new(),
        };
        package(name, &[epoch.as_bytes(), version, b"-", release].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of these tags: type, count, bytes.
    fn header(tags: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let store: Vec<u8> = tags.iter().flat_map(|tag| tag.3).copied().collect();
        let mut out = Vec::new();
        out.extend(u32::try_from(tags.len()).unwrap().to_be_bytes());
        out.extend(u32::try_from(store.len()).unwrap().to_be_bytes());
        let mut offset = 0_u32;
        for (tag, kind, count, bytes) in tags {
            [*tag, *kind, offset, *count].iter().for_each(|number| out.extend(number.to_be_bytes()));
            offset += u32::try_from(bytes.len()).unwrap();
        }
        out.extend(store);
        out
    }

    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

    #[test]
    fn full_names_of_old_packages_states_and_flags_count() {
        let digests = format!("{MD5}\0{MD5}\0\0{MD5}\0");
        let blob = header(&[
            (NAME, 6, 1, b"old\0"),
            (VERSION, 6, 1, b"1\0"),
            (RELEASE, 6, 1, b"2\0"),
            (EPOCH, 4, 1, &3_u32.to_be_bytes()),
            (OLD_FILE_NAMES, 8, 4, b"/a\0/replaced\0/directory\0/ghost\0"),
            (FILE_DIGESTS, 8, 4, digests.as_bytes()),
            (FILE_STATES, 1, 4, &[0, 1, 0, 0]),
            (FILE_FLAGS, 4, 4, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50]),
        ]);
        let mut seen = Vec::new();
        let all = files(&blob, &mut |path, digest, package| {
            assert_eq!(Some(digest), Digest::md5_from_hex(MD5.as_bytes()));
            seen.push(format!("{} {package}", String::from_utf8_lossy(path)));
            true
        });
        assert!(all.unwrap());
        assert_eq!(seen, ["/a old 3:1-2"]);
    }

    #[test]
    fn a_header_is_no_longer_than_it_is() {
        let whole = header(&[(NAME, 6, 1, b"a\0"), (VERSION, 6, 1, b"1\0"), (RELEASE, 6, 1, b"2\0")]);
        let none: Visit<'_> = &mut |_, _, _| true;
        assert!(files(&whole, none).unwrap());
        for length in 0..whole.len() {
            assert!(files(&whole[..length], none).is_err(), "{length}");
        }
        for at in 0..4 {
            let mut bytes = whole.clone();
            bytes[at] = 0xff;
            assert!(files(&bytes, none).is_err(), "{at}");
        }
    }
}
