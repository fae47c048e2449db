//! The identity of a machine: `/etc/machine-id` (machine-id(5)).

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "machine_id", cases: &[], build: |table| Ok(Box::new(parameters::<MachineId>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineId {}

impl Condition for MachineId {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.content()?;
        let id = content.bytes.trim_ascii();
        let is_set =
            id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(|&byte| byte != b'0');
        if is_set {
            let evidence = vec![format!("machine id: {}", shown(id))];
            out.push(Found { place: Some((0, 1)), evidence, ..Found::default() });
        }
        Ok(())
    }
}
