//! Loads what a gate accepts: allow-lists and the earlier scan.

use super::wanted::Rules;
use crate::error::{Error, Result};
use crate::report::{self, Accepted, AllowList, Earlier, OwnedRecord, Policy};
use jiff::Timestamp;
use jiff::tz::Offset;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

impl Rules {
    /// The policy of the gate.
    pub(super) fn policy(&self) -> Policy {
        Policy { fail_on: self.fail_on.into(), strict: self.strict, accept_gaps: self.accept_gaps }
    }

    /// Reads allow-lists and baseline.
    pub(super) fn accepted(&self) -> Result<Accepted> {
        let mut allow = AllowList::default();
        for path in &self.allow {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Error::io("cannot read the allow-list", source).in_file(path))?;
            allow.add(&text).map_err(|error| error.in_file(path))?;
        }
        let earlier = self.baseline.as_deref().map(earlier).transpose()?;
        Ok(Accepted { allow, earlier, today: Offset::UTC.to_datetime(Timestamp::now()).date() })
    }
}

/// The findings of an earlier scan.
fn earlier(path: &Path) -> Result<Earlier> {
    let mut earlier = Earlier::default();
    read(path, &mut |record| {
        if let OwnedRecord::Finding(finding) = &record {
            earlier.add(finding);
        }
        Ok(())
    })?;
    Ok(earlier)
}

/// Reads the records of an earlier scan.
pub(super) fn read(path: &Path, visit: &mut dyn FnMut(OwnedRecord) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(|source| Error::io("cannot open the scan", source).in_file(path))?;
    let mut refused = None;
    let result = report::read(BufReader::new(file), &mut |record| {
        visit(record).inspect_err(|error| refused = Some(error.kind()))
    });
    // What the visitor says is about something else than the file.
    result.map_err(|error| if refused.is_some() { error } else { error.in_file(path) })
}
