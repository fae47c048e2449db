//! What lies inside of files that the sweep decodes anyway: names that say that a key or password came along.
//!
//! Decoding an initial RAM disk a second time would cost more than all checks together; the sweep notes the
//! names instead.

use super::glob::Wild;
use crate::filesystem::EntryId;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Names of one file that are noted.
const NOTED_MAX: usize = 1000;
/// Last components of paths that are noted.
const NAMES: [&str; 11] = [
    "authorized_keys*",
    "*_host_*key",
    "dropbear*key",
    "id_rsa",
    "id_ecdsa",
    "id_ed25519",
    "*.key",
    "*keyfile*",
    "*.keytab",
    "shadow",
    "crypto_key*",
];
/// Ends of names that are no keys.
const HARMLESS: [&str; 2] = [".pub", ".ko"];

/// Watched members by the entry that they lie in.
#[derive(Clone, Debug, Default)]
pub struct Members {
    by_entry: BTreeMap<EntryId, Content>,
}

/// What was met in one entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    /// Paths inside, sorted, each once.
    pub(crate) names: Vec<String>,
    /// Why something in it was not decoded, where that is so.
    pub(crate) cut: Option<String>,
}

impl Members {
    /// Says that an entry was decoded, whatever it held.
    pub fn decoded(&mut self, entry: EntryId) {
        self.by_entry.entry(entry).or_default();
    }

    /// Notes a member, by its path inside.
    pub fn note(&mut self, entry: EntryId, path: &str) {
        let content = self.by_entry.entry(entry).or_default();
        if content.names.len() < NOTED_MAX
            && let Err(at) = content.names.binary_search_by(|own| own.as_str().cmp(path))
        {
            content.names.insert(at, path.to_owned());
        }
    }

    /// Notes that something in an entry was not decoded.
    pub fn cut(&mut self, entry: EntryId, reason: &str) {
        let content = self.by_entry.entry(entry).or_default();
        content.cut.get_or_insert_with(|| reason.to_owned());
    }

    /// What was met in an entry; `None` when no decoder took it.
    pub(crate) fn of(&self, entry: EntryId) -> Option<&Content> {
        self.by_entry.get(&entry)
    }
}

/// Whether a member's path is worth noting. Cheap: it is asked for every member of every container.
pub fn is_watched(path: &str) -> bool {
    static WILDS: LazyLock<Vec<Wild>> = LazyLock::new(|| NAMES.iter().map(|name| Wild::new(name)).collect());
    let name = path.rsplit(['/', '!']).next().unwrap_or(path);
    WILDS.iter().any(|wild| wild.matches(name.as_bytes())) && !HARMLESS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_keys_and_passwords_are_watched() {
        for name in ["etc/shadow", "root/.ssh/authorized_keys", "etc/ssh/ssh_host_rsa_key", "a.key", "id_rsa"]
        {
            assert!(is_watched(name), "{name}");
        }
        for name in
            ["etc/passwd", "etc/ssh/ssh_host_rsa_key.pub", "lib/modules/keyboard.ko", "idle", "bin/sh"]
        {
            assert!(!is_watched(name), "{name}");
        }
    }
}
