//! `residue ls`: the entries of an image's file systems.

use super::exit::Exit;
use super::input::Input;
use super::listing::{self, Select};
use super::output::{self, unwritable};
use crate::error::{Error, Kind, Result};
use crate::location::harmless;
use crate::record::EntryFacts;
use crate::report;
use crate::scan;
use clap::ValueEnum;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a person to read
    Text,
    /// One JSON object a line
    Jsonl,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Hash {
    /// SHA-256 of the content
    Sha256,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Image to read
    image: PathBuf,
    /// Only entries at or below this path
    path: Option<String>,
    #[command(flatten)]
    input: Input,
    /// Only this volume
    #[arg(long, value_name = "VOLUME")]
    volume: Option<String>,
    /// Deleted entries, and those without a name, too
    #[arg(long)]
    deleted: bool,
    /// Extended attributes and other streams, too
    #[arg(long)]
    streams: bool,
    /// Hash the content of files
    #[arg(long, value_name = "HASH", value_enum)]
    hash: Option<Hash>,
    /// Format of the listing
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let disk = scan::open(&args.image, &args.input.options())?;
    let mut out = output::stdout();
    let select = Select {
        volume: args.volume.clone(),
        below: args.path.as_deref().map(|path| path.trim_end_matches('/').to_owned()),
        deleted: args.deleted,
        streams: args.streams,
        hash: matches!(args.hash, Some(Hash::Sha256)),
    };
    let listed = listing::walk(&disk, &select, &mut |entry| match args.format {
        Format::Jsonl => report::write_line(&mut out, entry).map_err(unwritable),
        Format::Text => writeln!(out, "{}", line(entry, args.deleted)).map_err(unwritable),
    })?;
    out.flush().map_err(unwritable)?;
    if listed.file_systems == 0 && listed.complete {
        return Err(Error::new(Kind::NotFound, "no file system that can be read").in_file(&args.image));
    }
    Ok(if listed.complete { Exit::Clean } else { Exit::Incomplete })
}

/// `MODE UID SIZE MTIME STATE INODE VOLUME:PATH:STREAM`, with the digest in front where there is one, and what
/// is known besides where `noted`.
fn line(listed: &EntryFacts, noted: bool) -> String {
    let digest = listed.sha256.as_deref().map(|digest| format!("{digest}  ")).unwrap_or_default();
    let mode = listed.mode.as_deref().unwrap_or("-");
    let uid = listed.owner_uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string());
    let time = listed.mtime.as_deref().and_then(|time| time.get(..19)).unwrap_or("-");
    let stream = listed.stream.as_deref().map(|stream| format!(":{stream}")).unwrap_or_default();
    let version = listed.version.map(|version| format!("#{version}")).unwrap_or_default();
    let number = format!("{}{version}", listed.inode);
    let place = match &listed.path {
        Some(path) => format!("{}:{path}{stream}", listed.volume),
        None => format!("{}:inode:{number}{stream}", listed.volume),
    };
    // What is left of it is what one wants to know of a file that is gone, and of a directory what it held.
    let noted = noted && !listed.notes.is_empty();
    let notes = if noted { format!("  [{}]", listed.notes.join("; ")) } else { String::new() };
    let error = listed.error.as_deref().map(|error| format!("  ({})", harmless(error))).unwrap_or_default();
    format!(
        "{digest}{mode:>4} {uid:>5} {:>12} {time:>19} {:<9} {:<9} {number:>8}  {place}{notes}{error}",
        listed.size, listed.state, listed.kind
    )
}
