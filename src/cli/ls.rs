//! `residue ls`: the entries of an image's file systems.

use super::entries::{self, Listed};
use super::exit::Exit;
use super::input::Input;
use super::output::{self, unwritable};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{Entry, EntryKind, EntryState, FileSystem, Recognised, Stream, StreamName, Walked};
use crate::location::{escape, harmless};
use crate::report;
use crate::scan;
use clap::ValueEnum;
use std::io::Write;
use std::ops::ControlFlow;
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
    let mut listing = Listing { args, out: &mut out, complete: true };
    let mut found = false;
    for mounted in &disk.volumes {
        let name = &mounted.volume.name;
        if args.volume.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        match &mounted.content {
            Recognised::Opened(filesystem) => {
                found = true;
                listing.filesystem(name, filesystem.as_ref())?;
            }
            Recognised::Opaque { facts, error } => {
                output::say(&format!("{name}: {} cannot be listed: {error}", facts.kind));
                listing.complete = false;
            }
            Recognised::Plain(_) | Recognised::Unknown => {}
        }
    }
    let complete = listing.complete;
    out.flush().map_err(unwritable)?;
    if !found && complete {
        return Err(Error::new(Kind::NotFound, "no file system that can be read").in_file(&args.image));
    }
    Ok(if complete { Exit::Clean } else { Exit::Incomplete })
}

/// A listing being written.
struct Listing<'a> {
    args: &'a Args,
    out: &'a mut dyn Write,
    complete: bool,
}

impl Listing<'_> {
    fn filesystem(&mut self, volume: &str, filesystem: &dyn FileSystem) -> Result<()> {
        let mut result = Ok(());
        let walked = filesystem.walk(&mut |walked| {
            result = match walked {
                Walked::Entry(entry) => self.entry(volume, filesystem, &entry),
                Walked::Problem { entry, error } => {
                    let entry = entry.map(|id| format!(" inode:{}", id.0)).unwrap_or_default();
                    self.problem(&format!("{volume}{entry}: {error}"));
                    Ok(())
                }
            };
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = walked {
            self.problem(&format!("{volume}: {error}"));
        }
        result
    }

    fn problem(&mut self, message: &str) {
        output::say(message);
        self.complete = false;
    }

    fn entry(&mut self, volume: &str, filesystem: &dyn FileSystem, entry: &Entry) -> Result<()> {
        if entry.state != EntryState::Allocated && !self.args.deleted {
            return Ok(());
        }
        let paths = match filesystem.paths(entry.id) {
            Ok(paths) => paths.all,
            Err(error) => {
                self.problem(&format!("{volume} inode:{}: {error}", entry.id.0));
                Vec::new()
            }
        };
        let names: Vec<Option<String>> = match paths.as_slice() {
            [] if self.args.deleted => vec![None],
            [] => return Ok(()),
            all => all.iter().map(|path| Some(escape(path))).collect(),
        };
        let base = Listed::new(volume, filesystem.facts().kind, entry);
        let names: Vec<_> = names.into_iter().filter(|name| self.is_below(name.as_deref())).collect();
        if names.is_empty() {
            return Ok(());
        }
        for stream in self.streams(entry) {
            let mut listed = base.clone();
            listed.stream = stream.and_then(|stream| stream.name.shown());
            listed.size = stream.map_or(0, |stream| stream.size);
            if let Some(stream) = stream.filter(|stream| self.hashes(entry, stream)) {
                match entries::sha256(filesystem, entry, &stream.name) {
                    Ok(digest) => listed.sha256 = Some(digest),
                    Err(error) => {
                        self.complete = false;
                        listed.error = Some(error.to_string());
                    }
                }
            }
            for path in &names {
                listed.path.clone_from(path);
                self.write(&listed)?;
            }
        }
        Ok(())
    }

    fn is_below(&self, path: Option<&str>) -> bool {
        let Some(top) = self.args.path.as_deref().map(|top| top.trim_end_matches('/')) else { return true };
        let rest = path.and_then(|path| path.strip_prefix(top));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The streams that get a line: the unnamed one, or a line without one, then the named ones.
    fn streams<'e>(&self, entry: &'e Entry) -> Vec<Option<&'e Stream>> {
        let is_wanted = |stream: &&Stream| match stream.name {
            StreamName::Data => false,
            StreamName::Named(_) => true,
            StreamName::Xattr(_) | StreamName::Attribute(_) => self.args.streams,
        };
        let mut streams = vec![entry.stream(&StreamName::Data)];
        streams.extend(entry.streams.iter().filter(is_wanted).map(Some));
        streams
    }

    fn hashes(&self, entry: &Entry, stream: &Stream) -> bool {
        let is_content = match entry.kind {
            EntryKind::Directory | EntryKind::Special => stream.name != StreamName::Data,
            EntryKind::File | EntryKind::Symlink | EntryKind::Unknown => true,
        };
        matches!(self.args.hash, Some(Hash::Sha256)) && is_content
    }

    fn write(&mut self, listed: &Listed) -> Result<()> {
        match self.args.format {
            Format::Jsonl => report::write_line(self.out, listed).map_err(unwritable),
            Format::Text => writeln!(self.out, "{}", line(listed)).map_err(unwritable),
        }
    }
}

/// `MODE UID SIZE MTIME STATE INODE VOLUME:PATH:STREAM`, with the digest in front where there is one.
fn line(listed: &Listed) -> String {
    let digest = listed.sha256.as_deref().map(|digest| format!("{digest}  ")).unwrap_or_default();
    let mode = listed.mode.as_deref().unwrap_or("-");
    let uid = listed.owner_uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string());
    let time = listed.mtime.as_deref().and_then(|time| time.get(..19)).unwrap_or("-");
    let stream = listed.stream.as_deref().map(|stream| format!(":{stream}")).unwrap_or_default();
    let place = match &listed.path {
        Some(path) => format!("{}:{path}{stream}", listed.volume),
        None => format!("{}:inode:{}{stream}", listed.volume, listed.inode),
    };
    let error = listed.error.as_deref().map(|error| format!("  ({})", harmless(error))).unwrap_or_default();
    format!(
        "{digest}{mode:>4} {uid:>5} {:>12} {time:>19} {:<9} {:<9} {:>8}  {place}{error}",
        listed.size, listed.state, listed.kind, listed.inode
    )
}
