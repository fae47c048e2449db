//! Commands with a password in Windows event logs: the strings of EVTX records, which are UTF-16.

use super::{Condition, Found, Kind, parameters};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::io::read_vec;
use crate::leftover::hit::Hit;
use crate::leftover::patterns::{commands, is_placeholder};
use serde::Deserialize;

pub(super) const KIND: Kind = Kind { name: "event_log_secrets", cases: &[], build };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {}

#[derive(Debug)]
struct EventLogSecrets {}

/// Bytes of a log that are looked at.
const LOOKED_MAX: u64 = 128 << 20;
/// Bytes read at a time, a chunk of EVTX; records do not cross chunks.
const CHUNK: u64 = 65_536;
/// Findings of one log.
const FINDINGS_MAX: usize = 100;

fn build(table: toml::Table) -> Result<Box<dyn Condition>> {
    parameters::<Parameters>(table)?;
    Ok(Box::new(EventLogSecrets {}))
}

impl Condition for EventLogSecrets {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.tree.open(hit.spot.node, hit.entry)?;
        let size = content.size().min(LOOKED_MAX);
        let mut at = 0;
        while at < size && out.len() < FINDINGS_MAX {
            let length = CHUNK.min(size - at);
            let bytes = read_vec(content.as_ref(), at, usize::try_from(length).unwrap_or(0))?;
            // Strings stand at any offset: both alignments are read.
            for start in 0..2 {
                let (text, places) = strings(bytes.get(start..).unwrap_or_default());
                commands().find(&text, FINDINGS_MAX, |range, secret| {
                    let value = secret.and_then(|secret| text.get(secret)).unwrap_or_default();
                    let within = places.get(range.start).copied().unwrap_or(0);
                    if !is_placeholder(value) && out.len() < FINDINGS_MAX {
                        let evidence =
                            vec!["event: a command with a password among its arguments".to_owned()];
                        let place = Some((
                            at.saturating_add(within).saturating_add(if start == 0 { 0 } else { 1 }),
                            0,
                        ));
                        out.push(Found { place, evidence, secret: Some(value.to_vec()), ..Found::default() });
                    }
                })?;
            }
            at = at.saturating_add(CHUNK);
        }
        if content.size() > LOOKED_MAX && out.is_empty() {
            return Err(Error::new(ErrorKind::LimitExceeded, "only the first 128 MiB were looked at"));
        }
        Ok(())
    }

    fn prepare(&self) -> Result<()> {
        commands().prepare()
    }
}

/// UTF-16 strings of printable ASCII, at least 8 characters, a line each, and the offset of every byte.
fn strings(bytes: &[u8]) -> (Vec<u8>, Vec<u64>) {
    let (mut text, mut places) = (Vec::new(), Vec::new());
    let mut start = 0;
    for (pair, index) in bytes.chunks_exact(2).zip(0_u64..) {
        match pair {
            [byte @ 0x20..=0x7e, 0] => {
                text.push(*byte);
                places.push(index * 2);
            }
            _ if text.len() > start => {
                if text.len() - start < 8 {
                    text.truncate(start);
                    places.truncate(start);
                } else {
                    text.push(b'\n');
                    places.push(index * 2);
                }
                start = text.len();
            }
            _ => {}
        }
    }
    (text, places)
}
