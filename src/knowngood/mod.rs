//! Proof that a file is as its package brought it: the file's digest equals the one that the package
//! database inside of the image records for its path.
//!
//! A path alone proves nothing, and neither does the package's name. What cannot be proven, for whatever
//! reason (no database, damage, a bound), stays unproven. The database stands in the same image as the file:
//! the proof tells vendor content from content of the image's owner, it does not tell an attacker's work.
//!
//! One file a database, one line in [`DATABASES`].

mod apk;
mod digest;
mod distroless;
mod dpkg;
mod image;
mod wanted;

use crate::filesystem::{Entry, EntryId, EntryKind, EntryState, FileSystem, Role, StreamName};
use crate::io::read_vec;
use aho_corasick::AhoCorasick;
use image::Image;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::{BTreeMap, BTreeSet};
use wanted::{Record, Wanted};

/// A sort of package database.
struct Database {
    /// Reads it and hands what it says of wanted paths to [`Wanted::offer`]; does nothing where the image has
    /// no such database.
    read: fn(&Image<'_>, &mut Wanted<'_>) -> crate::error::Result<()>,
}

/// All sorts.
const DATABASES: &[Database] = &[dpkg::DATABASE, distroless::DATABASE, apk::DATABASE];

/// Longer files are not digested.
const FILE_MAX: u64 = 1 << 30;
/// Bytes of all files of one file system that are digested.
const TOTAL_MAX: u64 = 16 << 30;
/// Longest source that is searched for what a compiled file holds.
const SOURCE_MAX: u64 = 16 << 20;

/// Places of live credentials: what lies here is the image's own, whoever brought it. `/` at the end means
/// everything below, otherwise it is the start of a name.
const LIVE: &[&str] = &[
    "/home/",
    "/root/",
    "/var/home/",
    "/var/roothome/",
    "/etc/ssh/",
    "/etc/ssl/private/",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/passwd",
    "/etc/sudoers",
];
/// Places of configuration and data, where a private key is in use and not an example.
const IN_USE: &[&str] = &["/etc/", "/var/", "/srv/", "/run/", "/boot/"];

/// What is proven of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Name and version of the package.
    pub package: String,
    /// For a compiled file that no package brought: its source, which is unmodified. The compiled file itself
    /// is proven only for what [`holds`] finds in the source.
    pub source: Option<EntryId>,
    /// Whether the file lies where private keys are in use, so that a key is not excused by its origin.
    pub in_use: bool,
}

/// Says which of `entries` are unmodified files of packages that are installed in this file system. Reads the
/// package databases once, and digests each entry at most once for each kind of digest.
pub fn prove(filesystem: &dyn FileSystem, entries: &BTreeSet<EntryId>) -> BTreeMap<EntryId, Proof> {
    let image = Image::new(filesystem);
    let aliases = image.aliases();
    let mut wanted = Wanted::new(&aliases);
    let subjects: Vec<Subject> = entries.iter().filter_map(|&id| Subject::new(&image, id)).collect();
    for subject in &subjects {
        subject.names.iter().for_each(|name| wanted.want(name));
        subject.source.iter().for_each(|(name, _)| wanted.want(name));
    }
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    for database in DATABASES {
        // A database that cannot be read proves nothing, and takes nothing from what others prove.
        let _ = (database.read)(&image, &mut wanted);
    }
    let mut total = 0_u64;
    let mut jobs: Vec<(&Subject, &Entry, Vec<Record>, bool)> = Vec::new();
    for subject in &subjects {
        let own: Vec<Record> = subject.names.iter().flat_map(|name| wanted.records(name)).collect();
        let (entry, records, derived) = match &subject.source {
            Some((name, source)) if own.is_empty() => (source, wanted.records(name), true),
            _ => (&subject.entry, own, false),
        };
        let size = entry.size();
        if records.is_empty() || size > FILE_MAX || size > TOTAL_MAX.saturating_sub(total) {
            continue;
        }
        total = total.saturating_add(size);
        jobs.push((subject, entry, records, derived));
    }
    let proven = jobs.par_iter().filter_map(|(subject, entry, records, derived)| {
        let package = digest::matching(filesystem, entry, records)?;
        let source = derived.then_some(entry.id);
        let in_use = subject.lies_in(IN_USE);
        Some((subject.entry.id, Proof { package: package.to_string(), source, in_use }))
    });
    proven.collect()
}

/// How a file stands to the package that has its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its digest is the recorded one.
    Unmodified {
        /// Name and version of the package.
        package: String,
    },
    /// Its digest is another one.
    Modified {
        /// Name and version of the package.
        package: String,
    },
}

