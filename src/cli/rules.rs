//! `residue rules`: the rules for secrets.

use super::exit::Exit;
use super::output::{self, unwritable};
use crate::detect::{Detector, RuleFacts};
use crate::error::{Error, Kind, Result};
use crate::location::{escape, harmless};
use std::io::Write as _;

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the rules
    List,
    /// Check that all rules load and compile
    Check,
    /// Show what a rule finds and how to remove it
    Explain {
        /// Identifier of the rule
        rule: String,
    },
}

pub(super) fn run(command: &Command) -> Result<Exit> {
    let detector = Detector::builtin()?;
    let rules = detector.rules();
    let text = match command {
        Command::List => rules.iter().map(line).collect(),
        Command::Check => format!("{} rules, {} literals\n", rules.len(), detector.literals().len()),
        Command::Explain { rule } => {
            let facts = rules.iter().find(|facts| facts.id == *rule);
            explain(facts.ok_or_else(|| {
                Error::new(
                    Kind::NotFound,
                    format!("no rule `{}`; `residue rules list` names them", escape(rule.as_bytes())),
                )
            })?)
        }
    };
    let mut out = output::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(Exit::Clean)
}

fn category(facts: &RuleFacts) -> String {
    serde_json::to_value(facts.category)
        .ok()
        .and_then(|value| Some(value.as_str()?.to_owned()))
        .unwrap_or_default()
}

fn line(facts: &RuleFacts) -> String {
    format!("{:<36} {:<24} {}\n", harmless(&facts.id), category(facts), harmless(&facts.title))
}

fn explain(facts: &RuleFacts) -> String {
    let mut text = format!("{}\n  {}\n  category  {}\n", facts.id, harmless(&facts.title), category(facts));
    if let Some(pair) = &facts.pair {
        text.push_str(&format!("  pair      {}\n", harmless(pair)));
    }
    if !facts.remedy.is_empty() {
        text.push_str(&format!("  remedy    {}\n", harmless(&facts.remedy)));
    }
    text
}
