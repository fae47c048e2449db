//! Timelines of entries and findings, as CSV and as JSON lines, with the fields that Timesketch asks for.
//!
//! Events come in the order of the disk, not of time; the tools that read them sort.

use super::csv::cell;
use super::{Format, Output, Report, Settings, failed, words, write_line};
use crate::error::Result;
use crate::finding::Finding;
use crate::location::harmless;
use crate::record::{EntryFacts, HistoryLine, Record};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "timeline",
    about: "timeline of entries and findings as CSV, for Timesketch",
    entries: true,
    create: create_csv,
};

pub(super) const LINES: Format = Format {
    name: "timeline-jsonl",
    about: "timeline of entries and findings as JSON lines, for Timesketch",
    entries: true,
    create: create_lines,
};

const COLUMNS: &str =
    "datetime,timestamp,timestamp_desc,message,source,volume,path,inode,size,state,finding\r\n";

/// Something that happened. `timestamp` counts microseconds since 1970.
#[derive(Debug, Default, Serialize)]
struct Event<'a> {
    datetime: &'a str,
    timestamp: i64,
    timestamp_desc: String,
    message: String,
    source: &'static str,
    volume: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'a str>,
}

struct Timeline {
    out: Output,
    lines: bool,
}

fn create_csv(mut out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    out.write_all(COLUMNS.as_bytes()).map_err(failed)?;
    Ok(Box::new(Timeline { out, lines: false }))
}

fn create_lines(out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    Ok(Box::new(Timeline { out, lines: true }))
}

impl Report for Timeline {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Finding(finding) => self.finding(finding),
            Record::History(line) => self.command(line),
            _ => Ok(()),
        }
    }

    /// One event for each different time of the entry, which names all that happened then.
    fn entry(&mut self, entry: &EntryFacts) -> Result<()> {
        let times = [
            (&entry.mtime, "Content Modification Time"),
            (&entry.atime, "Last Access Time"),
            (&entry.ctime, "Metadata Modification Time"),
            (&entry.crtime, "Creation Time"),
            (&entry.dtime, "Deletion Time"),
        ];
        for (number, (time, _)) in times.iter().enumerate() {
            let Some(time) = time else { continue };
            let is_same = |other: &&(&Option<String>, &str)| other.0.as_ref() == Some(time);
            if times.iter().take(number).any(|other| is_same(&other)) {
                continue;
            }
            let names: Vec<_> = times.iter().filter(is_same).map(|(_, name)| *name).collect();
            let stream = entry.stream.as_deref().map(|stream| format!(":{stream}")).unwrap_or_default();
            let path = entry.path.clone().unwrap_or_else(|| format!("inode:{}", entry.inode));
            self.put(Event {
                datetime: time,
                timestamp_desc: names.join(", "),
                message: format!("{}:{path}{stream} ({})", entry.volume, entry.state),
                source: "FILE",
                volume: &entry.volume,
                path: entry.path.as_deref(),
                inode: Some(entry.inode),
                size: Some(entry.size),
                state: Some(entry.state),
                ..Event::default()
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }
}

impl Timeline {
    /// A finding stands at the last modification of its file; one without such a time is no event.
    fn finding(&mut self, finding: &Finding) -> Result<()> {
        let Some(mtime) = &finding.mtime else { return Ok(()) };
        let place = &finding.place;
        self.put(Event {
            datetime: mtime,
            timestamp_desc: "Content Modification Time".to_owned(),
            message: format!(
                "finding, {}: {} at {}",
                words::severity(finding.severity),
                finding.title,
                words::place(place)
            ),
            source: "FINDING",
            volume: &place.volume,
            path: place.path.as_deref(),
            inode: place.inode,
            state: place.state.map(words::state),
            finding: Some(&finding.id),
            ..Event::default()
        })
    }

    fn command(&mut self, line: &HistoryLine) -> Result<()> {
        let account = line.account.as_deref().map(|account| format!("{account}: ")).unwrap_or_default();
        let command = line.shown.as_deref().unwrap_or(&line.command);
        self.put(Event {
            datetime: &line.time,
            timestamp_desc: "Command Executed".to_owned(),
            message: format!("{account}{} ({} history)", harmless(command), line.shell),
            source: "HISTORY",
            volume: &line.volume,
            path: Some(&line.path),
            inode: Some(line.inode),
            ..Event::default()
        })
    }

    fn put(&mut self, mut event: Event<'_>) -> Result<()> {
        let Ok(time) = event.datetime.parse::<Timestamp>() else { return Ok(()) };
        event.timestamp = time.as_microsecond();
        if self.lines {
            return write_line(&mut self.out, &event).map_err(failed);
        }
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let cells = [
            event.datetime.to_owned(),
            event.timestamp.to_string(),
            event.timestamp_desc,
            event.message,
            event.source.to_owned(),
            event.volume.to_owned(),
            event.path.unwrap_or_default().to_owned(),
            number(event.inode),
            number(event.size),
            event.state.unwrap_or_default().to_owned(),
            event.finding.unwrap_or_default().to_owned(),
        ];
        let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
        write!(self.out, "{}\r\n", cells.join(",")).map_err(failed)
    }
}
