//! Linux software RAID: the superblocks of members, and mirrors read through one half (`linux/raid/md_p.h`;
//! kernel documentation, "RAID arrays"; md(4)).
//!
//! Of other levels the members are named only. Versions 0.90 and 1.0 keep their superblock near the end, so that
//! the half of a mirror looks like the file system in it.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)
)]

use super::{Area, Reading, Volume, VolumeKind, VolumeReader};
use crate::error::Result;
use crate::io::{Fields, ReadAt, read_vec};
use crate::location::{State, escape};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Name of the volume system.
pub(super) const SYSTEM: &str = "md-raid";
const MAGIC: u32 = 0xa92b_4efc;
const SECTOR: u64 = 512;
/// Roles of members that hold no data: spare, faulty, journal.
const ROLES: u16 = 0xfff0;

/// What a superblock says of its member.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    /// The array's identifier.
    array: [u8; 16],
    /// The array's name without the host's; empty where it has none.
    name: String,
    version: &'static str,
    level: i32,
    /// Members that the array was made for.
    devices: u32,
    /// This member's number in the array; `None` for a spare or a member that failed.
    role: Option<u16>,
    /// Whether all of the data is there: no rebuild and no change of shape under way.
    whole: bool,
    /// Counts the changes of the array; a member that lags behind fell out.
    events: u64,
    /// Where the data lies in the volume.
    start: u64,
    length: u64,
    /// Offset of the superblock.
    at: u64,
}

impl Member {
    /// The array as findings call it.
    fn array_name(&self) -> String {
        let name = if self.name.is_empty() {
            self.array.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
        } else {
            escape(self.name.as_bytes())
        };
        format!("md:{name}")
    }

    fn level_name(&self) -> String {
        match self.level {
            -1 => "linear".to_owned(),
            level => format!("RAID {level}"),
        }
    }
}

/// Finds the members among those of `volumes` that are to be looked at, marks them as what they are, and returns
/// the data of mirrors as volumes.
pub(super) fn assemble(
    disk: &Arc<dyn ReadAt>,
    volumes: &mut [Volume],
    notes: &mut Vec<String>,
) -> Vec<Volume> {
    let mut arrays: BTreeMap<[u8; 16], Vec<(usize, Member)>> = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate().filter(|(_, volume)| super::layers::is_open(volume)) {
        let reader = VolumeReader::new(disk.clone(), volume.clone());
        let Some(member) = look(&reader) else { continue };
        // In versions 1.1 and 1.2 the data begins later: what starts here was made over the old member.
        if member.start > 0 && super::sniff::file_system(&reader) {
            notes.push(format!("{} was a member of an array before it got its file system", volume.name));
            continue;
        }
        arrays.entry(member.array).or_default().push((index, member));
    }
    arrays.into_values().filter_map(|members| array(&members, volumes, notes)).collect()
}

/// Marks the members of one array; the array's data where it is a mirror.
fn array(members: &[(usize, Member)], volumes: &mut [Volume], notes: &mut Vec<String>) -> Option<Volume> {
    let latest = members.iter().map(|(_, member)| member.events).max().unwrap_or(0);
    let is_half = |member: &Member| member.level == 1 && member.role.is_some() && member.whole;
    let mut halves = members.iter().filter(|(_, member)| is_half(member) && member.events == latest);
    let read = halves.next();
    let mut data = None;
    for (index, member) in members {
        let Some(volume) = volumes.get_mut(*index) else { continue };
        let name = member.array_name();
        volume.areas = areas(member, volume.size());
        volume.reading = match read {
            Some((chosen, _)) if chosen == index => {
                let mut segments = Vec::new();
                volume.carve(member.start..member.start.saturating_add(member.length), 0, &mut segments);
                data = Some(Volume::new(name, VolumeKind::Logical, member.length, segments));
                Reading::Member(SYSTEM)
            }
            Some(_) if is_half(member) => {
                let note = copy_note(member, latest, &name);
                notes.push(format!("{} is {note}", volume.name));
                Reading::Copy { system: SYSTEM, of: name, offset: member.start, note }
            }
            _ => Reading::Opaque { kind: SYSTEM, reason: unread(member, &name) },
        };
    }
    data
}

fn copy_note(member: &Member, latest: u64, name: &str) -> String {
    if member.events == latest {
        return format!("another half of the mirror {name}; its file system is read once");
    }
    format!(
        "a half of the mirror {name} that fell out at event {}, of {latest}: swept as it is",
        member.events
    )
}

