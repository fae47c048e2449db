//! Keys and passwords inside of initial RAM disks, by the names that the sweep met while it decoded them.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "initramfs", cases: &[], build: |table| Ok(Box::new(parameters::<Initramfs>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Initramfs {}

impl Condition for Initramfs {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let Some(members) = hit.tree.members(hit.spot.node) else {
            return Err(Error::new(ErrorKind::Unsupported, "the initial RAM disk was not decoded"));
        };
        for name in &members.names {
            let evidence = vec![format!("member: {}", shown(name.as_bytes()))];
            out.push(Found { detail: name.clone().into_bytes(), evidence, ..Found::default() });
        }
        match &members.cut {
            Some(reason) => Err(Error::new(ErrorKind::LimitExceeded, reason.clone())),
            None => Ok(()),
        }
    }
}
