//! `residue report`: reports of an earlier scan, without the image.

use super::accepted;
use super::exit::Exit;
use super::output;
use super::wanted::{Reports, Rules};
use crate::error::Result;
use crate::record::Record;
use crate::report::{Gate, OwnedRecord};
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Scans to report on, as JSON lines
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    rules: Rules,
}

/// Judges the findings again, under the rules of this command line.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut accepted = args.rules.accepted()?;
    let wanted = args.reports.wanted()?;
    for wanted in wanted.iter().filter(|wanted| wanted.entries()) {
        output::say(&format!(
            "{}: a scan's records hold findings only; `residue scan` writes all entries",
            wanted.name()
        ));
    }
    let mut outputs = args.reports.create(&wanted)?;
    let mut exit = Exit::Clean;
    for path in &args.scans {
        let mut gate = Gate::new(args.rules.policy());
        accepted::read(path, &mut |record| match record {
            OwnedRecord::Finding(mut finding) => {
                accepted.mark(&mut finding);
                gate.count(&finding);
                outputs.write(&Record::Finding(&finding))
            }
            OwnedRecord::Summary(mut summary) => {
                std::mem::replace(&mut gate, Gate::new(args.rules.policy())).judge(&mut summary);
                // What the scan itself had to say stays; the allow-list is that of this command line.
                summary.notes.retain(|note| !note.starts_with("allow-list: "));
                summary.notes.extend(accepted.allow.notes(accepted.today));
                accepted.allow.restart();
                exit = exit.max(summary.exit_reason.into());
                outputs.write(&Record::Summary(&summary))
            }
            other => outputs.write(&other.borrow()),
        })?;
    }
    outputs.finish()?;
    Ok(exit)
}
