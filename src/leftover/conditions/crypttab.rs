//! Key files of encrypted volumes: `/etc/crypttab` (crypttab(5)).

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "crypttab", cases: &[], build: |table| Ok(Box::new(parameters::<Crypttab>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Crypttab {}

impl Condition for Crypttab {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        for line in lines(&hit.content()?.bytes) {
            let mut words = line.bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let (Some(name), Some(_), Some(key)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            // Random keys are made anew at each start; `none` and `-` ask for a passphrase.
            if name.starts_with(b"#") || !key.starts_with(b"/") || key.starts_with(b"/dev/") {
                continue;
            }
            let Some(spot) = hit.tree.resolve(key)? else { continue };
            if hit.tree.entry(spot.node)?.size() > 0 {
                let evidence = vec![format!("volume: {}", shown(name)), format!("key file: {}", shown(key))];
                out.push(Found {
                    detail: key.to_vec(),
                    place: Some(line.place()),
                    evidence,
                    ..Found::default()
                });
            }
        }
        Ok(())
    }
}
