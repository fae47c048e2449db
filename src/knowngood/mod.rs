//! Proof that a file is as its package brought it: the file's digest equals the one that the package
//! database inside of the image records for its path.
//!
//! A path alone proves nothing, and neither does the package's name. What cannot be proven, for whatever
//! reason (no database, damage, a bound), stays unproven. The database stands in the same image as the file:
//! the proof tells vendor content from content of the image's owner, it does not tell an attacker's work.
//!
//! A file is compared with the databases of the system that it belongs to, and of those around it: the root file
//! system with what is mounted in it, a layer of a container, a chroot.
//!
//! One file a database, one line in [`DATABASES`].

mod apk;
mod digest;
mod distroless;
mod dpkg;
mod image;
mod roots;
mod rpm;
mod subject;
mod volumes;
mod wanted;

pub use volumes::{Mount, Node, Volumes};

use crate::error::Error;
use crate::filesystem::{Entry, StreamName};
use crate::io::read_vec;
use aho_corasick::AhoCorasick;
use image::Image;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use roots::Roots;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use subject::Subject;
use wanted::{Record, Wanted};

/// A sort of package database.
struct Database {
    /// Absolute paths of which one is there where a system has such a database.
    marks: &'static [&'static [u8]],
    /// Reads it and hands what it says of wanted paths to [`Wanted::offer`]; does nothing where the image has
    /// no such database.
    read: fn(&Image<'_>, &mut Wanted<'_>) -> crate::error::Result<()>,
}

/// All sorts.
const DATABASES: &[Database] = &[dpkg::DATABASE, distroless::DATABASE, apk::DATABASE, rpm::DATABASE];

/// Longer files are not digested.
const FILE_MAX: u64 = 1 << 30;
/// Bytes of all files that are digested.
const TOTAL_MAX: u64 = 16 << 30;
/// Bytes of databases in text that are read, of all systems.
const DATABASES_MAX: u64 = 1 << 30;
/// Systems whose databases are read.
const SYSTEMS_MAX: usize = 4096;
/// Longest source that is searched for what a compiled file holds.
const SOURCE_MAX: u64 = 16 << 20;

/// What is proven of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Name and version of the package.
    pub package: String,
    /// For a compiled file that no package brought: its source, which is unmodified. The compiled file itself
    /// is proven only for what [`holds`] finds in the source.
    pub source: Option<Node>,
    /// Whether the file lies where private keys are in use, so that a key is not excused by its origin.
    pub in_use: bool,
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

/// A package database that could not be read, or not to its end.
#[derive(Debug)]
pub struct Trouble {
    /// Index of the file system with the root of the system that it belongs to.
    pub volume: usize,
    /// Path of that root there; empty for the file system's own.
    pub root: Vec<u8>,
    /// What is wrong.
    pub error: Error,
}

/// Says which of `entries` are unmodified files of packages that are installed in their systems. Reads the
/// databases of each system once, and digests each entry at most once for each kind of digest and system.
pub fn prove(volumes: &Volumes<'_>, entries: &BTreeSet<Node>) -> (BTreeMap<Node, Proof>, Vec<Trouble>) {
    let (judged, troubles) = judge(volumes, entries, true);
    let proven = judged.into_iter().filter(|(_, judged)| judged.is_same);
    let proofs = proven.map(|(node, Judged { package, source, in_use, .. })| {
        let package = package.to_string();
        (node, Proof { package, source, in_use })
    });
    (proofs.collect(), troubles)
}

/// How `entries` stand to the packages that are installed in their systems. Files that no package records,
/// those in live places and those above the bounds are left out.
pub fn compare(volumes: &Volumes<'_>, entries: &BTreeSet<Node>) -> BTreeMap<Node, Standing> {
    // What could not be read says nothing of its files; a proof of the same files reports it.
    let (judged, _) = judge(volumes, entries, false);
    let standing = judged.into_iter().map(|(node, Judged { package, is_same, .. })| {
        let package = package.to_string();
        (node, if is_same { Standing::Unmodified { package } } else { Standing::Modified { package } })
    });
    standing.collect()
}

/// Which of `entries` lie where credentials are in use, each in the innermost system that it belongs to: homes,
/// `/etc`, data of services.
pub fn in_use(volumes: &Volumes<'_>, entries: &BTreeSet<Node>) -> BTreeSet<Node> {
    let left = Cell::new(DATABASES_MAX);
    let mut roots = Roots::new(volumes, &left);
    let is_in_use = |node: &Node| {
        // What is no plain file, and what has a name in a live place, gives no subject.
        Subject::new(volumes, &mut roots, *node).is_none_or(|subject| subject.is_in_use())
    };
    entries.iter().copied().filter(is_in_use).collect()
}

/// What the databases say of a file.
#[derive(Debug)]
struct Judged {
    package: std::sync::Arc<str>,
    is_same: bool,
    source: Option<Node>,
    in_use: bool,
}

