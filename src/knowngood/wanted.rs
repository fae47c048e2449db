//! What is asked of the package databases: records of a few paths, whatever else they hold.

use super::digest::Digest;
use std::collections::HashMap;
use std::sync::Arc;

/// Entries of all databases of a file system that are looked at.
const ENTRIES_MAX: u64 = 2_000_000;
/// Records of one path: packages for several architectures share files.
const RECORDS_MAX: usize = 16;
/// Longest name and version of a package.
const PACKAGE_MAX: usize = 256;

/// A directory that a symbolic link names, as `(link, target)`, both absolute and with `/` at the end.
pub(super) type Alias = (Vec<u8>, Vec<u8>);

/// What a database says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Digest of the content.
    pub(super) digest: Digest,
    /// Name and version of the package.
    pub(super) package: Arc<str>,
}

/// The wanted paths and what is known of them. Only wanted paths take memory.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    aliases: &'a [Alias],
    records: HashMap<Vec<u8>, Vec<Record>>,
    offered: u64,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(aliases: &'a [Alias]) -> Self {
        Self { aliases, records: HashMap::new(), offered: 0 }
    }

    /// Wants the records of an absolute path, under all the names that the aliases give it.
    pub(super) fn want(&mut self, path: &[u8]) {
        for name in self.names(path) {
            self.records.entry(name).or_default();
        }
    }

    /// Whether nothing is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes a record of a path, absolute or relative to the root, if it is wanted. `false` when no more
    /// records are taken.
    pub(super) fn offer(&mut self, path: &[u8], digest: Digest, package: &Arc<str>) -> bool {
        self.offered = self.offered.saturating_add(1);
        let name = path.strip_prefix(b"./").unwrap_or(path);
        let name = name.strip_prefix(b"/").unwrap_or(name);
        if let Some(records) = self.records.get_mut(name)
            && records.len() < RECORDS_MAX
        {
            records.push(Record { digest, package: package.clone() });
        }
        self.offered < ENTRIES_MAX
    }

    /// The records of an absolute path.
    pub(super) fn records(&self, path: &[u8]) -> Vec<Record> {
        self.names(path).iter().filter_map(|name| self.records.get(name)).flatten().cloned().collect()
    }

    /// A path and its aliases, relative to the root.
    fn names(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let relative = |path: &[u8]| path.strip_prefix(b"/").unwrap_or(path).to_vec();
        let aliases = self.aliases.iter().filter_map(|(link, target)| {
            let rest = path.strip_prefix(target.as_slice())?;
            Some(relative(&[link.as_slice(), rest].concat()))
        });
        std::iter::once(relative(path)).chain(aliases).collect()
    }
}

/// Name and version as findings show them; `None` where they hold what no package's name does.
pub(super) fn package(name: &[u8], version: &[u8]) -> Option<Arc<str>> {
    let is_good = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_graphic);
    let length = name.len().saturating_add(version.len());
    if !is_good(name) || !is_good(version) || length > PACKAGE_MAX {
        return None;
    }
    Some(format!("{} {}", std::str::from_utf8(name).ok()?, std::str::from_utf8(version).ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_under_an_alias_is_one_of_the_real_path() {
        let aliases = [(b"/bin/".to_vec(), b"/usr/bin/".to_vec())];
        let mut wanted = Wanted::new(&aliases);
        wanted.want(b"/usr/bin/bash");
        let bash = package(b"bash", b"5.2-1").unwrap();
        for path in ["bin/bash", "/usr/bin/bash", "./usr/bin/bash", "usr/bin/dash"] {
            assert!(wanted.offer(path.as_bytes(), Digest::Md5([0; 16]), &bash));
        }
        assert_eq!(wanted.records(b"/usr/bin/bash").len(), 3);
        assert_eq!(wanted.records(b"/usr/bin/dash").len(), 0);
    }

    #[test]
    fn names_that_could_mislead_a_reader_are_refused() {
        assert_eq!(package(b"bash", b"5.2-1").as_deref(), Some("bash 5.2-1"));
        for (name, version) in [("", "1"), ("a", ""), ("a b", "1"), ("a", "\u{1b}[2J"), ("é", "1")] {
            assert_eq!(package(name.as_bytes(), version.as_bytes()), None, "{name} {version}");
        }
        assert_eq!(package(&[b'a'; 300], b"1"), None);
    }
}
