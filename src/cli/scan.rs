//! `residue scan`: the main job.

use super::exit::Exit;
use super::input::Input;
use super::output::{self, Outputs, Wanted};
use super::progress::Progress;
use crate::error::{Error, Kind, Result};
use crate::location::escape;
use crate::record::{Record, Summary};
use crate::report::{self, Gate, Policy, words};
use crate::rules::Severity;
use crate::scan::{self, Engine, Options};
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};

/// A severity on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Threshold {
    /// Worth knowing
    Info,
    /// Untidy
    Low,
    /// To be removed before the image leaves
    Medium,
    /// Gives access to something
    High,
    /// Gives access to much, at once
    Critical,
}

impl From<Threshold> for Severity {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Info => Self::Info,
            Threshold::Low => Self::Low,
            Threshold::Medium => Self::Medium,
            Threshold::High => Self::High,
            Threshold::Critical => Self::Critical,
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Images to scan
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    input: Input,
    /// Format of the report on standard output, or of `-o` without a format of its own
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats())]
    format: String,
    /// Write a report to a file instead of standard output; may be given several times
    #[arg(short, long, value_name = "[FORMAT:]FILE")]
    output: Vec<String>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Exit with 1 when there is a finding of this severity or above
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "medium")]
    fail_on: Threshold,
    /// Count work cut short by a limit and locked archives as incomplete
    #[arg(long)]
    strict: bool,
    /// Do not exit with 3 because of what was not read, not understood or damaged
    #[arg(long)]
    accept_gaps: bool,
    /// Show secrets in full; the report is then as secret as they are
    #[arg(long)]
    show_secrets: bool,
    /// Show findings that are only possible, too
    #[arg(long)]
    possible: bool,
    /// Report only these rules, checks or categories
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these rules, checks or categories out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
    /// Further rules, in TOML
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// File whose content keys the fingerprints, so that they compare across images
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Number of threads; 0 is one for each processor
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// No progress and no closing line on standard error
    #[arg(short, long)]
    quiet: bool,
}

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(report::FORMATS.iter().map(|format| format.name))
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let options = options(args)?;
    let engine = Engine::new(&options)?;
    let mut outputs = Outputs::create(&wanted(args)?, args.force)?;
    let mut exit = Exit::Clean;
    for image in &args.images {
        let summary = scan_image(&engine, image, &options, &mut Run { args, outputs: &mut outputs })?;
        if !args.quiet && !args.output.is_empty() {
            output::say(&format!("{}: {}", summary.image, words::decision(&summary)));
        }
        exit = exit.max(summary.exit_reason.into());
    }
    outputs.finish()?;
    Ok(exit)
}

fn wanted(args: &Args) -> Result<Vec<Wanted>> {
    let format = report::format(&args.format)?;
    if args.output.is_empty() {
        return Ok(vec![Wanted::stdout(format)]);
    }
    args.output.iter().map(|value| Wanted::parse(value, format)).collect()
}

fn options(args: &Args) -> Result<Options> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    Ok(Options {
        threads: args.threads,
        show_secrets: args.show_secrets,
        only: args.only.clone(),
        skip: args.skip.clone(),
        key,
        rule_files: args.rules.clone(),
        all_verdicts: args.possible,
        fail_on: args.fail_on.into(),
        strict: args.strict,
        accept_gaps: args.accept_gaps,
        ..args.input.options()
    })
}

/// The key for fingerprints: a hash of the whole file, so that any random content will do.
fn read_key(path: &Path) -> Result<[u8; 32]> {
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

/// What one run writes to.
struct Run<'a> {
    args: &'a Args,
    outputs: &'a mut Outputs,
}

/// Scans one image into the reports. An image that cannot be read is a result, too: its summary says so.
fn scan_image(engine: &Engine, image: &Path, options: &Options, run: &mut Run<'_>) -> Result<Summary> {
    let name = escape(image.file_name().unwrap_or(image.as_os_str()).as_encoded_bytes());
    let progress = Progress::new(&name, run.args.quiet);
    let policy =
        Policy { fail_on: options.fail_on, strict: options.strict, accept_gaps: options.accept_gaps };
    let mut gate = Gate::new(policy);
    let result = scan::run(engine, image, options, &progress, &mut |record| {
        match &record {
            Record::Finding(finding) => gate.count(finding),
            // The gate has a word to say on the summary first.
            Record::Summary(_) => return Ok(()),
            Record::Scan(_) | Record::Gap(_) => {}
        }
        run.outputs.write(&record)
    });
    progress.clear();
    let mut summary = result?;
    gate.judge(&mut summary);
    if let Some(error) = &summary.error {
        output::say(error);
    }
    run.outputs.write(&Record::Summary(&summary))?;
    Ok(summary)
}