fn unread(member: &Member, name: &str) -> String {
    let Member { devices, version, .. } = member;
    let level = member.level_name();
    match member.role {
        None => format!("a spare or failed member of the {level} array {name}"),
        Some(role) if member.level == 1 => format!("half {role} of the mirror {name}, not yet filled"),
        Some(role) => {
            format!("member {role} of the {level} array {name} of {devices}, metadata {version}: not read")
        }
    }
}

/// What the bytes outside of the data are.
fn areas(member: &Member, size: u64) -> Vec<Area> {
    let end = member.start.saturating_add(member.length).min(size);
    let area =
        |start: u64, end: u64| (start < end).then_some(Area { range: start..end, state: State::Metadata });
    area(0, member.start.min(size)).into_iter().chain(area(end, size)).collect()
}

/// The superblock of a volume, at whichever place it has one.
fn look(volume: &dyn ReadAt) -> Option<Member> {
    let size = volume.size();
    // Version 1.0: at least 8 KiB from the end, on a multiple of 4 KiB.
    let near_end = (size / SECTOR).checked_sub(16).map(|sector| (sector & !7).saturating_mul(SECTOR));
    let places = [(Some(0), "1.1"), (Some(4096), "1.2"), (near_end, "1.0")];
    let version_1 =
        places.into_iter().find_map(|(at, version)| version_1(volume, at?, version).ok().flatten());
    // Version 0.90: the last whole 64 KiB.
    let last = (size & !0xffff).checked_sub(0x1_0000);
    version_1.or_else(|| version_0(volume, last?).ok().flatten()).filter(|member| member.start < size)
}

fn version_1(volume: &dyn ReadAt, at: u64, version: &'static str) -> Result<Option<Member>> {
    let bytes = read_vec(volume, at, 4096)?;
    let fields = Fields::new("RAID superblock", &bytes, at);
    // A superblock names its own sector; elsewhere it is a copy in a file.
    let here = fields.le_u64(144)?.checked_mul(SECTOR) == Some(at);
    if fields.le_u32(0)? != MAGIC || fields.le_u32(4)? != 1 || !here {
        return Ok(None);
    }
    let features = fields.le_u32(8)?;
    let number = usize::try_from(fields.le_u32(160)?).unwrap_or(usize::MAX);
    let role = number.checked_mul(2).and_then(|at| fields.le_u16(at.checked_add(256)?).ok());
    let used = fields.le_u64(80)?;
    let data = fields.le_u64(136)?;
    let name = fields.bytes(32, 32)?.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = name.rsplit(|&byte| byte == b':').next().unwrap_or_default();
    /// Bits of the features: a rebuild, a change of shape.
    const UNDER_WAY: u32 = 2 | 4;
    Ok(Some(Member {
        array: fields.array(16)?,
        name: String::from_utf8_lossy(name).into_owned(),
        version,
        level: fields.le_i32(72)?,
        devices: fields.le_u32(92)?,
        role: role.filter(|&role| role < ROLES),
        whole: features & UNDER_WAY == 0,
        events: fields.le_u64(200)?,
        start: fields.le_u64(128)?.saturating_mul(SECTOR),
        length: if used == 0 { data } else { used.min(data) }.saturating_mul(SECTOR),
        at,
    }))
}

fn version_0(volume: &dyn ReadAt, at: u64) -> Result<Option<Member>> {
    let bytes = read_vec(volume, at, 4096)?;
    let fields = Fields::new("RAID superblock", &bytes, at);
    if fields.le_u32(0)? != MAGIC || (fields.le_u32(4)?, fields.le_u32(8)?) != (0, 90) {
        return Ok(None);
    }
    let mut array = [0; 16];
    for (part, word) in array.as_chunks_mut::<4>().0.iter_mut().zip([20, 52, 56, 60]) {
        *part = fields.le_u32(word)?.to_be_bytes();
    }
    /// The descriptor of this member, and the bits of its state: failed, and in step with the others.
    const SELF: usize = 3968;
    const FAILED: u32 = 1;
    const IN_SYNC: u32 = 4;
    let (role, state) = (fields.le_u32(SELF.saturating_add(12))?, fields.le_u32(SELF.saturating_add(16))?);
    let devices = fields.le_u32(40)?;
    let sound = state & FAILED == 0 && state & IN_SYNC != 0 && role < devices;
    Ok(Some(Member {
        array,
        name: String::new(),
        version: "0.90",
        level: fields.le_i32(28)?,
        devices,
        role: u16::try_from(role).ok().filter(|_| sound),
        whole: true,
        events: u64::from(fields.le_u32(156)?) | u64::from(fields.le_u32(160)?) << 32,
        start: 0,
        length: u64::from(fields.le_u32(32)?).saturating_mul(1024).min(at),
        at,
    }))
}
