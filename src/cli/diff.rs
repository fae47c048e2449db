//! `residue diff`: what an image lost, kept and gained between two scans.

use super::accepted;
use super::exit::Exit;
use super::output::{self, unwritable};
use super::wanted::Threshold;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::location::harmless;
use crate::report::{self, Earlier, OwnedRecord, words};
use crate::rules::Severity;
use crate::scan::{self, Engine, Options, Silent};
use clap::ValueEnum;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a person to read
    Text,
    /// One JSON object a finding that differs
    Jsonl,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Earlier scan (JSON lines), or image
    before: PathBuf,
    /// Later scan (JSON lines), or image
    after: PathBuf,
    /// Exit with 1 when a finding of this severity or above is new or has moved
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "medium")]
    fail_on: Threshold,
    /// Format of the output
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    format: Format,
}

/// How a finding changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    /// Its secret is nowhere any more.
    Gone,
    /// Its secret left this place, and is still on the disk elsewhere.
    Left,
    /// Its secret was elsewhere before.
    Moved,
    /// It was not there before.
    New,
}

#[derive(Serialize)]
struct Line<'a> {
    change: Change,
    #[serde(flatten)]
    finding: &'a Finding,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut exit = Exit::Clean;
    let (earlier, later) = (Records::new(&args.before)?, Records::new(&args.after)?);
    let (before, after) = (earlier.index()?, later.index()?);
    let mut out = output::stdout();
    let mut counts = BTreeMap::new();
    let fail_on: Severity = args.fail_on.into();
    let mut show = |change: Change, finding: &Finding| {
        let count = counts.entry(change).or_insert(0_u64);
        *count = count.saturating_add(1);
        if matches!(change, Change::New | Change::Moved) && finding.severity >= fail_on {
            exit = Exit::Findings;
        }
        match args.format {
            Format::Jsonl => report::write_line(&mut out, &Line { change, finding }),
            Format::Text => writeln!(out, "{}", text(change, finding)),
        }
        .map_err(unwritable)
    };
    earlier.findings(&mut |finding| match (after.has_place(finding), after.has_secret(finding)) {
        (true, _) => Ok(()),
        (false, true) => show(Change::Left, finding),
        (false, false) => show(Change::Gone, finding),
    })?;
    let mut same: u64 = 0;
    later.findings(&mut |finding| match (before.has_place(finding), before.has_secret(finding)) {
        (true, _) => {
            same = same.saturating_add(1);
            Ok(())
        }
        (false, true) => show(Change::Moved, finding),
        (false, false) => show(Change::New, finding),
    })?;
    if let Format::Text = args.format {
        let [gone, left, moved, new] = [Change::Gone, Change::Left, Change::Moved, Change::New]
            .map(|change| words::grouped(counts.get(&change).copied().unwrap_or(0)));
        let same = words::grouped(same);
        writeln!(
            out,
            "{gone} gone, {left} left their place, {moved} moved to a place, {new} new, {same} unchanged"
        )
        .map_err(unwritable)?;
    }
    out.flush().map_err(unwritable)?;
    Ok(exit)
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Left => "left",
            Self::Moved => "moved",
            Self::New => "new",
        }
    }
}

fn text(change: Change, finding: &Finding) -> String {
    let state = finding.place.state.map(words::state_phrase).unwrap_or_default();
    let line = format!(
        "{:<6} {:<8} {}: {} ({state})",
        change.name(),
        words::severity(finding.severity),
        finding.title,
        words::place(&finding.place)
    );
    harmless(&line).into_owned()
}

/// Where the records of one side are: in the user's file, or in one of our own.
enum Records<'a> {
    Scan(&'a Path),
    Scanned(NamedTempFile),
}

impl<'a> Records<'a> {
    /// The records of a scan's JSON lines, or of an image, which is scanned first.
    fn new(path: &'a Path) -> Result<Self> {
        if is_json(path) {
            return Ok(Self::Scan(path));
        }
        let failed = |source| Error::io("cannot write a temporary file", source);
        // Both images need one key for their fingerprints, which are not shown.
        let key = Some(blake3::derive_key("residue diff of two images", &[]));
        let options = Options { key, ..Options::default() };
        let engine = Engine::new(&options)?;
        let file = NamedTempFile::new().map_err(failed)?;
        let mut out = BufWriter::new(file.as_file());
        let summary = scan::run(&engine, path, &options, &Silent, &mut |record| {
            report::write_line(&mut out, &record).map_err(failed)
        })?;
        out.flush().map_err(failed)?;
        drop(out);
        match summary.error {
            Some(error) => Err(Error::new(Kind::Io, error)),
            None => Ok(Self::Scanned(file)),
        }
    }

    fn findings(&self, visit: &mut dyn FnMut(&Finding) -> Result<()>) -> Result<()> {
        let path = match self {
            Self::Scan(path) => path,
            Self::Scanned(file) => file.path(),
        };
        accepted::read(path, &mut |record| match &record {
            OwnedRecord::Finding(finding) => visit(finding),
            _ => Ok(()),
        })
    }

    fn index(&self) -> Result<Earlier> {
        let mut index = Earlier::default();
        self.findings(&mut |finding| {
            index.add(finding);
            Ok(())
        })?;
        Ok(index)
    }
}

/// Whether the file starts like JSON lines, which no disk does.
fn is_json(path: &Path) -> bool {
    let mut first = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *b"{\"type\":"
}
