//! Volumes without an operating system that hold files.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "data_volume", cases: &[], build: |table| Ok(Box::new(parameters::<DataVolume>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataVolume {}

/// What a new file system or a boot volume holds.
const USUAL: [&str; 10] = [
    "lost+found",
    "$recycle.bin",
    "system volume information",
    "recovery",
    "boot",
    "bootmgr",
    "efi",
    "grub",
    "bootnxt",
    "$extend",
];

impl Condition for DataVolume {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let name = String::from_utf8_lossy(hit.name()).to_lowercase();
        let is_boot = hit.seen.starts_with(b"/boot/");
        if hit.system.os.is_none() && !is_boot && !USUAL.contains(&name.as_str()) && !name.starts_with('$') {
            out.push(Found::default());
        }
        Ok(())
    }
}
