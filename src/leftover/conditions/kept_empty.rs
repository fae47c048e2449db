//! Histories that are kept empty: good hygiene, or someone hiding what was done.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "kept_empty", cases: &[], build: |table| Ok(Box::new(parameters::<KeptEmpty>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptEmpty {}

impl Condition for KeptEmpty {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let is_discarded = hit.link.is_some_and(|target| target.ends_with(b"/dev/null"));
        if is_discarded {
            let evidence = vec![format!("link: {} leads to /dev/null", shown(hit.seen))];
            out.push(Found { detail: hit.seen.to_vec(), evidence, ..Found::default() });
        }
        Ok(())
    }
}
