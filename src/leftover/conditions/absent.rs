//! Something that should be there and is not.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::system::{Os, System};
use crate::leftover::tree::Tree;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "absent", cases: &[], build: |table| Ok(Box::new(parameters::<Absent>(table)?)) };

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Absent {
    /// A path without which the question does not arise.
    needs: String,
}

impl Condition for Absent {
    fn judge(&self, _: &Hit<'_>, _: &mut Vec<Found>) -> Result<()> {
        Ok(())
    }

    fn conclude(&self, tree: &Tree<'_>, system: &System, hits: u64) -> Result<Option<Found>> {
        let arises = self.needs.is_empty() || tree.resolve(self.needs.as_bytes())?.is_some();
        let is_missing = system.os == Some(Os::Linux) && hits == 0 && arises;
        let evidence = vec!["none of the files that would do it is there".to_owned()];
        Ok(is_missing.then(|| Found { evidence, ..Found::default() }))
    }
}
