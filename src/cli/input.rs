//! Arguments that say how an image is opened; the same for every command that reads one.

use crate::container::{self, Spool};
use crate::io::Access;
use crate::location::harmless;
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
    /// Folder to unpack compressed images into, as a file without a name
    #[arg(long, value_name = "FOLDER")]
    spool_dir: Option<PathBuf>,
    /// Bytes of disk space that unpacking may take, also as 500M, 20G or 1T
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_spool: Option<u64>,
}

/// A number of bytes, with a suffix for multiples of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    number.filter(|&bytes| bytes > 0).ok_or_else(|| {
        format!("expected a number of bytes above zero, also with K, M, G or T, found `{}`", harmless(text))
    })
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
        let spool = Spool::default();
        Options {
            container: self.container.clone(),
            access,
            parents: self.parent.clone(),
            allow_siblings: self.allow_siblings,
            delta_only: self.delta_only,
            spool: Spool {
                folder: self.spool_dir.clone(),
                bytes_max: self.max_spool.unwrap_or(spool.bytes_max),
                ..spool
            },
            ..Options::default()
        }
    }
}
