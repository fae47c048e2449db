//! `residue checks`: the checks for leftovers.

use super::exit::Exit;
use crate::error::Result;
use crate::leftover::Catalogue;

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the checks
    List,
}

pub(super) fn run(command: &Command) -> Result<Exit> {
    let Command::List = command;
    let _ = Catalogue::builtin()?;
    Ok(Exit::Clean)
}
