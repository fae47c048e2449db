//! `residue checks`: the checks for leftovers.

use super::exit::Exit;
use super::output::{self, unwritable};
use crate::error::{Error, Kind, Result};
use crate::leftover::{Catalogue, Check};
use crate::location::{escape, harmless};
use crate::report::words;
use std::fmt::Write as _;
use std::io::Write as _;

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the checks
    List,
    /// Show what a check looks at, what it means and how to remove what it finds
    Explain {
        /// Identifier of the check
        check: String,
    },
}

pub(super) fn run(command: &Command) -> Result<Exit> {
    let catalogue = Catalogue::builtin()?;
    let text = match command {
        Command::List => catalogue.checks().iter().map(line).collect(),
        Command::Explain { check } => {
            let found = catalogue.checks().iter().find(|known| known.id == *check);
            explain(found.ok_or_else(|| {
                let check = escape(check.as_bytes());
                Error::new(Kind::NotFound, format!("no check `{check}`; `residue checks list` names them"))
            })?)
        }
    };
    let mut out = output::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(Exit::Clean)
}

fn line(check: &Check) -> String {
    let severity = words::severity(check.severity);
    format!(
        "{:<36} {severity:<8} {:<24} {}\n",
        harmless(&check.id),
        harmless(&check.item),
        harmless(&check.title)
    )
}

/// The severity, and that of special cases.
fn severity(check: &Check) -> String {
    let cases = check.levels.iter().map(|(case, level)| format!("; {case}: {}", words::severity(*level)));
    format!("{}{}", words::severity(check.severity), cases.collect::<String>())
}

fn explain(check: &Check) -> String {
    let mut text = format!("{}\n", harmless(&check.id));
    let facts = [
        ("finds", check.title.clone()),
        ("group", check.group.to_owned()),
        ("answers", check.item.clone()),
        ("severity", severity(check)),
        ("linux", check.linux.join(" ")),
        ("windows", check.windows.join(" ")),
        ("condition", check.conditions.join(", ")),
        ("risk", check.risk.clone()),
        ("remedy", check.remedy.clone()),
        ("rotate", check.rotate.clone()),
        ("maps to", check.maps.join(", ")),
        ("sources", check.sources.join("; ")),
        ("standing", if check.confirmed { String::new() } else { "practitioners' knowledge".to_owned() }),
        ("profile", if check.investigate { "investigate".to_owned() } else { String::new() }),
    ];
    for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(text, "  {name:<11} {}", harmless(&value)).unwrap_or_default();
    }
    text
}
