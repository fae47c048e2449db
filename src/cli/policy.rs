//! `residue policy`: documents that forbid the export and sharing of images, and a check of those in force.

use super::exit::Exit;
use super::output::{self, unwritable};
use crate::error::{Error, Kind, Result};
use crate::location::{escape, harmless};
use crate::policy::{self, DOCUMENTS, Decision, Document, Verdict};
use clap::builder::PossibleValuesParser;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print these documents only; one alone is printed as plain JSON
    #[arg(value_name = "NAME", value_parser = names())]
    names: Vec<String>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Say of each action whether these policy documents together deny it, allow it or leave it open
    Check {
        /// Policy documents, in JSON
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(DOCUMENTS.iter().map(|document| document.name))
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let (text, exit) = match &args.command {
        None => (print(&args.names), Exit::Clean),
        Some(Command::Check { files, json }) => check(files, *json)?,
    };
    let mut out = output::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(exit)
}

/// The documents of these names, all without any. Several have their name and purpose in front.
fn print(names: &[String]) -> String {
    let is_wanted = |document: &&Document| names.is_empty() || names.iter().any(|name| name == document.name);
    let wanted: Vec<&Document> = DOCUMENTS.iter().filter(is_wanted).collect();
    if let [document] = wanted.as_slice() {
        return document.text.to_owned();
    }
    let parts = wanted.iter().map(|one| format!("# {}: {}\n{}", one.name, one.purpose, one.text));
    parts.collect::<Vec<_>>().join("\n")
}

fn check(files: &[PathBuf], json: bool) -> Result<(String, Exit)> {
    let documents: Vec<(String, String)> = files.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let verdicts = policy::check(&documents)?;
    let is_denied = |verdict: &Verdict| matches!(verdict.decision, Decision::Denied { .. });
    // What is not denied is a finding: a gate can ask with this command.
    let exit = if verdicts.iter().all(is_denied) { Exit::Clean } else { Exit::Findings };
    let text = if json {
        let text = serde_json::to_string_pretty(&verdicts)
            .map_err(|source| Error::new(Kind::Io, "cannot write JSON").with_source(source))?;
        format!("{text}\n")
    } else {
        verdicts.iter().map(line).collect()
    };
    Ok((text, exit))
}

fn read(path: &Path) -> Result<(String, String)> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::io("cannot read the policy document", source).in_file(path))?;
    Ok((escape(path.as_os_str().as_encoded_bytes()), text))
}

fn line(verdict: &Verdict) -> String {
    let (word, why) = match &verdict.decision {
        Decision::Denied { by } => ("denied", by.clone()),
        Decision::DeniedInPart { by, only } => ("in part", format!("{by} denies it only for: {only}")),
        Decision::Allowed { by, only: None } => ("ALLOWED", by.clone()),
        Decision::Allowed { by, only: Some(only) } => ("ALLOWED", format!("{by}, for: {only}")),
        Decision::Open => ("open", "no statement names it: another policy may allow it".to_owned()),
    };
    format!("{word:<8} {:<50} {}\n", verdict.action, harmless(&why))
}
