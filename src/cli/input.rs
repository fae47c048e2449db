//! Arguments that say how an image is opened; the same for every command that reads one.

use crate::container;
use crate::io::Access;
use crate::scan::Options;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// How bytes get into memory.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Io {
    /// Mapped for files on local file systems, read otherwise
    #[default]
    Auto,
    /// Mapped into memory
    Mmap,
    /// Read with pread
    Pread,
}

/// How to open an image.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Input {
    /// Container format of the image; recognised by its content otherwise
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    container: Option<String>,
    /// How the image's bytes are read
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    io: Io,
    /// Parent (backing file) that the image may use; may be given several times
    #[arg(long, value_name = "FILE")]
    parent: Vec<PathBuf>,
    /// Take parents from the image's own directory by their bare name
    #[arg(long)]
    allow_siblings: bool,
    /// Scan what an image holds itself when its parent is not given; the rest counts as unread
    #[arg(long)]
    delta_only: bool,
}

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(container::FORMATS.iter().map(|format| format.name))
}

impl Input {
    /// The options for opening an image.
    pub(super) fn options(&self) -> Options {
        let access = match self.io {
            Io::Auto => Access::Auto,
            Io::Mmap => Access::Mapped,
            Io::Pread => Access::Pread,
        };
        Options {
            container: self.container.clone(),
            access,
            parents: self.parent.clone(),
            allow_siblings: self.allow_siblings,
            delta_only: self.delta_only,
            ..Options::default()
        }
    }
}
