//! `residue scan`: the main job.

use super::entries;
use super::exit::Exit;
use super::images::{self, Chosen};
use super::input::Input;
use super::listing::{self, Select};
use super::output::{self, Outputs, Wanted};
use super::overview::Overview;
use super::progress::Progress;
use super::recover::Recover;
use super::wanted::{Reports, Rules};
use crate::error::{Error, Kind, Result};
use crate::io::{self, Access};
use crate::leftover::Profile;
use crate::location::escape;
use crate::record::{ExitReason, Record, Summary};
use crate::redact::Redactor;
use crate::report::{Accepted, Gate, words};
use crate::scan::{self, Disk, Engine, Options};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Images to scan; a directory is scanned as the tree of files that it holds
    #[arg(required_unless_present = "folders", value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Scan every disk image in this folder and below; may be given several times
    #[arg(long = "images", value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    rules: Rules,
    /// Scan what internal snapshots show and the active state does not, in the order of their disks
    #[arg(long)]
    snapshots: bool,
    /// Compare the digests that the image stores of itself (E01) with its bytes
    #[arg(long)]
    verify: bool,
    /// Show secrets in full; the report is then as secret as they are
    #[arg(long)]
    show_secrets: bool,
    /// Show findings that are only possible, too
    #[arg(long)]
    possible: bool,
    /// Look for personal data, too: e-mail addresses, payment cards, bank accounts, phone and identity numbers; one
    /// finding a file and kind, with their number and the first place
    #[arg(long)]
    pii: bool,
    /// Which checks are made
    #[arg(long, value_enum, default_value = "release")]
    profile: Purpose,
    /// Report only these rules, checks or categories
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these rules, checks or categories out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
    /// Further rules, in TOML
    #[arg(long = "rules", value_name = "FILE")]
    rule_files: Vec<PathBuf>,
    /// File whose content keys the fingerprints, so that they compare across images
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Hash the image file (SHA-256) while it is scanned
    #[arg(long)]
    hash: bool,
    /// Write an in-toto statement about the verdict; the same as --hash -o attest:FILE
    #[arg(long, value_name = "FILE")]
    attest: Option<String>,
    /// Write the files that carry findings to a new folder, with a list of them; they are as secret as what was
    /// found in them
    #[arg(long, value_name = "FOLDER")]
    recover: Option<PathBuf>,
    /// Number of threads; 0 is one for each processor
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// No progress and no closing line on standard error
    #[arg(short, long)]
    quiet: bool,
}

/// What a scan is for, on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Purpose {
    /// May the image leave: secrets and hygiene
    Release,
    /// What happened on the machine: traces of tampering as well
    Investigate,
}

impl From<Purpose> for Profile {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Release => Self::Release,
            Purpose::Investigate => Self::Investigate,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let options = options(args)?;
    let engine = Engine::new(&options)?;
    let accepted = args.rules.accepted()?;
    let mut wanted = args.reports.wanted()?;
    if let Some(file) = &args.attest {
        wanted.push(Wanted::parse(&format!("attest:{file}"), crate::report::format("attest")?)?);
    }
    let entries = wanted.iter().any(Wanted::entries);
    let outputs = args.reports.create(&wanted)?;
    let chosen = images::choose(&args.images, &args.folders)?;
    let recover = args.recover.as_deref().map(Recover::create).transpose()?;
    let mut run = Run { args, engine, options, accepted, outputs, entries, recover };
    let (mut exit, mut overview) = (Exit::Clean, Overview::default());
    for Chosen { path, name } in &chosen {
        run.options.name.clone_from(name);
        let summary = run.image(path)?;
        overview.add(&summary);
        if !args.quiet && args.reports.is_silent() {
            output::say(&format!("{}: {}", summary.image, words::decision(&summary)));
        }
        exit = exit.max(summary.exit_reason.into());
    }
    run.outputs.finish()?;
    if !args.quiet {
        overview.lines().iter().for_each(|line| output::say(line));
    }
    // The program ends here; taking thousands of compiled rules apart takes longer than ending it.
    std::mem::forget(run.engine);
    Ok(exit)
}

fn options(args: &Args) -> Result<Options> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    let policy = args.rules.policy();
    Ok(Options {
        threads: args.threads,
        snapshots: args.snapshots,
        verify: args.verify,
        show_secrets: args.show_secrets,
        only: args.only.clone(),
        skip: args.skip.clone(),
        profile: args.profile.into(),
        key,
        rule_files: args.rule_files.clone(),
        all_verdicts: args.possible,
        pii: args.pii || args.only.iter().any(|name| name == "pii" || name.starts_with("pii-")),
        fail_on: policy.fail_on,
        strict: policy.strict,
        accept_gaps: policy.accept_gaps,
        ..args.input.options()
    })
}

