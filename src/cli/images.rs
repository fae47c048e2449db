//! Which images a scan takes: those that are named, and those that lie in folders of images.

use super::output;
use crate::container::{self, OpenOptions};
use crate::error::{Error, Result};
use crate::io::{self, Access, ReadAt, read_vec};
use crate::location::escape;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Folders in one another at most.
const DEPTH_MAX: usize = 32;
/// Longest descriptor that is looked at for the names of extents.
const DESCRIPTOR_MAX: u64 = 64 << 10;

/// An image that is to be scanned.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What reports call it: the path from the folder of images on; the file's name without one.
    pub(super) name: Option<String>,
}

/// The images that are named, then those in `folders`, bytewise sorted. What is left out is said.
///
/// # Errors
/// Where a folder cannot be read.
pub(super) fn choose(named: &[PathBuf], folders: &[PathBuf]) -> Result<Vec<Chosen>> {
    let mut chosen: Vec<_> = named.iter().map(|path| Chosen { path: path.clone(), name: None }).collect();
    for folder in folders {
        let before = chosen.len();
        let mut paths = Vec::new();
        collect(folder, 0, &mut paths)?;
        paths.sort_by(|one, other| one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes()));
        let extents = extents(&paths);
        let all: BTreeSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
        for path in &paths {
            let name = escape(path.strip_prefix(folder).unwrap_or(path).as_os_str().as_bytes());
            let reason = if extents.contains(path) {
                Some("an extent of another image")
            } else if is_further_part(path, &all) {
                Some("a further part of another image")
            } else if !is_image(path) {
                Some("not a disk image: without known structure, and not of whole sectors")
            } else {
                None
            };
            match reason {
                Some(reason) => output::say(&format!("{name} is left out: {reason}")),
                None => chosen.push(Chosen { path: path.clone(), name: Some(name) }),
            }
        }
        if chosen.len() == before {
            return Err(
                Error::new(crate::error::Kind::NotFound, "no disk images in the folder").in_file(folder)
            );
        }
    }
    Ok(chosen)
}

/// How many files directly in a folder are images by their container, which a user may have meant to scan.
pub(super) fn images_in(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let files = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let wrapped = ["raw", "tar", "gz", "zst", "xz", "bz2", "unread"];
    let is_disk = |path: PathBuf| format_of(&path).is_some_and(|name| !wrapped.contains(&name));
    files.filter(|entry| is_disk(entry.path())).count()
}

/// Regular files below a folder; links are not followed.
fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |source| Error::io("cannot read the folder", source).in_file(folder);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_file() {
            paths.push(path);
        } else if kind.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth.saturating_add(1), paths)?;
        } else {
            let name = escape(path.as_os_str().as_bytes());
            output::say(&format!("{name} is left out: neither a file nor a folder"));
        }
    }
    Ok(())
}

fn source(path: &Path) -> Option<std::sync::Arc<dyn ReadAt>> {
    io::open(path, Access::Pread).ok()
}

fn format_of(path: &Path) -> Option<&'static str> {
    let source = source(path)?;
    let options = OpenOptions { path: Some(path.to_path_buf()), ..OpenOptions::default() };
    container::recognise(source.as_ref(), &options).map(|format| format.name)
}

/// Whether a file may be a disk. What cannot be opened may be, and the scan says why it did not open.
fn is_image(path: &Path) -> bool {
    let Some(source) = source(path) else { return true };
    let raw = format_of(path).is_none_or(|name| name == "raw");
    !raw || source.size().is_multiple_of(512)
}

/// The files that VMDK descriptors name as their extents.
fn extents(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut extents = BTreeSet::new();
    for path in paths {
        let Some(source) = source(path).filter(|source| source.size() <= DESCRIPTOR_MAX) else { continue };
        let length = usize::try_from(source.size()).unwrap_or(0);
        let Ok(text) = read_vec(source.as_ref(), 0, length) else { continue };
        if !text.starts_with(b"# Disk DescriptorFile") {
            continue;
        }
        for line in text.split(|&byte| byte == b'\n').filter(|line| is_extent(line)) {
            if let Some(name) = line.split(|&byte| byte == b'"').nth(1) {
                extents.insert(path.with_file_name(OsStr::from_bytes(name)));
            }
        }
    }
    extents
}

fn is_extent(line: &[u8]) -> bool {
    [b"RW ".as_slice(), b"RDONLY ", b"NOACCESS "].iter().any(|start| line.starts_with(start))
}

/// Whether a file is the second or a later one of a split or an acquired image whose first one is there, too.
fn is_further_part(path: &Path, all: &BTreeSet<&Path>) -> bool {
    let Some(extension) = path.extension().map(OsStr::as_bytes) else { return false };
    let firsts: &[&str] = match extension {
        b"000" | b"E01" | b"e01" | b"S01" | b"s01" => return false,
        [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_digit()) => &["000", "001"],
        [b'E'..=b'Z', b, c] if [b, c].iter().all(|byte| byte.is_ascii_alphanumeric()) => &["E01", "S01"],
        [b'e'..=b'z', b, c] if [b, c].iter().all(|byte| byte.is_ascii_alphanumeric()) => &["e01", "s01"],
        _ => return false,
    };
    let is_first = |first: &&&str| extension != first.as_bytes();
    firsts.iter().filter(is_first).any(|first| all.contains(path.with_extension(first).as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_parts_are_told_from_first_ones() {
        let names =
            ["a.001", "a.002", "b.000", "b.001", "c.E01", "c.E02", "c.EAA", "d.E02", "e.raw", "c.vmdk"];
        let paths: Vec<PathBuf> = names.iter().map(|name| Path::new("/x").join(name)).collect();
        let all: BTreeSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let further: Vec<_> = paths
            .iter()
            .filter(|path| is_further_part(path, &all))
            .map(|path| path.file_name().unwrap())
            .collect();
        assert_eq!(further, ["a.002", "b.001", "c.E02", "c.EAA"]);
    }
}
