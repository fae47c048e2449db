//! `residue allow`: writes an entry of an allow-list.

use super::accepted;
use super::exit::Exit;
use super::output::{self, unwritable};
use crate::error::{Error, Kind, Result};
use crate::location::escape;
use crate::report::{self, OwnedRecord, words};
use jiff::civil::Date;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Scan that has the finding, as JSON lines
    scan: PathBuf,
    /// Identifier of the finding; may be given several times
    #[arg(long, required = true)]
    id: Vec<String>,
    /// Why it is accepted
    #[arg(long)]
    reason: String,
    /// Who answers for it
    #[arg(long)]
    owner: String,
    /// Last day on which the entry holds, as YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    expires: Date,
    /// Add the entry to this allow-list instead of printing it
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut missing = args.id.clone();
    let mut text = String::new();
    accepted::read(&args.scan, &mut |record| {
        if let OwnedRecord::Finding(finding) = &record
            && let Some(at) = missing.iter().position(|id| *id == finding.id)
        {
            missing.remove(at);
            text.push_str(&format!("# {} at {}\n", finding.title, words::place(&finding.place)));
            text.push_str(&report::allow_entry(&finding.id, &args.reason, &args.owner, args.expires));
            text.push('\n');
        }
        Ok(())
    })?;
    if let Some(id) = missing.first() {
        let message = format!("the scan has no finding with id {}", escape(id.as_bytes()));
        return Err(Error::new(Kind::NotFound, message).in_file(&args.scan));
    }
    // An entry that would not load is refused before it is written.
    report::AllowList::default().add(&text)?;
    match &args.to {
        None => {
            let mut out = output::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
        }
        Some(path) => {
            let before = match std::fs::read_to_string(path) {
                Ok(before) => before,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(Error::io("cannot read the allow-list", error).in_file(path)),
            };
            report::AllowList::default().add(&before).map_err(|error| error.in_file(path))?;
            let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
            output::write_file(path, format!("{before}{gap}{text}").as_bytes(), true)?;
        }
    }
    Ok(Exit::Clean)
}