/// The key for fingerprints: a hash of the whole file, so that any random content will do.
pub(super) fn read_key(path: &Path) -> Result<[u8; 32]> {
    /// Less than this cannot keep fingerprints of guessable secrets from being tried out.
    const KEY_MIN: usize = 16;
    let content =
        std::fs::read(path).map_err(|source| Error::io("cannot read the key", source).in_file(path))?;
    if content.len() < KEY_MIN {
        let found = content.len();
        return Err(Error::new(
            Kind::Usage,
            format!("key: expected at least {KEY_MIN} bytes, found {found}"),
        )
        .in_file(path));
    }
    Ok(blake3::derive_key("residue fingerprint key file", &content))
}

/// A run over several images.
struct Run<'a> {
    args: &'a Args,
    engine: Engine,
    options: Options,
    accepted: Accepted,
    outputs: Outputs,
    entries: bool,
    recover: Option<Recover>,
}

impl Run<'_> {
    /// Scans one image into the reports. An image that cannot be read is a result, too: its summary says so.
    fn image(&mut self, image: &Path) -> Result<Summary> {
        let directory = image.is_dir();
        let hash = (self.args.hash || self.args.attest.is_some()) && !directory;
        let (summary, digest) = std::thread::scope(|threads| {
            let hasher = hash.then(|| threads.spawn(|| image_sha256(image)));
            let summary = self.scan(image);
            let panicked = |_| Err(Error::new(Kind::Io, "the thread that hashes the image stopped"));
            (summary, hasher.map(|hasher| hasher.join().unwrap_or_else(panicked)))
        });
        let mut summary = summary?;
        if summary.error.is_none() {
            match digest.transpose() {
                Ok(digest) => summary.image_sha256 = digest,
                Err(error) => incomplete(&mut summary, &error),
            }
            if self.entries {
                match scan::open(image, &self.options) {
                    Ok(disk) => self.list(&disk, &summary.redactor)?,
                    Err(error) => incomplete(&mut summary, &error),
                }
            }
            if directory {
                hint(image);
            }
            if let Some(recover) = &mut self.recover {
                match scan::open(image, &self.options) {
                    Ok(disk) => recover.write(&summary.image, &disk)?,
                    Err(error) => incomplete(&mut summary, &error),
                }
            }
        } else if let Some(error) = &summary.error {
            output::say(error);
        }
        self.outputs.write(&Record::Summary(&summary))?;
        Ok(summary)
    }

    fn scan(&mut self, image: &Path) -> Result<Summary> {
        let name = escape(image.file_name().unwrap_or(image.as_os_str()).as_encoded_bytes());
        let name = self.options.name.clone().unwrap_or(name);
        let progress = Progress::new(&name, self.args.quiet);
        let mut gate = Gate::new(self.args.rules.policy());
        self.accepted.allow.restart();
        let result = scan::run(&self.engine, image, &self.options, &progress, &mut |record| match record {
            Record::Finding(finding) => {
                let mut finding = finding.clone();
                self.accepted.mark(&mut finding);
                gate.count(&finding);
                if let Some(recover) = &mut self.recover {
                    recover.add(&finding);
                }
                self.outputs.write(&Record::Finding(&finding))
            }
            // The gate has a word to say on the summary first.
            Record::Summary(_) => Ok(()),
            _ => self.outputs.write(&record),
        });
        progress.clear();
        let mut summary = result?;
        gate.judge(&mut summary);
        summary.notes.extend(self.accepted.allow.notes(self.accepted.today));
        for note in &summary.notes {
            output::say(&format!("{name}: {note}"));
        }
        Ok(summary)
    }

    /// Hands the entries of the image's file systems to the reports that show them.
    fn list(&mut self, disk: &Disk, redactor: &Redactor) -> Result<()> {
        let select = Select { deleted: true, ..Select::default() };
        // What the walk could not read is among the scan's gaps already.
        listing::walk(disk, &select, &mut |entry| {
            let mut entry = entry.clone();
            redactor.texts(entry.path.iter_mut().chain(&mut entry.stream).chain(&mut entry.notes));
            self.outputs.entry(&entry)
        })
        .map(|_| ())
    }
}

/// What could not be done for one image is said in its summary, and the others are scanned all the same.
fn incomplete(summary: &mut Summary, error: &Error) {
    output::complain(error);
    summary.notes.push(error.to_string());
    if matches!(summary.exit_reason, ExitReason::Clean | ExitReason::Findings) {
        summary.exit_reason = ExitReason::Incomplete;
    }
}

/// A folder of images was scanned as a tree of files: that may not be what was meant.
fn hint(folder: &Path) {
    let images = images::images_in(folder);
    if images > 0 {
        let name = escape(folder.as_os_str().as_encoded_bytes());
        output::say(&format!("{name} holds {images} disk images; `residue scan --images {name}` scans each"));
    }
}

/// SHA-256 of the image file as it is stored, in hexadecimal.
fn image_sha256(image: &Path) -> Result<String> {
    let file = io::open(image, Access::Pread)?;
    let mut hasher = Sha256::new();
    entries::copy(file.as_ref(), 0, file.size(), &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(data_encoding::HEXLOWER.encode(&hasher.finalize()))
}
