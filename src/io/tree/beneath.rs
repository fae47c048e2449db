//! Opening what lies below a directory, so that nothing on the way can lead elsewhere.

use crate::error::{Error, Result};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Longest name that the system takes at once.
const PATH_MAX: usize = 4000;

/// The directory that everything is opened from.
#[derive(Debug)]
pub(super) struct Root {
    directory: File,
    path: PathBuf,
}

impl Root {
    /// Opens the directory. A symbolic link that the user names is the user's choice.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| Error::io("cannot open", errno.into()).in_file(path))?;
        Ok(Self { directory: directory.into(), path: path.to_path_buf() })
    }

    /// How messages call what lies at `path` below the directory.
    pub(super) fn shown(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(relative(path)))
    }

    /// Opens a file for reading. `NONBLOCK` keeps a pipe that took its place from holding the program up.
    pub(super) fn file(&self, path: &[u8]) -> rustix::io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        // Only the owner may read without leaving a time of access behind.
        match self.at(path, flags | OFlags::NOATIME) {
            Err(Errno::PERM) => self.at(path, flags),
            opened => opened,
        }
    }

    /// Opens a directory for reading.
    pub(super) fn directory(&self, path: &[u8]) -> rustix::io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match self.at(path, flags | OFlags::NOATIME) {
            Err(Errno::PERM) => self.at(path, flags),
            opened => opened,
        }
    }

    fn at(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<File> {
        let name = match relative(path) {
            b"" => b".".as_slice(),
            name => name,
        };
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if name.len() < PATH_MAX {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            let name = OsStr::from_bytes(name);
            match rustix::fs::openat2(&self.directory, name, flags, Mode::empty(), resolve) {
                // Kernels before 5.6, and sandboxes.
                Err(Errno::NOSYS) => {}
                opened => return opened.map(File::from),
            }
        }
        self.step_by_step(name, flags)
    }

    /// Opens one directory after the other; names that the walk found hold no `/` and are neither `.` nor `..`.
    fn step_by_step(&self, name: &[u8], flags: OFlags) -> rustix::io::Result<File> {
        let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut steps = name.split(|&byte| byte == b'/').peekable();
        let mut held: Option<File> = None;
        while let Some(step) = steps.next() {
            let flags = if steps.peek().is_some() { through } else { flags };
            let from = held.as_ref().unwrap_or(&self.directory);
            held = Some(rustix::fs::openat(from, OsStr::from_bytes(step), flags, Mode::empty())?.into());
        }
        held.ok_or(Errno::NOENT)
    }
}

fn relative(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_opened_through_a_link_by_either_way() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::write(inside.join("a/b/file"), "here").unwrap();
        std::fs::write(folder.path().join("outside"), "elsewhere").unwrap();
        std::os::unix::fs::symlink("../../outside", inside.join("a/link")).unwrap();
        std::os::unix::fs::symlink("..", inside.join("up")).unwrap();
        let root = Root::open(&inside).unwrap();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        root.file(b"/a/b/file").unwrap();
        root.step_by_step(b"a/b/file", flags).unwrap();
        for path in ["/a/link", "/up/outside", "/up/inside/a/b/file"] {
            root.file(path.as_bytes()).unwrap_err();
            root.step_by_step(relative(path.as_bytes()), flags).unwrap_err();
        }
        root.file(b"/../outside").unwrap_err();
    }
}
