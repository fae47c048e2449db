//! Names of formats, which are constants of the program, read back from a report that the program wrote.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// How many different names a process keeps; a report with more was not written by this program.
const NAMES_MAX: usize = 1024;

/// The longest name that is kept, in bytes.
const LENGTH_MAX: usize = 64;

/// What stands for a name that is too long or one too many.
const UNKNOWN: &str = "unknown";

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A name that is a constant of the program. Hides the reference from derived readers, which would borrow.
pub type Name = &'static str;

/// The constant that is spelled like `name`; each spelling is kept once, for the life of the process.
pub fn intern(name: &str) -> Name {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    if names.len() >= NAMES_MAX || name.len() > LENGTH_MAX {
        return UNKNOWN;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// Reads a name; for `#[serde(deserialize_with)]`.
///
/// # Errors
/// When there is no string.
pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
    String::deserialize(from).map(|name| intern(&name))
}

/// Reads a name that may be absent; for `#[serde(deserialize_with)]` beside `default`.
///
/// # Errors
/// When there is something other than a string.
pub fn read_optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Name>, D::Error> {
    let name = Option::<String>::deserialize(from)?;
    Ok(name.map(|name| intern(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_an_overlong_one_not_at_all() {
        assert!(std::ptr::eq(intern("ext4-of-the-test"), intern("ext4-of-the-test")));
        assert_eq!(intern(&"x".repeat(LENGTH_MAX + 1)), UNKNOWN);
    }
}
