//! Home directories whose user is gone.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::filesystem::EntryKind;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "orphan_home", cases: &[], build: |table| Ok(Box::new(parameters::<OrphanHome>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrphanHome {}

impl Condition for OrphanHome {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let is_known = hit.system.homes.iter().any(|home| home.path == hit.seen && home.user.is_some());
        let is_home = hit.entry.kind == EntryKind::Directory && hit.name() != b"lost+found";
        if is_home && !is_known && !hit.system.users.is_empty() {
            let uid = hit.entry.owner.uid.map_or_else(|| "unknown".to_owned(), |uid| uid.to_string());
            let evidence = vec![format!("directory: {}", shown(hit.name())), format!("uid: {uid}")];
            out.push(Found { detail: hit.name().to_vec(), evidence, ..Found::default() });
        }
        Ok(())
    }
}