/// How `entries` stand to the packages that are installed in this file system. Files that no package records,
/// those in live places and those above the bounds are left out.
pub fn compare(filesystem: &dyn FileSystem, entries: &BTreeSet<EntryId>) -> BTreeMap<EntryId, Standing> {
    let image = Image::new(filesystem);
    let aliases = image.aliases();
    let mut wanted = Wanted::new(&aliases);
    let subjects: Vec<Subject> = entries.iter().filter_map(|&id| Subject::new(&image, id)).collect();
    for subject in &subjects {
        subject.names.iter().for_each(|name| wanted.want(name));
    }
    for database in DATABASES {
        // A database that cannot be read says nothing of its files.
        let _ = (database.read)(&image, &mut wanted);
    }
    let mut total = 0_u64;
    let mut jobs: Vec<(&Subject, Vec<Record>)> = Vec::new();
    for subject in &subjects {
        let records: Vec<Record> = subject.names.iter().flat_map(|name| wanted.records(name)).collect();
        let size = subject.entry.size();
        if !records.is_empty() && size <= FILE_MAX && size <= TOTAL_MAX.saturating_sub(total) {
            total = total.saturating_add(size);
            jobs.push((subject, records));
        }
    }
    let standing = jobs.par_iter().filter_map(|(subject, records)| {
        let standing = match digest::matching(filesystem, &subject.entry, records) {
            Some(package) => Standing::Unmodified { package: package.to_owned() },
            None => Standing::Modified { package: records.first()?.package.to_string() },
        };
        Some((subject.entry.id, standing))
    });
    standing.collect()
}

/// Whether a source holds these bytes as they are.
pub fn holds(filesystem: &dyn FileSystem, source: EntryId, bytes: &[u8]) -> bool {
    let text = filesystem.entry(source).and_then(|entry| {
        let content = filesystem.open(&entry, &StreamName::Data)?;
        let length = content.size().min(SOURCE_MAX);
        read_vec(content.as_ref(), 0, usize::try_from(length).unwrap_or(usize::MAX))
    });
    let Ok(finder) = AhoCorasick::new([bytes]) else { return false };
    !bytes.is_empty() && text.is_ok_and(|text| finder.is_match(&text))
}

/// A file that may be proven.
struct Subject {
    entry: Entry,
    /// All its names.
    names: Vec<Vec<u8>>,
    /// Name and entry of what it was compiled from.
    source: Option<(Vec<u8>, Entry)>,
}

impl Subject {
    /// `None` for what is no file in use, has no name, or has one in a live place.
    fn new(image: &Image<'_>, id: EntryId) -> Option<Self> {
        let entry = image.filesystem().entry(id).ok().filter(is_plain)?;
        let names = image.filesystem().paths(id).ok()?.all;
        let subject = Self { entry, names, source: None };
        if subject.names.is_empty() || subject.lies_in(LIVE) || subject.is_ssh() {
            return None;
        }
        let source = subject.names.iter().find_map(|name| {
            let name = python_source(name)?;
            let id = image.resolve(&name).ok()??;
            let entry = image.filesystem().entry(id).ok().filter(is_plain)?;
            Some((name, entry))
        });
        Some(Self { source, ..subject })
    }

    fn lies_in(&self, places: &[&str]) -> bool {
        self.names.iter().any(|name| places.iter().any(|place| name.starts_with(place.as_bytes())))
    }

    fn is_ssh(&self) -> bool {
        self.names.iter().any(|name| name.split(|&byte| byte == b'/').any(|part| part == b".ssh"))
    }
}

fn is_plain(entry: &Entry) -> bool {
    entry.kind == EntryKind::File && entry.state == EntryState::Allocated && entry.role == Role::Content
}

/// `/usr/…/X.py` for `/usr/…/__pycache__/X.cpython-311.pyc` (PEP 3147).
fn python_source(name: &[u8]) -> Option<Vec<u8>> {
    let stem = name.strip_suffix(b".pyc").filter(|name| name.starts_with(b"/usr/"))?;
    let slash = stem.iter().rposition(|&byte| byte == b'/')?;
    let (directory, file) = stem.split_at_checked(slash)?;
    let directory = directory.strip_suffix(b"/__pycache__")?;
    let end = file.windows(9).position(|part| part == b".cpython-")?;
    let module = file.get(..end)?;
    Some([directory, module, b".py"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_python_names_its_source() {
        let cases: [(&str, Option<&str>); 6] = [
            ("/usr/lib/python3/d/__pycache__/x.cpython-311.pyc", Some("/usr/lib/python3/d/x.py")),
            ("/usr/lib/python3/d/__pycache__/x.cpython-311.opt-2.pyc", Some("/usr/lib/python3/d/x.py")),
            ("/usr/lib/python3/d/x.cpython-311.pyc", None),
            ("/srv/d/__pycache__/x.cpython-311.pyc", None),
            ("/usr/__pycache__/x.pyc", None),
            (".pyc", None),
        ];
        for (name, source) in cases {
            assert_eq!(python_source(name.as_bytes()).as_deref(), source.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn credential_places_are_live_whatever_other_name_a_file_has() {
        let subject = |names: &[&str]| Subject {
            entry: Entry::default(),
            names: names.iter().map(|name| name.as_bytes().to_vec()).collect(),
            source: None,
        };
        let live = |names: &[&str]| subject(names).lies_in(LIVE) || subject(names).is_ssh();
        for name in [
            "/home/a/x",
            "/root/.netrc",
            "/etc/ssh/ssh_config",
            "/etc/shadow",
            "/etc/shadow-",
            "/etc/passwd",
            "/etc/sudoers.d/README",
            "/etc/ssl/private/x.key",
            "/var/lib/git/.ssh/config",
        ] {
            assert!(live(&[name]), "{name}");
            assert!(live(&["/usr/share/x", name]), "{name}");
        }
        assert!(!live(&["/usr/share/ssh/home/root", "/etc/ssl/openssl.cnf"]));
    }
}
