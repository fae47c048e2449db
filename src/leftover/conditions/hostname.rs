//! The name of the machine: `/etc/hostname` (hostname(5)).

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "hostname", cases: &[], build: |table| Ok(Box::new(parameters::<Hostname>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hostname {}

/// Names that distributions and image builders put there.
const DEFAULTS: [&[u8]; 12] = [
    b"localhost",
    b"localhost.localdomain",
    b"localhost.localdomain6",
    b"debian",
    b"ubuntu",
    b"fedora",
    b"centos",
    b"rocky",
    b"almalinux",
    b"alpine",
    b"arch",
    b"(none)",
];

impl Condition for Hostname {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.content()?;
        let name = lines(&content.bytes).find(|line| {
            let text = line.bytes.trim_ascii();
            !text.is_empty() && !text.starts_with(b"#")
        });
        if let Some(line) = name
            && !DEFAULTS.contains(&line.bytes.trim_ascii().to_ascii_lowercase().as_slice())
        {
            let evidence = vec![format!("host name: {}", shown(line.bytes.trim_ascii()))];
            out.push(Found { place: Some(line.place()), evidence, ..Found::default() });
        }
        Ok(())
    }
}
