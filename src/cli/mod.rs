//! The command line: one file a command.
//!
//! Results go to standard output, everything else to standard error, one line a message. What comes from
//! the evidence is escaped before it reaches a terminal.

mod accepted;
mod allow;
mod cat;
mod checks;
mod completions;
mod crosscheck;
mod diff;
mod entries;
mod exit;
mod images;
mod info;
mod input;
mod keys;
mod listing;
mod ls;
mod member;
mod output;
mod overview;
mod policy;
mod progress;
mod recover;
mod remedy;
mod report;
mod resolve;
mod rules;
mod rules_cost;
mod scan;
mod wanted;

use crate::error::Result;
use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// Finds the secrets and leftovers that would ship with a disk image, in every byte of it.
///
/// Images are opened read-only and in place; nothing is mounted, written or sent anywhere.
#[derive(Debug, Parser)]
#[command(name = "residue", version, propagate_version = true, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan images for secrets and leftovers
    Scan(Box<scan::Args>),
    /// Show what an image holds, and what would and would not be read
    Info(info::Args),
    /// List the entries of an image's file systems
    Ls(ls::Args),
    /// Write the bytes of a file, stream or range of an image to standard output
    Cat(cat::Args),
    /// Read every file a second time with an independent reader, and compare
    Crosscheck(crosscheck::Args),
    /// Write reports of an earlier scan, without the image
    Report(report::Args),
    /// Compare two scans or two images: what is gone, what is new, what only moved
    Diff(diff::Args),
    /// Show which key opens which account on which image, from the records of scans
    Keys(keys::Args),
    /// Write a clean-up script out of a scan, for a person to review
    Remedy(remedy::Args),
    /// Write an allow-list entry for a finding
    Allow(allow::Args),
    /// Show or check the rules for secrets
    #[command(subcommand)]
    Rules(rules::Command),
    /// Show the checks for leftovers
    #[command(subcommand)]
    Checks(checks::Command),
    /// Print policies that forbid the export and sharing of images, or check those in force
    Policy(policy::Args),
    /// Print a completion script for a shell
    #[command(hide = true)]
    Completions(completions::Args),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to the parser; only real mistakes have another exit code.
            let code = if error.use_stderr() { Exit::Unreadable } else { Exit::Clean };
            return if error.print().is_err() { Exit::Unreadable.into() } else { code.into() };
        }
    };
    match run(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) if output::is_broken_pipe(&error) => Exit::Incomplete.into(),
        Err(error) => {
            output::complain(&error);
            Exit::Unreadable.into()
        }
    }
}

fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Scan(args) => scan::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Ls(args) => ls::run(&args),
        Command::Cat(args) => cat::run(&args),
        Command::Crosscheck(args) => crosscheck::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Remedy(args) => remedy::run(&args),
        Command::Allow(args) => allow::run(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Checks(command) => checks::run(&command),
        Command::Policy(args) => policy::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man => completions::manual(),
    }
}
