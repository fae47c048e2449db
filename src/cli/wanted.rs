//! Arguments that say which reports are written; the same for a scan and for an earlier scan's records.

use super::output::{Outputs, Wanted};
use crate::error::Result;
use crate::report;
use crate::rules::Severity;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;

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

/// Which reports are written, and where to.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Reports {
    /// Format of the report on standard output, or of `-o` without a format of its own
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats())]
    format: String,
    /// Write a report to a file instead of standard output; may be given several times
    #[arg(short, long, value_name = "[FORMAT:]FILE")]
    output: Vec<String>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(report::FORMATS.iter().map(|format| format.name))
}

impl Reports {
    /// What is asked for.
    pub(super) fn wanted(&self) -> Result<Vec<Wanted>> {
        let format = report::format(&self.format)?;
        if self.output.is_empty() {
            return Ok(vec![Wanted::stdout(format)]);
        }
        self.output.iter().map(|value| Wanted::parse(value, format)).collect()
    }

    /// Starts the reports in `wanted`.
    pub(super) fn create(&self, wanted: &[Wanted]) -> Result<Outputs> {
        Outputs::create(wanted, self.force)
    }

    /// Whether every report goes to a file.
    pub(super) fn is_silent(&self) -> bool {
        !self.output.is_empty()
    }
}

/// What decides the exit code.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Rules {
    /// Exit with 1 when there is a finding of this severity or above
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "medium")]
    pub fail_on: Threshold,
    /// Count work cut short by a limit, locked archives and checks that are not built as incomplete
    #[arg(long)]
    pub strict: bool,
    /// Do not exit with 3 because of what was not read, not understood, damaged or not checked
    #[arg(long)]
    pub accept_gaps: bool,
    /// Accept the findings that this allow-list names; may be given several times
    #[arg(long, value_name = "FILE")]
    pub allow: Vec<std::path::PathBuf>,
    /// Fail only on findings that this earlier scan (JSON lines) does not have
    #[arg(long, value_name = "SCAN")]
    pub baseline: Option<std::path::PathBuf>,
}
