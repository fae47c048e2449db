//! cloud-init's memory of the instance that it ran on: directories below `/var/lib/cloud/instances`.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::filesystem::EntryKind;
use crate::leftover::hit::Hit;
use crate::leftover::tree::join;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "instance_data",
    cases: &[],
    build: |table| Ok(Box::new(parameters::<InstanceData>(table)?)),
};

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceData {}

/// Bytes of a one-line state file.
const STATE_MAX: u64 = 4096;

impl Condition for InstanceData {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if hit.entry.kind == EntryKind::Directory {
            let mut evidence = vec![format!("instance id: {}", shown(hit.name()))];
            if let Some(source) = hit.tree.read(&join(hit.seen, b"datasource"), STATE_MAX)? {
                evidence.push(format!("datasource: {}", shown(source.trim_ascii())));
            }
            out.push(Found { detail: hit.name().to_vec(), evidence, ..Found::default() });
        } else if hit.is_filled() {
            out.push(Found::default());
        }
        Ok(())
    }
}
