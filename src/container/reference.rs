//! Files that an image refers to: parents and extents.
//!
//! A name inside an image is evidence, never a path to open. It is followed only to a regular file in the
//! image's own folder, by its bare name, without symbolic links; a parent also only where the caller allows
//! it. Everything else is refused and said.

use super::{Image, OpenOptions, Unresolved, open_with};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, from_file};
use crate::location::escape;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images in one chain of parents.
const DEPTH_MAX: usize = 8;

/// A parent as the image names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParentName<'a> {
    /// The name's bytes.
    pub(super) name: &'a [u8],
    /// The parent's format by this program's name, where the image declares one.
    pub(super) format: Option<&'a str>,
}

/// Opens a parent: the first that the user named, else the sibling that the image names. `None` where there
/// is none and the caller wants the gaps.
///
/// # Errors
/// [`Kind::MissingParent`] and [`Kind::RefusedReference`] where the caller refuses an image without its
/// parent; otherwise what opening the parent says.
pub(super) fn parent(options: &OpenOptions, parent: ParentName<'_>) -> Result<Option<Arc<dyn Image>>> {
    match resolve(options, parent) {
        Ok(image) => Ok(Some(image)),
        Err(error)
            if options.unresolved == Unresolved::Gap
                && matches!(error.kind(), Kind::MissingParent | Kind::RefusedReference) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn resolve(options: &OpenOptions, parent: ParentName<'_>) -> Result<Arc<dyn Image>> {
    let shown = escape(parent.name);
    if options.chain.depth >= DEPTH_MAX {
        let message = format!("parent {shown}: a chain of more than {DEPTH_MAX} images");
        return Err(Error::new(Kind::LimitExceeded, message));
    }
    let mut below = OpenOptions { format: parent.format.map(str::to_owned), ..options.clone() };
    let (file, path) = match options.parents.split_first() {
        Some((first, rest)) => {
            below.parents = rest.to_vec();
            (open_named(first)?, first.clone())
        }
        None if options.allow_siblings && parent.format.is_none() => {
            let message = format!("the image does not say which format its parent {shown} has");
            return Err(Error::new(Kind::RefusedReference, message));
        }
        None if options.allow_siblings => open_sibling(options, parent.name)?,
        None => {
            let message = format!("the image needs its parent {shown}, which was not given");
            return Err(Error::new(Kind::MissingParent, message));
        }
    };
    below.chain.depth = options.chain.depth.saturating_add(1);
    below.chain.seen = seen_with(options)?;
    let identity = identity(&file, &path)?;
    if below.chain.seen.contains(&identity) {
        let message = format!("parent {shown}: the image is its own ancestor");
        return Err(Error::new(Kind::Corrupt, message));
    }
    below.chain.seen.push(identity);
    below.path = Some(path.clone());
    let source = from_file(file, &path, options.access)?;
    open_with(source, &below).map_err(|error| error.context(format!("parent {shown}")))
}

/// Opens a file of this image in the same folder, for reading.
///
/// # Errors
/// [`Kind::RefusedReference`] for names that are not bare file names and for what is not a regular file,
/// [`Kind::MissingParent`] where there is none.
pub(super) fn sibling(options: &OpenOptions, name: &[u8]) -> Result<Arc<dyn ReadAt>> {
    let (file, path) = open_sibling(options, name)?;
    let identity = identity(&file, &path)?;
    if seen_with(options)?.contains(&identity) {
        let message = format!("{} is the image itself", escape(name));
        return Err(Error::new(Kind::Corrupt, message));
    }
    from_file(file, &path, options.access)
}

fn open_sibling(options: &OpenOptions, name: &[u8]) -> Result<(File, PathBuf)> {
    let shown = escape(name);
    let refuse = |why: &str| Error::new(Kind::RefusedReference, format!("{shown} is not opened: {why}"));
    if !is_bare(name) {
        return Err(refuse("only a bare file name in the image's own folder is followed"));
    }
    let folder = match &options.path {
        Some(path) => path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        None => return Err(refuse("it is not known where the image lies")),
    };
    let name = OsStr::from_bytes(name);
    match open_beneath(folder, name) {
        Ok(file) => {
            let path = folder.join(name);
            let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
            if regular { Ok((file, path)) } else { Err(refuse("it is not a regular file")) }
        }
        Err(rustix::io::Errno::LOOP) => Err(refuse("it is a symbolic link")),
        Err(rustix::io::Errno::XDEV) => Err(refuse("it leaves the image's folder")),
        Err(rustix::io::Errno::NOENT) => {
            Err(Error::new(Kind::MissingParent, format!("{shown} is not in the image's folder")))
        }
        Err(errno) => Err(Error::io("cannot open", errno.into()).in_file(&folder.join(name))),
    }
}

/// Opens `name` in `folder` so that nothing in between can lead elsewhere. `NONBLOCK` keeps a pipe of that
/// name from holding the program up.
fn open_beneath(folder: &Path, name: &OsStr) -> rustix::io::Result<File> {
    let directory =
        rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&directory, name, flags, Mode::empty(), resolve) {
        // Kernels before 5.6, and sandboxes. The name is bare: refusing a link at its end is enough.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
            rustix::fs::openat(&directory, name, flags, Mode::empty()).map(File::from)
        }
        opened => opened.map(File::from),
    }
}

/// Whether a name is a file name and nothing else on any system: no separators, no drive or protocol.
fn is_bare(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && !name.iter().any(|byte| matches!(byte, b'/' | b'\\' | b':' | 0..=31 | 127))
}

fn open_named(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| Error::io("cannot open the parent", source).in_file(path))
}

/// The files above, with the image itself.
fn seen_with(options: &OpenOptions) -> Result<Vec<(u64, u64)>> {
    let mut seen = options.chain.seen.clone();
    if let Some(path) = &options.path {
        let metadata = std::fs::metadata(path);
        let metadata = metadata.map_err(|source| Error::io("cannot look at", source).in_file(path))?;
        seen.push((metadata.dev(), metadata.ino()));
    }
    Ok(seen)
}

fn identity(file: &File, path: &Path) -> Result<(u64, u64)> {
    let metadata = file.metadata().map_err(|source| Error::io("cannot look at", source).in_file(path))?;
    Ok((metadata.dev(), metadata.ino()))
}
