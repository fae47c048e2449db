//! Something that should be there and is not.

use super::{Condition, Found, Kind, Whole, parameters};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::system::Os;
use crate::leftover::tree::Spot;
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

    fn conclude(&self, whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
        let arises = self.needs.is_empty() || whole.tree.resolve(self.needs.as_bytes())?.is_some();
        if whole.system.os == Some(Os::Linux) && whole.hits == 0 && arises {
            let evidence = vec!["none of the files that would do it is there".to_owned()];
            out.push((None, Found { evidence, ..Found::default() }));
        }
        Ok(())
    }
}
