//! Histories of shells and database clients: how many entries, over what time.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::{lines, place_of};
use crate::leftover::patterns::{commands, is_placeholder};
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "history", cases: &["secret"], build: |table| Ok(Box::new(parameters::<History>(table)?)) };

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct History {
    /// How entries are written.
    format: Format,
    /// Lines that are no entry begin with one of these.
    headers: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// An entry a line; `#` and digits (bash) or `#+` and digits (tcsh) in front give its time.
    #[default]
    Lines,
    /// `: start:elapsed;command`, or plain; a backslash at the end continues.
    Zsh,
    /// `- cmd:` and `when:`.
    Fish,
    /// A line that ends in a back-tick continues.
    Backtick,
    /// Not lines: any content counts.
    Binary,
}

/// Commands of one history that are looked at.
const COMMANDS_MAX: usize = 1000;

/// What a history comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    entries: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Tally {
    fn time(&mut self, seconds: i64) {
        self.first = Some(self.first.map_or(seconds, |first| first.min(seconds)));
        self.last = Some(self.last.map_or(seconds, |last| last.max(seconds)));
    }
}

impl Condition for History {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.content()?;
        let tally = match self.format {
            Format::Lines => self.lines(&content.bytes),
            Format::Zsh => zsh(&content.bytes),
            Format::Fish => fish(&content.bytes),
            Format::Backtick => backtick(&content.bytes),
            Format::Binary => Tally { entries: 1, ..Tally::default() },
        };
        if tally.entries == 0 {
            return Ok(());
        }
        let mut evidence = Vec::new();
        if self.format != Format::Binary {
            let bound = if content.whole { "" } else { " in the first 4 MiB" };
            evidence.push(format!("entries: {}{bound}", tally.entries));
        }
        for (name, seconds) in [("first entry", tally.first), ("last entry", tally.last)] {
            let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
            evidence.extend(time.map(|time| format!("{name}: {time}")));
        }
        let commands = secrets(&content.bytes)?;
        if let Some((_, line)) = commands.first {
            evidence.push(format!("commands with a password: {}, the first in line {line}", commands.count));
        }
        let case = commands.first.map(|_| "secret");
        out.push(Found {
            case,
            place: commands.first,
            evidence,
            secret: commands.secret,
            is_about_file: true,
            ..Found::default()
        });
        Ok(())
    }

    fn prepare(&self) -> Result<()> {
        commands().prepare()
    }
}

/// Commands with a secret among their arguments.
#[derive(Default)]
struct Commands {
    count: u64,
    first: Option<(u64, u64)>,
    secret: Option<Vec<u8>>,
}

fn secrets(content: &[u8]) -> Result<Commands> {
    let mut found = Commands::default();
    commands().find(content, COMMANDS_MAX, |range, secret| {
        let value = secret.and_then(|secret| content.get(secret)).unwrap_or_default();
        if is_placeholder(value) {
            return;
        }
        found.count += 1;
        if found.first.is_none() {
            found.first = Some(place_of(content, range.start));
            found.secret = Some(value.to_vec());
        }
    })?;
    Ok(found)
}

impl History {
    fn lines(&self, content: &[u8]) -> Tally {
        let mut tally = Tally::default();
        for line in lines(content) {
            if line.bytes.trim_ascii().is_empty() || self.is_header(line.bytes) {
                continue;
            }
            match stamp(line.bytes) {
                Some(seconds) => tally.time(seconds),
                None => tally.entries += 1,
            }
        }
        tally
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.headers.iter().any(|header| line.starts_with(header.as_bytes()))
    }
}

/// `#` or `#+` and nine to eleven digits.
fn stamp(line: &[u8]) -> Option<i64> {
    let digits = line.strip_prefix(b"#")?;
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    if !(9..=11).contains(&digits.len()) {
        return None;
    }
    number(digits)
}

fn number(digits: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    text.parse().ok()
}

fn zsh(content: &[u8]) -> Tally {
    let mut tally = Tally::default();
    let mut continues = false;
    for line in lines(content) {
        let starts = !continues && !line.bytes.is_empty();
        continues = line.bytes.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1;
        if !starts {
            continue;
        }
        tally.entries += 1;
        let start = line.bytes.strip_prefix(b": ").and_then(|rest| rest.split(|&byte| byte == b':').next());
        if let Some(seconds) = start.and_then(number) {
            tally.time(seconds);
        }
    }
    tally
}

fn fish(content: &[u8]) -> Tally {
    let mut tally = Tally::default();
    for line in lines(content) {
        if line.bytes.starts_with(b"- cmd: ") {
            tally.entries += 1;
        } else if let Some(seconds) = line.bytes.strip_prefix(b"  when: ").and_then(number) {
            tally.time(seconds);
        }
    }
    tally
}

fn backtick(content: &[u8]) -> Tally {
    let mut tally = Tally::default();
    let mut continues = false;
    for line in lines(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)) {
        if !continues && !line.bytes.is_empty() {
            tally.entries += 1;
        }
        continues = line.bytes.ends_with(b"`");
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_times_are_counted_in_each_format() {
        let bash = History::default();
        let found = bash.lines(b"#1700000000\nls\n\n#1700000100\n# remark\ncd\n");
        assert_eq!(found, Tally { entries: 3, first: Some(1_700_000_000), last: Some(1_700_000_100) });
        let mysql = History { headers: vec!["_HiStOrY_V2_".to_owned()], ..History::default() };
        assert_eq!(mysql.lines(b"_HiStOrY_V2_\n").entries, 0);
        assert_eq!(zsh(b": 1700000000:0;a\\\nb\nls\n").entries, 2);
        assert_eq!(fish(b"- cmd: ls\n  when: 1700000000\n  paths:\n    - x\n").entries, 1);
        assert_eq!(backtick(b"\xef\xbb\xbffoo `\r\nbar\r\nls\r\n").entries, 2);
    }
}
