//! Where results go: standard output, and files that appear whole or not at all.

use crate::error::{Error, Kind, Result};
use crate::location::{escape, harmless};
use crate::record::{EntryFacts, Record};
use crate::report::{self, Format, Report, Settings};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Bytes collected before they are written.
const BUFFER: usize = 64 << 10;

/// Says something on standard error, in one line.
pub(super) fn say(message: &str) {
    // Nobody is left to tell when standard error itself is closed.
    writeln!(io::stderr(), "residue: {}", harmless(message)).unwrap_or_default();
}

/// Says what went wrong.
pub(super) fn complain(error: &Error) {
    say(&error.to_string());
}

/// Whether the reader of the output went away, which is its right.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    error.io_kind() == Some(io::ErrorKind::BrokenPipe)
}

/// Standard output, buffered.
pub(super) fn stdout() -> BufWriter<io::Stdout> {
    BufWriter::with_capacity(BUFFER, io::stdout())
}

/// The error for standard output that cannot be written.
pub(super) fn unwritable(source: io::Error) -> Error {
    Error::io("cannot write to standard output", source)
}

/// Whether standard output is a terminal that shows colours.
pub(super) fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !refused && !dumb
}

/// A report that was asked for: `FORMAT:FILE`, `FILE`, or `-` for standard output.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    format: &'static Format,
    path: Option<PathBuf>,
}

impl Wanted {
    /// Reads the value of `-o`; `default` is the format where the value names none.
    pub(super) fn parse(value: &str, default: &'static Format) -> Result<Self> {
        let known = |name: &str| report::FORMATS.iter().find(|format| format.name == name);
        let (format, file) = match value.split_once(':') {
            Some((name, file)) if known(name).is_some() => (report::format(name)?, file),
            _ => (default, value),
        };
        if file.is_empty() {
            return Err(Error::new(Kind::Usage, "-o: expected a file name, found nothing"));
        }
        Ok(Self { format, path: (file != "-").then(|| PathBuf::from(file)) })
    }

    /// Whether it shows the entries of file systems.
    pub(super) fn entries(&self) -> bool {
        self.format.entries
    }

    /// Name of the format.
    pub(super) fn name(&self) -> &'static str {
        self.format.name
    }

    /// A report on standard output.
    pub(super) fn stdout(format: &'static Format) -> Self {
        Self { format, path: None }
    }
}

/// The reports of one run.
pub(super) struct Outputs {
    reports: Vec<Box<dyn Report>>,
    files: Vec<Pending>,
    force: bool,
}

/// A file that is complete under another name.
struct Pending {
    written: NamedTempFile,
    path: PathBuf,
}

impl Outputs {
    /// Starts all reports that are `wanted`. Files get their names in [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Kind::Usage`] where a file exists and may not be replaced, or two reports have one target.
    pub(super) fn create(wanted: &[Wanted], force: bool) -> Result<Self> {
        let mut outputs = Self { reports: Vec::new(), files: Vec::new(), force };
        for (number, one) in wanted.iter().enumerate() {
            if wanted.iter().take(number).any(|other| other.path == one.path) {
                return Err(Error::new(Kind::Usage, "two reports have the same target"));
            }
            let report = match &one.path {
                None => {
                    let settings = Settings { colour: wants_colour() };
                    (one.format.create)(Box::new(stdout()), &settings)?
                }
                Some(path) if is_special(path) => {
                    let failed = |source| Error::io("cannot write", source).in_file(path);
                    let file = File::options().write(true).open(path).map_err(failed)?;
                    let writer = BufWriter::with_capacity(BUFFER, file);
                    (one.format.create)(Box::new(writer), &Settings::default())?
                }
                Some(path) => {
                    let pending = Pending::create(path, force)?;
                    let file = pending.handle()?;
                    outputs.files.push(pending);
                    let writer = BufWriter::with_capacity(BUFFER, file);
                    (one.format.create)(Box::new(writer), &Settings::default())?
                }
            };
            outputs.reports.push(report);
        }
        Ok(outputs)
    }

    /// Hands a record to every report.
    pub(super) fn write(&mut self, record: &Record<'_>) -> Result<()> {
        self.reports.iter_mut().try_for_each(|report| report.write(record))
    }

    /// Hands an entry to every report.
    pub(super) fn entry(&mut self, entry: &EntryFacts) -> Result<()> {
        self.reports.iter_mut().try_for_each(|report| report.entry(entry))
    }

    /// Ends every report and gives the files their names.
    pub(super) fn finish(mut self) -> Result<()> {
        self.reports.iter_mut().try_for_each(|report| report.finish())?;
        drop(std::mem::take(&mut self.reports));
        self.files.into_iter().try_for_each(|pending| pending.publish(self.force))
    }
}

impl Pending {
    fn create(path: &Path, force: bool) -> Result<Self> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let written = NamedTempFile::with_prefix_in(".residue-", directory)
            .map_err(|source| Error::io("cannot make a file in", source).in_file(directory))?;
        Ok(Self { written, path: path.to_path_buf() })
    }

    fn handle(&self) -> Result<File> {
        self.written
            .as_file()
            .try_clone()
            .map_err(|source| Error::io("cannot write", source).in_file(&self.path))
    }

    fn publish(self, force: bool) -> Result<()> {
        let failed = |source| Error::io("cannot write", source).in_file(&self.path);
        self.written.as_file().sync_all().map_err(failed)?;
        let result = match force {
            true => self.written.persist(&self.path),
            false => self.written.persist_noclobber(&self.path),
        };
        match result {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(exists(&self.path)),
            Err(error) => Err(failed(error.error)),
        }
    }
}

/// Whether a device, a pipe or a socket stands at the path: it is written to, and never replaced by a file.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Writes a whole file at once, under the rules of reports.
pub(super) fn write_file(path: &Path, content: &[u8], force: bool) -> Result<()> {
    let pending = Pending::create(path, force)?;
    let failed = |source| Error::io("cannot write", source).in_file(path);
    pending.handle()?.write_all(content).map_err(failed)?;
    pending.publish(force)
}

fn exists(path: &Path) -> Error {
    let path = escape(path.as_os_str().as_encoded_bytes());
    Error::new(Kind::Usage, format!("{path} exists; --force replaces it"))
}
