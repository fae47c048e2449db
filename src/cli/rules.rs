//! `residue rules`: the rules for secrets.

use super::exit::Exit;
use super::output::{self, unwritable};
use crate::detect::{Detector, check};
use crate::error::{Error, Kind, Result};
use crate::location::{escape, harmless};
use crate::report::words;
use crate::rules::{Allowlist, Rule};
use crate::scan;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the rules
    List {
        /// Further rules, in TOML
        #[arg(long = "rules", value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Check that rules load, compile, and find what their own examples say
    Check {
        /// Rule files to check together with the built-in rules
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Measure what rules and their keywords cost on an image or any other file
    Cost(super::rules_cost::Args),
    /// Show what a rule finds and how to remove it
    Explain {
        /// Identifier of the rule
        rule: String,
        /// Further rules, in TOML
        #[arg(long = "rules", value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(command: &Command) -> Result<Exit> {
    let files = match command {
        Command::List { files } | Command::Check { files } | Command::Explain { files, .. } => files,
        Command::Cost(arguments) => return super::rules_cost::run(arguments),
    };
    let set = scan::rules(files)?;
    for warning in set.warnings() {
        output::say(warning);
    }
    let mut exit = Exit::Clean;
    let text = match command {
        Command::List { .. } => set.rules().iter().map(line).collect(),
        Command::Check { .. } => {
            let count = set.rules().len();
            let detector = Detector::new(set)?;
            let problems = check(&detector);
            for problem in &problems {
                output::say(&problem.to_string());
            }
            if !problems.is_empty() {
                exit = Exit::Findings;
            }
            format!("{count} rules, {} literals, {} problems\n", detector.literals().len(), problems.len())
        }
        Command::Cost(_) => String::new(),
        Command::Explain { rule, .. } => explain(set.get(rule).ok_or_else(|| {
            let rule = escape(rule.as_bytes());
            Error::new(Kind::NotFound, format!("no rule `{rule}`; `residue rules list` names them"))
        })?),
    };
    let mut out = output::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(exit)
}

fn line(rule: &Rule) -> String {
    let severity = words::severity(rule.severity);
    format!(
        "{:<36} {severity:<8} {:<24} {}\n",
        harmless(&rule.id),
        rule.category,
        harmless(&rule.description)
    )
}

fn explain(rule: &Rule) -> String {
    let mut text = format!("{}\n", harmless(&rule.id));
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let facts = [
        ("finds", rule.description.clone()),
        ("category", rule.category.to_string()),
        ("severity", words::severity(rule.severity).to_owned()),
        ("verdict", words::verdict(rule.verdict).to_owned()),
        ("regex", rule.regex.clone()),
        ("walker", optional(&rule.walker)),
        ("value", optional(&rule.value)),
        ("keywords", rule.keywords.join(", ")),
        (
            "entropy",
            rule.entropy.map_or_else(String::new, |least| format!("{least} bits a character at least")),
        ),
        ("path", optional(&rule.path)),
        ("validators", rule.validators.join(", ")),
        ("never with", rule.stopwords.join(", ")),
        ("not where", rule.allowlists.iter().map(allowed).collect::<Vec<_>>().join("; ")),
        ("pair", optional(&rule.pair)),
        ("remedy", rule.remedy.clone()),
        ("source", rule.source.clone()),
    ];
    let matches = rule.matches.iter().map(|example| ("matches", example.text.clone()));
    let near_misses = rule.near_misses.iter().map(|example| ("not", example.text.clone()));
    let facts = facts.into_iter().chain(matches).chain(near_misses);
    for (name, value) in facts.filter(|(_, value)| !value.is_empty()) {
        writeln!(text, "  {name:<11} {}", harmless(&value)).unwrap_or_default();
    }
    text
}

/// What an allowlist leaves out, in a few words.
fn allowed(list: &Allowlist) -> String {
    let parts = [&list.regexes, &list.stopwords, &list.paths].into_iter().flatten();
    let joined = parts.map(String::as_str).collect::<Vec<_>>().join(" | ");
    if list.description.is_empty() { joined } else { format!("{} ({joined})", list.description) }
}
