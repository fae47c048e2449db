//! What the SSH server lets in: `sshd_config` with its includes (sshd_config(5)). The first value counts.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::leftover::glob::Wild;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use crate::leftover::tree::{Tree, join};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) const KIND: Kind =
    Kind { name: "sshd", cases: &[], build: |table| Ok(Box::new(parameters::<Sshd>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sshd {}

/// Bytes of an included file.
const FILE_MAX: u64 = 1 << 20;
/// Files that are included.
const INCLUDES_MAX: usize = 200;
/// Keywords and the values that let someone in with a password.
const OPEN: [(&str, &str); 3] =
    [("permitrootlogin", "yes"), ("passwordauthentication", "yes"), ("permitemptypasswords", "yes")];

impl Condition for Sshd {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let mut settings = Settings { first: BTreeMap::new(), files: 0 };
        settings.read(hit.tree, &hit.content()?.bytes, true)?;
        for (keyword, open) in OPEN {
            // Passwords are on by default; only what someone wrote down is reported.
            let Some((value, place)) = settings.first.get(keyword) else { continue };
            if value == open {
                let evidence = vec![format!("{keyword}: {value}")];
                out.push(Found { detail: keyword.into(), place: *place, evidence, ..Found::default() });
            }
        }
        Ok(())
    }
}

/// The first value of each keyword, with its place when it stands in the main file.
struct Settings {
    first: BTreeMap<String, (String, Option<(u64, u64)>)>,
    files: usize,
}

impl Settings {
    fn read(&mut self, tree: &Tree<'_>, content: &[u8], is_main: bool) -> Result<()> {
        for line in lines(content) {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let mut words = text.splitn(2, |c: char| c.is_whitespace() || c == '=');
            let keyword = words.next().unwrap_or_default().to_lowercase();
            let value = words.next().unwrap_or_default().trim().trim_matches('"').to_owned();
            match keyword.as_str() {
                // What follows holds for some connections only.
                "match" => break,
                "include" if is_main => self.include(tree, &value)?,
                _ => {
                    let place = is_main.then(|| line.place());
                    self.first.entry(keyword).or_insert((value.to_lowercase(), place));
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, tree: &Tree<'_>, value: &str) -> Result<()> {
        for pattern in value.split_whitespace() {
            let path =
                if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
            let Some((directory, name)) = path.rsplit_once('/') else { continue };
            let Some(spot) = tree.resolve(directory.as_bytes())? else { continue };
            let wild = Wild::new(name);
            let mut names = Vec::new();
            tree.list(spot.node, &mut |entry| {
                if wild.matches(&entry.name) {
                    names.push(entry.name);
                }
            })?;
            names.sort();
            for name in names {
                self.files += 1;
                if self.files > INCLUDES_MAX {
                    return Ok(());
                }
                if let Some(content) = tree.read(&join(directory.as_bytes(), &name), FILE_MAX)? {
                    self.read(tree, &content, false)?;
                }
            }
        }
        Ok(())
    }
}
