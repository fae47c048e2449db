//! `residue keys`: which key opens which account on which image, from the records of scans.

use super::accepted;
use super::exit::Exit;
use super::output::{self, unwritable};
use crate::error::Result;
use crate::keys::{Graph, KeyFact, show};
use crate::report::{self, OwnedRecord};
use clap::ValueEnum;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a person to read
    Text,
    /// One JSON object with all keys
    Json,
    /// For Graphviz: `| dot -Tsvg`
    Dot,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Scans, as JSON lines
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    /// Format of the output
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    format: Format,
    /// Show keys, too, that no image holds and that open nothing
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut graph = Graph::default();
    for path in &args.scans {
        let mut image = String::new();
        accepted::read(path, &mut |record| {
            match record {
                OwnedRecord::Scan(header) => image = graph.image(&header.image),
                OwnedRecord::Key(fact) => graph.add(KeyFact { image: image.clone(), ..*fact }),
                _ => {}
            }
            Ok(())
        })?;
    }
    let images: Vec<String> = graph.images().map(str::to_owned).collect();
    let keys = graph.finish();
    let mut out = output::stdout();
    match args.format {
        Format::Text => show::text(&mut out, images.len(), &keys, args.all),
        Format::Dot => show::dot(&mut out, &keys, args.all),
        Format::Json => report::write_line(&mut out, &json!({ "schema": 1, "images": images, "keys": keys })),
    }
    .and_then(|()| out.flush())
    .map_err(unwritable)?;
    Ok(Exit::Clean)
}
