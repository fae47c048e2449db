//! Conditions: the code that the checks of the catalogue name.
//!
//! A condition judges one entry whose path matched. Adding one is a file and a line in [`CONDITIONS`].

use super::hit::Hit;
use super::system::System;
use super::tree::{Spot, Tree};
use crate::error::{Error, Kind as ErrorKind, Result};
use serde::de::DeserializeOwned;
use std::fmt;

/// What a condition found in an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The case, one of [`Kind::cases`], that may choose another severity.
    pub(crate) case: Option<&'static str>,
    /// What is special, for the end of the title; not escaped yet.
    pub(crate) detail: Vec<u8>,
    /// Offset and line.
    pub(crate) place: Option<(u64, u64)>,
    /// Facts, `name: value`.
    pub(crate) evidence: Vec<String>,
    /// The secret itself.
    pub(crate) secret: Option<Vec<u8>>,
    /// Whether the file as a whole is the leftover, and the secret only an example of what it holds.
    pub(crate) is_about_file: bool,
}

/// A condition with its parameters.
pub(crate) trait Condition: fmt::Debug + Send + Sync {
    /// What the entry holds that should not be there; nothing when it is clean.
    ///
    /// # Errors
    /// When the entry could not be looked at, wholly or in part; what was found before is in `out`.
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()>;

    /// Compiles what is compiled at first use otherwise.
    ///
    /// # Errors
    /// [`Kind::Usage`](ErrorKind::Usage) when a pattern is wrong.
    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// Whether what it finds is kept until the end of the walk, for [`conclude`](Self::conclude) to decide on
    /// all of it together.
    fn keeps(&self) -> bool {
        false
    }

    /// What there is to say of a whole system. Called once a system, after the walk; an entry of `out` without
    /// a spot is about the system.
    ///
    /// # Errors
    /// When what it needs cannot be read; what was found before is in `out`.
    fn conclude(&self, whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
        let _ = (whole, out);
        Ok(())
    }
}

/// A whole system, after its walk.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    /// Its tree.
    pub(crate) tree: &'a Tree<'a>,
    /// What is known of it.
    pub(crate) system: &'a System,
    /// How many entries had a path that matched.
    pub(crate) hits: u64,
    /// What was kept.
    pub(crate) kept: Vec<(Spot, Found)>,
}

/// A sort of condition.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Name in the catalogue.
    pub(crate) name: &'static str,
    /// Cases that `levels` of a check may give another severity.
    pub(crate) cases: &'static [&'static str],
    /// Makes one from its parameters.
    pub(crate) build: fn(toml::Table) -> Result<Box<dyn Condition>>,
}

/// All sorts.
pub(crate) const CONDITIONS: &[Kind] = &[
    absent::KIND,
    authorized_keys::KIND,
    crypttab::KIND,
    data_volume::KIND,
    dpapi::KIND,
    dump::KIND,
    event_log::KIND,
    event_log_secrets::KIND,
    exists::KIND,
    history::KIND,
    history_gaps::KIND,
    hostname::KIND,
    initramfs::KIND,
    instance_data::KIND,
    journal::KIND,
    kept_empty::KIND,
    machine_id::KIND,
    orphan_home::KIND,
    package::KIND,
    passwd::KIND,
    private_key::KIND,
    profile::KIND,
    record_gaps::KIND,
    records::KIND,
    recycle_bin::KIND,
    registry::KIND,
    sam::KIND,
    shadow::KIND,
    sqlite::KIND,
    sshd::KIND,
    suid::KIND,
    sysprep::KIND,
    text::KIND,
    timestamps::KIND,
    unattend::KIND,
];

mod absent;
mod authorized_keys;
mod crypttab;
mod data_volume;
mod dpapi;
mod dump;
mod event_log;
mod event_log_secrets;
mod exists;
mod history;
mod history_gaps;
mod hostname;
mod initramfs;
mod instance_data;
mod journal;
mod kept_empty;
mod machine_id;
mod orphan_home;
mod package;
mod passwd;
mod private_key;
mod profile;
mod record_gaps;
mod records;
mod recycle_bin;
mod registry;
mod sam;
mod shadow;
mod sqlite;
mod sshd;
mod suid;
mod sysprep;
mod text;
mod timestamps;
mod unattend;

/// The sort of this name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    CONDITIONS.iter().find(|kind| kind.name == name)
}

/// Reads the parameters of a condition.
fn parameters<T: DeserializeOwned>(table: toml::Table) -> Result<T> {
    table.try_into().map_err(|error| Error::new(ErrorKind::Usage, format!("parameters: {error}")))
}

/// Bytes of the evidence for an evidence line, escaped.
fn shown(bytes: &[u8]) -> String {
    crate::location::escape(bytes)
}
