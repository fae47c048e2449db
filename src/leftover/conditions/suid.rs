//! Programs that run with the rights of their owner or group, or with capabilities, that no package brought.

use super::{Condition, Found, Kind, Whole, package, parameters};
use crate::error::Result;
use crate::filesystem::{EntryKind, StreamName};
use crate::leftover::hit::Hit;
use crate::leftover::tree::Spot;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "suid", cases: &[], build: |table| Ok(Box::new(parameters::<Suid>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suid {}

const SET_USER: u16 = 0o4000;
const SET_GROUP: u16 = 0o2000;
/// Any of the three bits that let someone run it.
const EXECUTE: u16 = 0o111;

impl Condition for Suid {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let mode = hit.entry.owner.mode.unwrap_or(0);
        let is_set = mode & (SET_USER | SET_GROUP) != 0 && mode & EXECUTE != 0;
        let capability = StreamName::Xattr(b"security.capability".to_vec());
        let is_capable = hit.entry.stream(&capability).is_some();
        if hit.entry.kind == EntryKind::File && (is_set || is_capable) {
            let mut evidence = vec![format!("mode: {mode:04o}")];
            if is_capable {
                evidence.push("capabilities: yes".to_owned());
            }
            out.push(Found { evidence, ..Found::default() });
        }
        Ok(())
    }

    fn keeps(&self) -> bool {
        true
    }

    fn conclude(&self, whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
        package::without_unmodified(whole, out)
    }
}
