//! Records of logins: utmp, wtmp, btmp (utmp(5)) and lastlog.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::io::read_vec;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "records", cases: &[], build: |table| Ok(Box::new(parameters::<Records>(table)?)) };

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Records {
    /// Which file it is.
    record: Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Record {
    /// 384 bytes on most machines, 400 on those with 64-bit times inside.
    Utmp,
    /// A slot of 292 bytes for each user id; sparse.
    Lastlog,
}

/// Bytes of the file that are looked at.
const LOOKED_MAX: u64 = 64 << 20;
/// Bytes read at a time: a multiple of all record sizes is not needed, only zeros are skipped.
const PIECE: u64 = 292 * 3584;

impl Condition for Records {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let record: u64 = match self.record {
            Record::Lastlog => 292,
            Record::Utmp if !hit.entry.size().is_multiple_of(384) && hit.entry.size().is_multiple_of(400) => {
                400
            }
            Record::Utmp => 384,
        };
        let content = hit.tree.open(hit.spot.node, hit.entry)?;
        let size = content.size().min(LOOKED_MAX);
        let piece = PIECE - PIECE % record;
        let (mut at, mut count) = (0, 0_u64);
        while at < size {
            let length = piece.min(size - at);
            let bytes = read_vec(content.as_ref(), at, usize::try_from(length).unwrap_or(0))?;
            let slots = bytes.chunks(usize::try_from(record).unwrap_or(384));
            let used = slots.filter(|slot| slot.iter().any(|&byte| byte != 0)).count();
            count = count.saturating_add(u64::try_from(used).unwrap_or(0));
            at = at.saturating_add(piece);
        }
        if count > 0 {
            out.push(Found { evidence: vec![format!("records: {count}")], ..Found::default() });
        }
        Ok(())
    }
}
