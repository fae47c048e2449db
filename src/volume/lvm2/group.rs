//! A volume group: its physical volumes, logical volumes and their segments (LVM2, `lib/format_text`).

use super::text::{Section, Value};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;

const SECTOR: u64 = 512;
/// Logical volumes of a group; one of more would be no help to anybody.
const VOLUMES_MAX: usize = 4096;

/// A volume group as its text describes it, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) extent: u64,
    /// By the names that segments use (`pv0` …).
    pub(super) members: BTreeMap<String, Member>,
    /// In the order of the text.
    pub(super) volumes: Vec<Logical>,
    /// Where each is among these.
    names: BTreeMap<String, usize>,
}

impl Group {
    /// The logical volume of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Logical> {
        self.volumes.get(*self.names.get(name)?)
    }
}

/// A physical volume as the group describes it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Identifier without dashes.
    pub(super) id: String,
    /// Offset of the first extent.
    pub(super) start: u64,
    /// Number of extents.
    pub(super) extents: u64,
}

/// A logical volume.
#[derive(Clone, Debug)]
pub(super) struct Logical {
    pub(super) name: String,
    pub(super) segments: Vec<Part>,
}

/// A segment of a logical volume.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// First extent and number of extents in the volume.
    pub(super) start: u64,
    pub(super) extents: u64,
    /// `striped`, `raid1`, `thin-pool` …
    pub(super) kind: String,
    /// Bytes of each stripe.
    pub(super) stripe: u64,
    /// Physical or logical volumes with the first extent in each.
    pub(super) sources: Vec<(String, u64)>,
    /// Strings by their names: `thin_pool`, `cow_store` …
    pub(super) texts: BTreeMap<String, String>,
    /// All names that the segment mentions.
    pub(super) mentions: Vec<String>,
}

impl Part {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }
}

/// The group of a text.
///
/// # Errors
/// [`Kind::Corrupt`] where it is not one, [`Kind::LimitExceeded`] for absurdly many volumes.
pub(super) fn read(root: &Section) -> Result<Group> {
    let missing = |what: &str| Error::corrupt(0, "volume group text", what, "nothing of the kind");
    let (name, group) = root
        .sections()
        .find(|(_, section)| section.number("extent_size").is_some())
        .ok_or_else(|| missing("a volume group"))?;
    let extent = group.number("extent_size").and_then(|sectors| sectors.checked_mul(SECTOR));
    let extent = extent.filter(|&extent| extent > 0).ok_or_else(|| missing("an extent size above zero"))?;
    let members = group.section("physical_volumes").into_iter().flat_map(Section::sections);
    let volumes = group.section("logical_volumes").into_iter().flat_map(Section::sections);
    let volumes: Vec<Logical> = volumes.map(|(name, section)| logical(name, section)).collect();
    if volumes.len() > VOLUMES_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("more than {VOLUMES_MAX} logical volumes")));
    }
    Ok(Group {
        name: name.to_owned(),
        id: group.text("id").unwrap_or_default().to_owned(),
        extent,
        members: members.filter_map(|(name, section)| Some((name.to_owned(), member(section)?))).collect(),
        names: volumes.iter().enumerate().map(|(at, volume)| (volume.name.clone(), at)).collect(),
        volumes,
    })
}

fn member(section: &Section) -> Option<Member> {
    Some(Member {
        id: section.text("id")?.replace('-', ""),
        start: section.number("pe_start")?.checked_mul(SECTOR)?,
        extents: section.number("pe_count")?,
    })
}

fn logical(name: &str, section: &Section) -> Logical {
    let mut segments: Vec<Part> = section.sections().filter_map(|(_, segment)| part(segment)).collect();
    segments.sort_by_key(|segment| segment.start);
    Logical { name: name.to_owned(), segments }
}

fn part(section: &Section) -> Option<Part> {
    let stripe = section.number("stripe_size").unwrap_or(0).checked_mul(SECTOR)?;
    let lists = ["stripes", "mirrors"].map(|list| section.list(list));
    let sources = lists.into_iter().flat_map(|list| list.as_chunks::<2>().0).filter_map(|pair| match pair {
        [Value::Text(name), Value::Number(extent)] => Some((name.clone(), u64::try_from(*extent).ok()?)),
        _ => None,
    });
    Some(Part {
        start: section.number("start_extent")?,
        extents: section.number("extent_count")?,
        kind: section.text("type")?.to_owned(),
        stripe,
        sources: sources.collect(),
        texts: section.texts().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        mentions: section.strings().map(str::to_owned).collect(),
    })
}
