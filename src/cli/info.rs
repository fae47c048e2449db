//! `residue info`: what an image holds, and what a scan would and would not read.

use super::exit::Exit;
use super::input::Input;
use super::output::{self, unwritable};
use crate::container;
use crate::error::Result;
use crate::filesystem::Recognised;
use crate::io::Backing;
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
    allocation: Allocation,
    scheme: &'static str,
    sector_size: u64,
    notes: Vec<String>,
    volumes: Vec<VolumeInfo>,
}

/// How much of the disk the container stores, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Allocation {
    /// Bytes of the disk that are stored, compressed or not.
    allocated: u64,
    /// Bytes of the disk that are stored compressed.
    compressed: u64,
    /// Bytes of the disk that cannot be had: in a parent that was not given, or lost.
    missing: u64,
    /// Bytes of the container's files that are neither disk nor tables; absent where they cannot be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<u64>,
}

/// What is said of an image that does not open.
#[derive(Debug, Serialize)]
struct Refused<'a> {
    image: &'a str,
    error: String,
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
    let name = escape(args.image.file_name().unwrap_or(args.image.as_os_str()).as_encoded_bytes());
    let mut out = output::stdout();
    let disk = match scan::open(&args.image, &args.input.options()) {
        Ok(disk) => disk,
        Err(error) => {
            if matches!(args.format, Format::Json) {
                let refused = Refused { image: &name, error: error.to_string() };
                serde_json::to_writer_pretty(&mut out, &refused).map_err(|error| unwritable(error.into()))?;
                out.write_all(b"\n").and_then(|()| out.flush()).map_err(unwritable)?;
            }
            return Err(error);
        }
    };
    let info = info(&disk, name);
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &info).map_err(|error| unwritable(error.into()))?;
            out.write_all(b"\n").map_err(unwritable)?;
        }
        Format::Text => out.write_all(text(&info).as_bytes()).map_err(unwritable)?,
    }
    out.flush().map_err(unwritable)?;
    let complete = info.volumes.iter().all(|volume| volume.reading != "opaque")
        && info.container.unread.is_empty()
        && info.allocation.missing == 0;
    Ok(if complete { Exit::Clean } else { Exit::Incomplete })
}

fn info(disk: &Disk, image: String) -> Info {
    Info {
        image,
        container: disk.image.facts().clone(),
        allocation: allocation(disk),
        scheme: disk.tiling.scheme,
        sector_size: disk.tiling.sector_size,
        notes: disk.tiling.notes.clone(),
        volumes: disk.volumes.iter().map(volume).collect(),
    }
}

/// Walks the tables of the container; nothing of the disk's bytes is read.
fn allocation(disk: &Disk) -> Allocation {
    let mut allocation = Allocation::default();
    let image = disk.image.as_ref();
    let mut at = 0u64;
    while at < image.size() {
        let rest = image.size().saturating_sub(at);
        let Ok(extent) = image.map(at, rest) else {
            allocation.missing = allocation.missing.saturating_add(rest);
            break;
        };
        let length = extent.length.clamp(1, rest);
        let stored = match extent.backing {
            Backing::Hole => 0,
            Backing::Missing { .. } => {
                allocation.missing = allocation.missing.saturating_add(length);
                0
            }
            Backing::Stored { .. } => length,
            Backing::Encoded { .. } => {
                allocation.compressed = allocation.compressed.saturating_add(length);
                length
            }
        };
        allocation.allocated = allocation.allocated.saturating_add(stored);
        at = at.saturating_add(length);
    }
    // A tree of files has no places of its own, and nothing in it is compressed by a container.
    if image.is_logical() || image.facts().compression.is_none() {
        allocation.compressed = 0;
    }
    allocation.outside = image.residual().ok().map(|all| {
        let remains = all.iter().flat_map(|residual| &residual.remains);
        remains
            .map(|remains| remains.range.end.saturating_sub(remains.range.start))
            .fold(0, u64::saturating_add)
    });
    allocation
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
        disk_offset: mounted.disk_offset(),
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
        format!(
            "stored      {} ({} bytes)",
            words::size(container.stored_size),
            words::grouped(container.stored_size)
        ),
        allocated(&info.allocation),
    ];
    if !container.wrapping.is_empty() {
        lines.insert(1, format!("wrapping    {}", container.wrapping.join(", ")));
    }
    if let Some(outside) = info.allocation.outside.filter(|&outside| outside > 0) {
        lines.push(format!("outside     {} of the file are neither disk nor tables", words::size(outside)));
    }
    let none = "none".to_owned();
    // The header names a method whether or not anything is compressed by it.
    let compression = container.compression.as_ref().map(|method| match info.allocation.compressed {
        0 => format!("none (type {method})"),
        _ => method.clone(),
    });
    let always = [
        ("compression", compression.as_ref().unwrap_or(&none)),
        ("encryption", container.encryption.as_ref().unwrap_or(&none)),
        ("parent", container.parent.as_ref().unwrap_or(&none)),
    ];
    lines.extend(always.map(|(name, value)| format!("{name:<11} {value}")));
    lines.extend(container.creator.iter().map(|creator| format!("creator     {creator}")));
    lines.extend(container.identifiers.iter().map(|(name, value)| format!("{name:<11} {value}")));
    if !container.snapshots.is_empty() {
        lines.push(format!("snapshots   {}", container.snapshots.join(", ")));
    }
    lines.extend(container.unread.iter().map(|reason| format!("not read    {reason}")));
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

fn allocated(allocation: &Allocation) -> String {
    let size = words::size;
    let mut line = format!("allocated   {}", size(allocation.allocated));
    if allocation.compressed > 0 {
        line.push_str(&format!(", {} of it compressed", size(allocation.compressed)));
    }
    if allocation.missing > 0 {
        line.push_str(&format!("; {} cannot be had", size(allocation.missing)));
    }
    line
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
