//! Values and keys of the Windows registry.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::format::hive::{Hive, Key, Value};
use crate::leftover::glob::Wild;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "registry", cases: &[], build: |table| Ok(Box::new(parameters::<Registry>(table)?)) };

/// Keys that one pattern may lead to.
const KEYS_MAX: usize = 10_000;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Registry {
    /// Paths of keys, `/` between names, with wildcards; `{current}` is the control set in use.
    keys: Vec<String>,
    /// Names of values, with wildcards; empty for the default value.
    values: Vec<String>,
    /// Data that counts, as text; any when empty.
    only: Vec<String>,
    /// Data that does not count, as text.
    not: Vec<String>,
    /// The data is a secret.
    secret: bool,
    /// The name of the value is a secret.
    name_is_secret: bool,
    /// The keys themselves count.
    subkeys: bool,
    /// Bytes at the front of the data of which one must not be zero.
    nonzero: usize,
    /// One finding a hive.
    once: bool,
    /// A value that must be there: its absence is the finding.
    missing: bool,
}

impl Condition for Registry {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let hive = hit.hive()?;
        let before = out.len();
        for path in &self.keys {
            let path = match path.strip_prefix("{current}") {
                Some(rest) => format!("{}{rest}", hive.current_control_set()?),
                None => path.clone(),
            };
            for (name, key) in keys(&hive, &path)? {
                self.judge_key(&hive, &name, &key, out)?;
            }
        }
        if self.missing && out.len() == before {
            let detail = self.values.join(", ");
            out.push(Found { evidence: vec![format!("value {detail}: absent")], ..Found::default() });
        }
        if self.once {
            out.truncate(before + 1);
        }
        if out.len() == before { hive.settled() } else { Ok(()) }
    }
}

impl Registry {
    fn judge_key(&self, hive: &Hive<'_>, path: &str, key: &Key, out: &mut Vec<Found>) -> Result<()> {
        if self.subkeys {
            let evidence = vec![format!("key: {}", shown(path.as_bytes()))];
            out.push(Found { detail: key.name.clone().into_bytes(), evidence, ..Found::default() });
            return Ok(());
        }
        let wanted: Vec<Wild> = self.values.iter().map(|name| Wild::new(&name.to_lowercase())).collect();
        for value in hive.values(key)? {
            let lower = value.name.to_lowercase();
            if wanted.iter().any(|wild| wild.matches(lower.as_bytes())) && self.counts(&value) {
                out.push(self.describe(path, &value));
            }
        }
        Ok(())
    }

    fn counts(&self, value: &Value) -> bool {
        let text = value.text();
        let is_set = !value.data.is_empty() && !text.trim().is_empty();
        let is_zero = value.data.iter().take(self.nonzero).all(|&byte| byte == 0);
        is_set
            && (self.only.is_empty() || self.only.contains(&text))
            && !self.not.contains(&text)
            && (self.nonzero == 0 || !is_zero)
    }

    fn describe(&self, path: &str, value: &Value) -> Found {
        let name = if value.name.is_empty() { "(default)" } else { &value.name };
        let mut evidence = vec![format!("key: {}", shown(path.as_bytes()))];
        let text = value.text();
        let (detail, secret) = if self.name_is_secret {
            evidence.push(format!("value: a name of {} characters, not shown", name.chars().count()));
            (Vec::new(), Some(value.name.clone().into_bytes()))
        } else if self.secret {
            evidence.push(format!(
                "value {}: {} characters, not shown",
                shown(name.as_bytes()),
                text.chars().count()
            ));
            (name.as_bytes().to_vec(), Some(text.into_bytes()))
        } else {
            let short: String = text.chars().take(120).collect();
            evidence.push(format!("value {}: {}", shown(name.as_bytes()), shown(short.as_bytes())));
            (name.as_bytes().to_vec(), None)
        };
        Found { detail, evidence, secret, ..Found::default() }
    }
}

/// The keys that a path with wildcards leads to, with their own paths.
pub(super) fn keys(hive: &Hive<'_>, path: &str) -> Result<Vec<(String, Key)>> {
    let mut found = vec![(String::new(), hive.root()?)];
    for part in path.split('/') {
        let wild = Wild::new(&part.to_lowercase());
        let mut next = Vec::new();
        for (front, key) in found {
            for subkey in hive.subkeys(&key)? {
                if wild.matches(subkey.name.to_lowercase().as_bytes()) && next.len() < KEYS_MAX {
                    let name = if front.is_empty() {
                        subkey.name.clone()
                    } else {
                        format!("{front}\\{}", subkey.name)
                    };
                    next.push((name, subkey));
                }
            }
        }
        found = next;
    }
    Ok(found)
}
