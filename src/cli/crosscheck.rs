//! `residue crosscheck`: a second opinion on every file.

use super::exit::Exit;
use super::input::Input;
use super::output::{self, unwritable};
use crate::crosscheck::{self, Counts, Difference};
use crate::error::Result;
use crate::filesystem::{FileSystem, Recognised};
use crate::io::ReadAt;
use crate::location::harmless;
use crate::report::words;
use crate::scan;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Image to read
    image: PathBuf,
    #[command(flatten)]
    input: Input,
    /// List the disagreements that a known limit of the other reader explains, too
    #[arg(long)]
    explained: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let disk = scan::open(&args.image, &args.input.options())?;
    let mut out = output::stdout();
    let mut exit = Exit::Clean;
    let mut compared = false;
    for mounted in &disk.volumes {
        let name = &mounted.volume.name;
        match &mounted.content {
            Recognised::Opened(filesystem) => {
                if let Some(one) = compare(args, name, &mounted.reader, filesystem.as_ref(), &mut out)? {
                    compared = true;
                    exit = exit.max(one);
                }
            }
            Recognised::Opaque { facts, error } => {
                output::say(&format!("{name}: {} cannot be compared: {error}", facts.kind));
                exit = exit.max(Exit::Incomplete);
            }
            Recognised::Plain(_) | Recognised::Unknown => {}
        }
    }
    out.flush().map_err(unwritable)?;
    if !compared {
        output::say("no file system that an independent reader reads");
        exit = exit.max(Exit::Incomplete);
    }
    Ok(exit)
}

/// Compares one file system; `None` where there is no other reader for it.
fn compare(
    args: &Args,
    name: &str,
    volume: &Arc<dyn ReadAt>,
    filesystem: &dyn FileSystem,
    out: &mut dyn Write,
) -> Result<Option<Exit>> {
    let mut written = Ok(());
    let mut limits: BTreeMap<&str, u64> = BTreeMap::new();
    let counts = crosscheck::compare(volume, filesystem, &mut |difference| {
        if let Some(limit) = difference.explained {
            let count = limits.entry(limit).or_default();
            *count = count.saturating_add(1);
        }
        if (args.explained || difference.explained.is_none()) && written.is_ok() {
            written = writeln!(out, "{}", line(name, &difference));
        }
    });
    written.map_err(unwritable)?;
    let Some(counts) = counts.transpose()? else { return Ok(None) };
    let Counts { same, explained, unexplained } = counts;
    let streams = words::count(same, "stream");
    let kind = filesystem.facts().kind;
    let mut text = format!(
        "{name}: {kind}, {streams} the same, {} different without explanation, {} different with one\n",
        words::grouped(unexplained),
        words::grouped(explained)
    );
    for (limit, count) in limits {
        text.push_str(&format!("  {}: {limit}\n", words::grouped(count)));
    }
    out.write_all(text.as_bytes()).map_err(unwritable)?;
    Ok(Some(if unexplained > 0 { Exit::Findings } else { Exit::Clean }))
}

fn line(volume: &str, difference: &Difference) -> String {
    let path = difference.path.clone();
    let place = path.or_else(|| difference.entry.map(|id| format!("inode:{}", id.0))).unwrap_or_default();
    let stream = difference.stream.as_deref().map(|stream| format!(":{stream}")).unwrap_or_default();
    let explained = difference.explained.map(|limit| format!(" ({limit})")).unwrap_or_default();
    harmless(&format!("{volume}:{place}{stream}: {}{explained}", difference.what)).into_owned()
}