/// A file to be digested, and what its digest may be.
struct Job<'s> {
    subject: &'s Subject,
    digested: (Node, Entry),
    records: Vec<Record>,
    source: Option<Node>,
    in_use: bool,
}

/// What systems are taken in the order of, so that the innermost come first: length of the root's path, file
/// system, path and directory.
type Order<'a> = (Reverse<usize>, usize, &'a [u8], Node);

/// Compares files with the databases of all systems that they belong to, the innermost first.
fn judge(
    volumes: &Volumes<'_>,
    entries: &BTreeSet<Node>,
    with_sources: bool,
) -> (BTreeMap<Node, Judged>, Vec<Trouble>) {
    let left = Cell::new(DATABASES_MAX);
    let mut roots = Roots::new(volumes, &left);
    let subjects: Vec<Subject> =
        entries.iter().filter_map(|&node| Subject::new(volumes, &mut roots, node)).collect();
    let mut systems: BTreeMap<Order<'_>, Vec<&Subject>> = BTreeMap::new();
    for subject in &subjects {
        for (path, top, root) in subject.roots() {
            let system = systems.entry((Reverse(path.len()), top, path, root)).or_default();
            system.push(subject);
        }
    }
    let mut judged: BTreeMap<Node, Judged> = BTreeMap::new();
    let (mut troubles, mut total) = (Vec::new(), 0_u64);
    for ((_, volume, path, root), mut subjects) in systems.into_iter().take(SYSTEMS_MAX) {
        subjects.retain(|subject| judged.get(&subject.node).is_none_or(|judged| !judged.is_same));
        subjects.dedup_by_key(|subject| subject.node);
        let image = Image::new(volumes, root, &left);
        let mut trouble = |error| troubles.push(Trouble { volume, root: path.to_vec(), error });
        let mut jobs = jobs(volumes, &image, &subjects, with_sources, &mut trouble);
        jobs.retain(|job| {
            let size = job.digested.1.size();
            let fits = size <= FILE_MAX && size <= TOTAL_MAX.saturating_sub(total);
            total = total.saturating_add(if fits { size } else { 0 });
            fits
        });
        let found = jobs.par_iter().filter_map(|job| {
            let (node, entry) = &job.digested;
            let filesystem = volumes.filesystem(*node).ok()?;
            let same = digest::matching(filesystem, entry, &job.records);
            let package = same.or_else(|| job.records.first().map(|record| &record.package))?.clone();
            let Job { source, in_use, .. } = *job;
            Some((job.subject.node, Judged { package, is_same: same.is_some(), source, in_use }))
        });
        let found: Vec<_> = found.collect();
        judged.extend(found);
    }
    (judged, troubles)
}

/// The files of a system that its databases record.
fn jobs<'s>(
    volumes: &Volumes<'_>,
    image: &Image<'_>,
    subjects: &[&'s Subject],
    with_sources: bool,
    trouble: &mut dyn FnMut(Error),
) -> Vec<Job<'s>> {
    let root = image.root();
    let aliases = image.aliases();
    let mut wanted = Wanted::new(&aliases);
    let named = subjects.iter().map(|subject| {
        let names = subject.names_in(root);
        let source = with_sources.then(|| subject::source(image, volumes, &names)).flatten();
        (*subject, names, source)
    });
    let named: Vec<_> = named.filter(|(_, names, _)| !names.is_empty()).collect();
    for (_, names, source) in &named {
        names.iter().for_each(|name| wanted.want(name));
        source.iter().for_each(|(name, ..)| wanted.want(name));
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    for database in DATABASES {
        // A database that cannot be read proves nothing, and takes nothing from what others prove.
        (database.read)(image, &mut wanted).unwrap_or_else(&mut *trouble);
    }
    let jobs = named.into_iter().map(|(subject, names, source)| {
        let own: Vec<Record> = names.iter().flat_map(|name| wanted.records(name)).collect();
        let in_use = subject::is_in_use(&names);
        match source {
            Some((name, node, entry)) if own.is_empty() => {
                let records = wanted.records(&name);
                Job { subject, digested: (node, entry), records, source: Some(node), in_use }
            }
            _ => {
                let digested = (subject.node, subject.entry.clone());
                Job { subject, digested, records: own, source: None, in_use }
            }
        }
    });
    jobs.filter(|job| !job.records.is_empty()).collect()
}

/// Whether a source holds these bytes as they are.
pub fn holds(volumes: &Volumes<'_>, source: Node, bytes: &[u8]) -> bool {
    let text = volumes.entry(source).and_then(|entry| {
        let content = volumes.filesystem(source)?.open(&entry, &StreamName::Data)?;
        let length = content.size().min(SOURCE_MAX);
        read_vec(content.as_ref(), 0, usize::try_from(length).unwrap_or(usize::MAX))
    });
    let Ok(finder) = AhoCorasick::new([bytes]) else { return false };
    !bytes.is_empty() && text.is_ok_and(|text| finder.is_match(&text))
}
