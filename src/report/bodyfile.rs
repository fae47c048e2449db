//! Body file of The Sleuth Kit 3.x, one line an entry, which `mactime` sorts into a timeline.
//!
//! `MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime`, times in seconds since 1970, 0 where
//! not recorded.

use super::{Format, Output, Report, Settings, failed};
use crate::error::Result;
use crate::location::harmless;
use crate::record::{EntryFacts, Record};
use jiff::Timestamp;
use std::io::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "bodyfile",
    about: "Sleuth Kit body file of all entries, for mactime",
    entries: true,
    create,
};

struct BodyFile {
    out: Output,
}

fn create(out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    Ok(Box::new(BodyFile { out }))
}

impl Report for BodyFile {
    fn write(&mut self, _record: &Record<'_>) -> Result<()> {
        Ok(())
    }

    fn entry(&mut self, entry: &EntryFacts) -> Result<()> {
        let seconds = |time: &Option<String>| {
            let time = time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            time.map_or(0, |time| time.as_second())
        };
        writeln!(
            self.out,
            "0|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            name(entry),
            entry.inode,
            mode(entry),
            entry.owner_uid.unwrap_or(0),
            entry.owner_gid.unwrap_or(0),
            entry.size,
            seconds(&entry.atime),
            seconds(&entry.mtime),
            seconds(&entry.ctime),
            seconds(&entry.crtime),
        )
        .map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }
}

/// `VOLUME:/PATH:STREAM`, with the state behind it where the entry is not in use. The separator of the
/// format cannot stand in a name.
fn name(entry: &EntryFacts) -> String {
    let path = entry.path.clone().unwrap_or_else(|| format!("inode:{}", entry.inode));
    let stream = entry.stream.as_deref().map(|stream| format!(":{stream}")).unwrap_or_default();
    let state = if entry.state == "allocated" { String::new() } else { format!(" ({})", entry.state) };
    harmless(&format!("{}:{path}{stream}{state}", entry.volume)).replace('|', "%7C")
}

/// The mode as The Sleuth Kit writes it: type of the name, type of the entry, permissions.
fn mode(entry: &EntryFacts) -> String {
    let kind = match entry.kind {
        "file" => 'r',
        "directory" => 'd',
        "symlink" => 'l',
        _ => '-',
    };
    let bits = entry.mode.as_deref().and_then(|mode| u16::from_str_radix(mode, 8).ok()).unwrap_or(0);
    let mut text = format!("{kind}/{kind}");
    // Set-user, set-group and sticky bits show in the place of the execute bits of their class.
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let class = bits >> shift;
        text.push(if class & 4 == 0 { '-' } else { 'r' });
        text.push(if class & 2 == 0 { '-' } else { 'w' });
        text.push(match (class & 1 != 0, bits & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_names_follow_the_format() {
        let entry = |kind, mode: &str, path: &str| EntryFacts {
            volume: "p1".into(),
            kind,
            mode: Some(mode.into()),
            path: Some(path.into()),
            state: "deleted",
            ..EntryFacts::default()
        };
        assert_eq!(mode(&entry("file", "4755", "/a")), "r/rrwsr-xr-x");
        assert_eq!(mode(&entry("directory", "1777", "/a")), "d/drwxrwxrwt");
        assert_eq!(name(&entry("file", "0644", "/a|b")), "p1:/a%7Cb (deleted)");
    }
}
