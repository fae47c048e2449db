//! `residue info`: what an image holds, and what a scan would and would not read.

use super::exit::Exit;
use super::input::Input;
use super::output::{self, unwritable};
use crate::container;
use crate::error::Result;
use crate::filesystem::Recognised;
use crate::location::{escape, harmless};
use crate::record::VolumeFacts;
use crate::report::words;
use crate::scan::{self, Disk, OpenVolume};
use crate::volume::VolumeKind;
use clap::ValueEnum;
use serde::Serialize;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a person to read
    Text,
    /// One JSON object
    Json,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Image to read
    image: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Format of the output
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    format: Format,
}

/// What is known of an image without a scan.
#[derive(Debug, Serialize)]
struct Info {
    image: String,
    container: container::Facts,
    scheme: &'static str,
    sector_size: u64,
    notes: Vec<String>,
    volumes: Vec<VolumeInfo>,
}

/// A volume, and how far it is read.
#[derive(Debug, Serialize)]
struct VolumeInfo {
    #[serde(flatten)]
    facts: VolumeFacts,
    /// `read`, `swept` or `opaque`.
    reading: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let disk = scan::open(&args.image, &args.input.options())?;
    let name = args.image.file_name().unwrap_or(args.image.as_os_str());
    let info = info(&disk, escape(name.as_encoded_bytes()));
    let mut out = output::stdout();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &info).map_err(|error| unwritable(error.into()))?;
            out.write_all(b"\n").map_err(unwritable)?;
        }
        Format::Text => out.write_all(text(&info).as_bytes()).map_err(unwritable)?,
    }
    out.flush().map_err(unwritable)?;
    let complete = info.volumes.iter().all(|volume| volume.reading != "opaque");
    Ok(if complete { Exit::Clean } else { Exit::Incomplete })
}

fn info(disk: &Disk, image: String) -> Info {
    Info {
        image,
        container: disk.image.facts().clone(),
        scheme: disk.tiling.scheme,
        sector_size: disk.tiling.sector_size,
        notes: disk.tiling.notes.clone(),
        volumes: disk.volumes.iter().map(volume).collect(),
    }
}

fn volume(mounted: &OpenVolume) -> VolumeInfo {
    let volume = &mounted.volume;
    let reason = mounted.opaque();
    let reading = match (&mounted.content, &reason) {
        (_, Some(_)) => "opaque",
        (Recognised::Opened(_), None) => "read",
        (_, None) => "swept",
    };
    let facts = VolumeFacts {
        name: volume.name.clone(),
        kind: volume.kind.clone(),
        label: volume.label.clone(),
        disk_offset: volume.disk_start(),
        size: volume.size(),
        filesystem: mounted.facts().cloned(),
    };
    VolumeInfo { facts, reading, reason }
}

fn text(info: &Info) -> String {
    let container = &info.container;
    let version =
        container.version.as_deref().map(|version| format!(" version {version}")).unwrap_or_default();
    let mut lines = vec![
        format!("image       {}", info.image),
        format!("container   {}{version}", container.format),
        format!(
            "disk        {} ({} bytes)",
            words::size(container.virtual_size),
            words::grouped(container.virtual_size)
        ),
        format!("stored      {}", words::size(container.stored_size)),
    ];
    let optional = [
        ("compression", &container.compression),
        ("creator", &container.creator),
        ("parent", &container.parent),
    ];
    for (name, value) in optional {
        lines.extend(value.iter().map(|value| format!("{name:<11} {value}")));
    }
    lines.extend(container.identifiers.iter().map(|(name, value)| format!("{name:<11} {value}")));
    if !container.snapshots.is_empty() {
        lines.push(format!("snapshots   {}", container.snapshots.join(", ")));
    }
    lines.push(format!("partitions  {}, sectors of {} bytes", info.scheme, info.sector_size));
    lines.extend(container.notes.iter().chain(&info.notes).map(|note| format!("note        {note}")));
    lines.push(String::new());
    let width =
        info.volumes.iter().map(|volume| volume.facts.name.chars().count()).max().unwrap_or(0).clamp(14, 60);
    lines.push(format!(
        "{:<width$} {:>16} {:>11}  {:<8} {:<7} {}",
        "volume", "disk offset", "size", "holds", "reading", "label, notes"
    ));
    lines.extend(info.volumes.iter().map(|volume| volume_line(volume, width)));
    let mut text = String::new();
    for line in lines {
        text.push_str(harmless(&line).trim_end());
        text.push('\n');
    }
    text
}

fn volume_line(volume: &VolumeInfo, width: usize) -> String {
    let facts = &volume.facts;
    let holds = facts.filesystem.as_ref().map_or_else(
        || match facts.kind {
            VolumeKind::Table => "table",
            VolumeKind::Gap => "nothing",
            _ => "unknown",
        },
        |filesystem| filesystem.kind,
    );
    let label = facts.filesystem.as_ref().and_then(|filesystem| filesystem.label.clone());
    let mut remarks: Vec<String> = facts.label.iter().cloned().chain(label).collect();
    if let Some(filesystem) = &facts.filesystem {
        remarks.extend(filesystem.notes.iter().cloned());
    }
    remarks.extend(volume.reason.clone());
    format!(
        "{:<width$} {:>16} {:>11}  {holds:<8} {:<7} {}",
        facts.name,
        facts.disk_offset,
        words::size(facts.size),
        volume.reading,
        remarks.join("; ")
    )
}
