//! Traces that are no findings of their own but that a reader wants to join: which places name which public
//! key, and commands of histories that carry a time.
//!
//! Looked for at the places where systems keep them, in every system and data volume of the disk.

mod commands;
mod files;
mod keys;

use super::Source;
use super::survey::survey;
use crate::filesystem::EntryId;
use crate::keys::KeyFact;
use files::Files;
use jiff::Timestamp;

/// Key facts of one disk that are kept.
const KEYS_MAX: usize = 100_000;
/// Commands of one disk that are kept.
const COMMANDS_MAX: usize = 100_000;

/// The file that says something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Index into the sources.
    pub source: usize,
    /// The entry.
    pub entry: EntryId,
    /// Full path in its own file system.
    pub path: Vec<u8>,
    /// Line, from 1.
    pub line: Option<u64>,
}

/// A public key that a file names.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The file.
    pub origin: Origin,
    /// What it says of the key; image, volume and place are not filled in.
    pub fact: KeyFact,
}

/// A command of a history, with its time.
#[derive(Clone, Debug)]
pub struct Command {
    /// The file.
    pub origin: Origin,
    /// Format of the history.
    pub shell: &'static str,
    /// Whose history it is.
    pub account: Option<Vec<u8>>,
    /// When it was entered.
    pub time: Timestamp,
    /// The command without its arguments: nothing that could be a secret.
    pub masked: String,
    /// The line as it stands; only for those who may see secrets.
    pub line: Vec<u8>,
}

/// Everything of this sort on a disk.
#[derive(Debug, Default)]
pub struct Traces {
    /// Public keys, by system and place.
    pub keys: Vec<Sighting>,
    /// Commands, by system and place.
    pub commands: Vec<Command>,
    /// What was there and could not be read, or was too much: the volume's index, the path, the reason.
    pub problems: Vec<(usize, Vec<u8>, String)>,
}

/// Looks for traces. `beside` names files with a private key: the directories around them are looked into.
pub fn traces(sources: &[Source], beside: &[(usize, Vec<u8>)]) -> Traces {
    let mut out = Traces::default();
    for site in survey(sources) {
        let mut files = Files::new(&site);
        keys::gather(&site, &mut files, &mut out);
        commands::gather(&site, &mut files, &mut out);
        out.problems.append(&mut files.problems);
    }
    keys::gather_beside(sources, beside, &mut out);
    let too_many =
        [(out.keys.len() > KEYS_MAX, "public keys"), (out.commands.len() > COMMANDS_MAX, "commands")];
    for (_, what) in too_many.into_iter().filter(|(is_so, _)| *is_so) {
        out.problems.push((0, Vec::new(), format!("more {what} than are kept")));
    }
    out.keys.truncate(KEYS_MAX);
    out.commands.truncate(COMMANDS_MAX);
    out
}
