//! Completion scripts and the manual page, made from the definition of the command line.

use super::Cli;
use super::exit::Exit;
use super::output::{self, unwritable};
use crate::error::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Shell that the script is for
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    // The generator itself stops the process when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "residue", &mut script);
    write(&script)
}

/// The manual page of the program, with a section for each command behind it.
pub(super) fn manual() -> Result<Exit> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(unwritable)?;
    sections(&command, &mut page)?;
    write(&page)
}

/// The sections of all commands below one, each followed by those below it.
fn sections(command: &clap::Command, page: &mut Vec<u8>) -> Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        clap_mangen::Man::new(sub.clone()).render(page).map_err(unwritable)?;
        sections(sub, page)?;
    }
    Ok(())
}

fn write(bytes: &[u8]) -> Result<Exit> {
    let mut out = output::stdout();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(Exit::Clean)
}
