//! Profiles of Windows users: directories with a user's registry hive.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "profile",
    cases: &["administrator"],
    build: |table| Ok(Box::new(parameters::<Profile>(table)?)),
};

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {}

impl Condition for Profile {
    /// The pattern names the hive; the profile is the directory around it.
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let Some(home) = hit.home.filter(|home| home.is_person) else { return Ok(()) };
        if !hit.is_filled() {
            return Ok(());
        }
        let name = home.user.clone().unwrap_or_default();
        let evidence = vec![format!("profile: {}", shown(&home.path))];
        let case = home.is_root.then_some("administrator");
        out.push(Found { case, detail: name, evidence, ..Found::default() });
        Ok(())
    }
}
