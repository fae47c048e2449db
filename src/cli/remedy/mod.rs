//! `residue remedy`: a clean-up script out of a scan, for a person to review.
//!
//! Names in an image are whatever its owner, or an attacker, made them. The script holds nothing of the
//! evidence but quoted names and comments of plain text on one line.

mod plan;
mod posix;
mod powershell;

use super::exit::Exit;
use super::output::{self, unwritable};
use super::{accepted, wanted::Threshold};
use crate::error::{Error, Kind, Result};
use crate::leftover::Catalogue;
use crate::report::OwnedRecord;
use plan::{Plan, System};
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// A scan, as JSON lines
    #[arg(value_name = "SCAN")]
    scan: PathBuf,
    /// Which image, where the scan is of several: its file name
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// Which script; by default the one for the system that has more findings
    #[arg(long, value_enum)]
    shell: Option<Shell>,
    /// Leave out findings below this severity
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "low")]
    from: Threshold,
}

/// What the script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    /// Linux volumes: POSIX shell
    Posix,
    /// Windows volumes: PowerShell
    Powershell,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let catalogue = Catalogue::builtin()?;
    let mut plans: Vec<Plan> = Vec::new();
    accepted::read(&args.scan, &mut |record| {
        match record {
            OwnedRecord::Scan(header) => plans.push(Plan::new(&header)),
            OwnedRecord::Finding(finding) => {
                if let Some(plan) = plans.last_mut() {
                    plan.take(&catalogue, &finding, args.from.into());
                }
            }
            OwnedRecord::Summary(summary) => {
                if let Some(plan) = plans.last_mut() {
                    plan.end(&summary);
                }
            }
            OwnedRecord::Gap(_) | OwnedRecord::Key(_) | OwnedRecord::History(_) | OwnedRecord::Map(_) => {}
        }
        Ok(())
    })?;
    let plan = choose(plans, args.image.as_deref())?;
    let shell = args.shell.unwrap_or(match plan.system() {
        System::Linux => Shell::Posix,
        System::Windows => Shell::Powershell,
    });
    let text = match shell {
        Shell::Posix => posix::script(&plan),
        Shell::Powershell => powershell::script(&plan),
    };
    let mut out = output::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(Exit::Clean)
}

fn choose(mut plans: Vec<Plan>, image: Option<&str>) -> Result<Plan> {
    if let Some(image) = image {
        plans.retain(|plan| plan.image == image);
    }
    let names: Vec<String> = plans.iter().map(|plan| plan.image.clone()).collect();
    match (plans.pop(), plans.is_empty()) {
        (Some(plan), true) => Ok(plan),
        (None, _) => Err(Error::new(Kind::NotFound, "the scan has no such image")),
        (Some(_), false) => {
            let names = names.join(", ");
            Err(Error::new(
                Kind::Usage,
                format!("the scan is of several images, choose one with --image: {names}"),
            ))
        }
    }
}

/// What is left for people whatever the shell, one line each.
fn plan_notes(plan: &Plan, erase: &str) -> Vec<String> {
    let mut notes = Vec::new();
    for (text, count) in &plan.rotate {
        notes.push(format!("ROTATE ({count}): {text}"));
    }
    if !plan.rotate.is_empty() {
        notes.push(
            "A copy of the image may have left already: removing a secret does not make it safe.".to_owned(),
        );
    }
    if plan.remains > 0 {
        notes.push(format!(
            "DELETED, NOT ERASED: {} findings lie in freed space, which goes out with a raw image.",
            plan.remains
        ));
    }
    if plan.elsewhere > 0 {
        notes.push(format!(
            "OUTSIDE OF FILES: {} findings lie in swap, in tables or between volumes.",
            plan.elsewhere
        ));
    }
    notes.push(
        "What is removed stays in freed space until that is overwritten. Then, in this order:".to_owned(),
    );
    notes.push(format!("  1. overwrite free space: {erase}"));
    notes.push("  2. make swap anew: swapoff, mkswap; or clear the page file at shutdown".to_owned());
    notes.push(
        "  3. export again into a new file, without snapshots: qemu-img convert -O qcow2 OLD NEW".to_owned(),
    );
    notes.push("  4. scan the new file".to_owned());
    for text in &plan.open {
        notes.push(format!("NOT LOOKED AT: {text}"));
    }
    notes
}
