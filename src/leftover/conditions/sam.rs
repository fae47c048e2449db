//! Local accounts of Windows: the SAM hive.

use super::recycle_bin::file_time;
use super::registry::keys;
use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::format::hive::{Hive, wide};
use crate::format::le32;
use crate::leftover::hit::Hit;
use serde::Deserialize;
use std::collections::BTreeSet;

pub(super) const KIND: Kind = Kind {
    name: "sam",
    cases: &["administrator", "disabled"],
    build: |table| Ok(Box::new(parameters::<Sam>(table)?)),
};

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sam {
    /// What counts.
    want: Want,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Want {
    /// Accounts that Windows does not make itself.
    Users,
    /// Accounts with a password hash.
    Hash,
}

/// Where the fields that `V` points to begin.
const V_DATA: usize = 0xcc;
/// Account control bit of a disabled account.
const DISABLED: u16 = 1;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    rid: u32,
    name: String,
    is_disabled: bool,
    has_hash: bool,
    logons: u16,
    last_logon: u64,
    password_set: u64,
}

impl Condition for Sam {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let hive = hit.hive()?;
        let administrators = administrators(&hive)?;
        for (_, key) in keys(&hive, "SAM/Domains/Account/Users/*")? {
            let (v, f) = (hive.value_of(&key, "V")?, hive.value_of(&key, "F")?);
            let (Some(v), Ok(rid)) = (v, u32::from_str_radix(&key.name, 16)) else { continue };
            let account = Account::parse(rid, &v.data, f.map(|f| f.data).unwrap_or_default().as_slice());
            let counts = match self.want {
                Want::Users => rid >= 1000,
                Want::Hash => account.has_hash,
            };
            if counts {
                out.push(account.found(administrators.contains(&rid)));
            }
        }
        if out.is_empty() { hive.settled() } else { Ok(()) }
    }
}

impl Account {
    fn parse(rid: u32, v: &[u8], f: &[u8]) -> Self {
        let field = |at: usize| {
            let offset = usize::try_from(le32(v, at)?).ok()?.checked_add(V_DATA)?;
            let length = usize::try_from(le32(v, at + 4)?).ok()?;
            v.get(offset..offset.checked_add(length)?)
        };
        let time =
            |at: usize| f.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let short =
            |at: usize| f.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes);
        // An NT hash of 4 (old) or 24 (AES) bytes is a header without a hash.
        let hash = le32(v, 0xac).unwrap_or(0);
        Self {
            rid,
            name: field(0x0c).map(wide).unwrap_or_default(),
            is_disabled: short(0x38) & DISABLED != 0,
            has_hash: hash == 0x14 || hash >= 0x38,
            logons: short(0x42),
            last_logon: time(0x08),
            password_set: time(0x18),
        }
    }

    fn found(&self, is_administrator: bool) -> Found {
        let case = match (self.is_disabled, is_administrator) {
            (true, _) => Some("disabled"),
            (false, true) => Some("administrator"),
            (false, false) => None,
        };
        let mut evidence = vec![
            format!("account: {}", shown(self.name.as_bytes())),
            format!("rid: {}", self.rid),
            format!("password hash: {}", if self.has_hash { "set" } else { "none" }),
            format!("enabled: {}", if self.is_disabled { "no" } else { "yes" }),
            format!("logons: {}", self.logons),
        ];
        if is_administrator {
            evidence.push("group: Administrators".to_owned());
        }
        for (name, ticks) in [("last logon", self.last_logon), ("password set", self.password_set)] {
            let time = (ticks > 0).then(|| file_time(ticks)).flatten();
            evidence.extend(time.map(|time| format!("{name}: {time}")));
        }
        Found { case, detail: self.name.clone().into_bytes(), evidence, ..Found::default() }
    }
}

/// Relative ids of the members of the group Administrators.
fn administrators(hive: &Hive<'_>) -> Result<BTreeSet<u32>> {
    let Some(key) = hive.find("SAM/Domains/Builtin/Aliases/00000220")? else { return Ok(BTreeSet::new()) };
    let Some(value) = hive.value_of(&key, "C")? else { return Ok(BTreeSet::new()) };
    let data = value.data;
    let start = le32(&data, 0x28).and_then(|at| usize::try_from(at).ok()).unwrap_or(0).saturating_add(0x34);
    let count = le32(&data, 0x30).unwrap_or(0).min(1000);
    let mut members = BTreeSet::new();
    let mut at = start;
    for _ in 0..count {
        // A SID: revision, number of parts, authority of 6 bytes, parts of 4 bytes; the last is the RID.
        let Some(&parts) = data.get(at.saturating_add(1)) else { break };
        let length = usize::from(parts).saturating_mul(4).saturating_add(8);
        members.extend(le32(&data, at.saturating_add(length).saturating_sub(4)));
        at = at.saturating_add(length);
    }
    Ok(members)
}
