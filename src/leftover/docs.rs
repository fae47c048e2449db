//! The documentation of the checks, made from the catalogue.

use super::{Action, Catalogue};
use crate::rules::Severity;
use std::fmt::Write as _;

const HEAD: &str = "# Checks

This page is made from `signatures/leftovers/*.toml`; a test keeps it equal to them.

A check ends in one of three states: **clean** (looked at, nothing found), **finding**, and **not evaluated**
with the reason (unreadable, encrypted, no such system on the disk, only for an investigation). What was not
evaluated is never counted as clean.

Paths: `~/` is every home (from `/etc/passwd`, `/root`, `/etc/skel` and every directory of `/home`), `U:/` every
Windows profile, `C:/` the volume with the Windows directory, `?:/` every Windows volume, `**` any depth. Linux
paths are matched byte for byte, Windows paths without regard to case. Everything runs again in systems inside of
the system: container layers, machines, chroots, `Windows.old`, the Windows subsystem for Linux. Symbolic links
resolve inside of the image.

Checks marked † rest on practitioners' knowledge that no published source was found for. Those of an
investigation are made with `--profile investigate` only. Where a script may clean up, `residue remedy` writes it;
everything else it leaves to a person.
";

impl Catalogue {
    /// The page `docs/checks.md`.
    pub fn to_markdown(&self) -> String {
        let mut out = HEAD.to_owned();
        let mut group = "";
        for check in self.checks() {
            if check.group != group {
                group = check.group;
                line(&mut out, &format!("\n## {group}"));
            }
            let mark = if check.confirmed { "" } else { " †" };
            line(&mut out, &format!("\n### `{}`{mark}\n", check.id));
            line(&mut out, &format!("{}. {}.\n", check.title, check.risk.trim_end_matches('.')));
            line(&mut out, &format!("- severity: {}{}", name(check.severity), levels(check)));
            line(&mut out, &format!("- answers: {}", check.item));
            for (os, patterns) in [("Linux", &check.linux), ("Windows", &check.windows)] {
                if !patterns.is_empty() {
                    let quoted: Vec<String> = patterns.iter().map(|text| format!("`{text}`")).collect();
                    line(&mut out, &format!("- {os}: {}", quoted.join(" ")));
                }
            }
            line(&mut out, &format!("- condition: {}", conditions(check)));
            line(&mut out, &format!("- remedy: {}{}", check.remedy, script(check)));
            if check.investigate {
                line(&mut out, "- profile: investigate");
            }
            for (label, text) in [("rotate", check.rotate.clone()), ("maps to", check.maps.join(", "))] {
                if !text.is_empty() {
                    line(&mut out, &format!("- {label}: {text}"));
                }
            }
        }
        out
    }
}

/// What a script does, in brackets.
fn script(check: &super::Check) -> &'static str {
    match check.action {
        Action::Hand => "",
        Action::Remove => " (script: removes it)",
        Action::Empty => " (script: makes it empty)",
        Action::Lock => " (script: takes the password away)",
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").unwrap_or_default();
}

fn conditions(check: &super::Check) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in &check.conditions {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn levels(check: &super::Check) -> String {
    if check.levels.is_empty() {
        return String::new();
    }
    let all: Vec<String> =
        check.levels.iter().map(|(case, severity)| format!("{case}: {}", name(*severity))).collect();
    format!(" ({})", all.join(", "))
}

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}
