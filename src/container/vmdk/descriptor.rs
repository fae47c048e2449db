//! The text descriptor ("The Descriptor File").

use crate::container::Facts;
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use crate::location::escape;

/// First line of a descriptor.
pub(super) const START: &[u8] = b"# Disk DescriptorFile";

/// Longest descriptor that is read; a disk of 62 TB in extents of 2 GB has about 2 MB.
const LENGTH_MAX: u64 = 4 << 20;
/// Most extents of one disk.
const EXTENTS_MAX: usize = 65_536;
/// Content identifier of a parent that does not exist.
const NO_PARENT: &str = "ffffffff";

/// How an extent is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtentKind {
    /// As it is.
    Flat,
    /// In grains.
    Sparse,
    /// Not at all.
    Zero,
    /// In a way that is not read.
    Unread(&'static str),
}

/// A line of the extent description.
#[derive(Clone, Debug)]
pub(super) struct ExtentLine {
    pub(super) sectors: u64,
    pub(super) kind: ExtentKind,
    pub(super) name: Vec<u8>,
    /// First sector within the file.
    pub(super) offset: u64,
    /// Where in the descriptor the line stands.
    pub(super) at: u64,
}

/// What a descriptor says.
#[derive(Clone, Debug, Default)]
pub(super) struct Descriptor {
    pub(super) create_type: Option<String>,
    pub(super) tools_version: Option<String>,
    pub(super) extents: Vec<ExtentLine>,
    cid: Option<String>,
    parent_cid: Option<String>,
    parent_hint: Option<Vec<u8>>,
    uuid: Option<String>,
}

impl Descriptor {
    /// Reads the descriptor from byte `start` up to `end`, or to the first NUL.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] for overlong ones, [`Kind::Corrupt`] for extents without sense.
    pub(super) fn read(file: &dyn ReadAt, start: u64, end: u64) -> Result<Self> {
        let end = end.min(file.size());
        let length = end.saturating_sub(start);
        if length > LENGTH_MAX {
            let message = format!("descriptor of {length} bytes; at most {LENGTH_MAX} are read");
            return Err(Error::new(Kind::LimitExceeded, message));
        }
        let bytes = read_vec(file, start, usize::try_from(length).unwrap_or(usize::MAX))?;
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut found = Self::default();
        let mut at = start;
        for line in text.split(|&byte| byte == b'\n') {
            found.read_line(line.trim_ascii(), at)?;
            at = at.saturating_add(u64::try_from(line.len()).unwrap_or(0)).saturating_add(1);
        }
        Ok(found)
    }

    fn read_line(&mut self, line: &[u8], at: u64) -> Result<()> {
        if let Some(extent) = extent_line(line, at)? {
            if self.extents.len() >= EXTENTS_MAX {
                return Err(Error::new(Kind::LimitExceeded, format!("more than {EXTENTS_MAX} extents")));
            }
            self.extents.push(extent);
            return Ok(());
        }
        let Some(equals) = line.iter().position(|&byte| byte == b'=') else { return Ok(()) };
        let (key, value) = line.split_at(equals);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        let shown = || Some(escape(value));
        match key.trim_ascii().to_ascii_lowercase().as_slice() {
            b"createtype" => self.create_type = shown(),
            b"cid" => self.cid = shown(),
            b"parentcid" => self.parent_cid = shown(),
            b"parentfilenamehint" => self.parent_hint = Some(value.to_vec()),
            b"ddb.toolsversion" => self.tools_version = Some(format!("VMware Tools {}", escape(value))),
            b"ddb.uuid" | b"ddb.uuid.image" => self.uuid = shown(),
            _ => {}
        }
        Ok(())
    }

    /// Name of the parent; `None` where there is none, empty where it has no name.
    pub(super) fn parent_name(&self) -> Option<&[u8]> {
        let parent = self.parent_cid.as_deref().filter(|cid| !cid.eq_ignore_ascii_case(NO_PARENT));
        parent.map(|_| self.parent_hint.as_deref().unwrap_or_default())
    }

    /// A note where the parent that was opened is not the one the image was made over.
    pub(super) fn check_parent(&self, parent: &Facts) -> Option<String> {
        let found = parent.identifiers.iter().find(|(name, _)| name == "cid").map(|(_, cid)| cid.as_str());
        let expected = self.parent_cid.as_deref();
        if found.zip(expected).is_some_and(|(found, expected)| found.eq_ignore_ascii_case(expected)) {
            return None;
        }
        Some(format!(
            "the parent has content identifier {}, the image was made over {}",
            found.unwrap_or("none"),
            expected.unwrap_or("none")
        ))
    }

    /// Content and disk identifiers.
    pub(super) fn identifiers(&self) -> Vec<(String, String)> {
        let named = [("cid", &self.cid), ("uuid", &self.uuid)];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
    }
}

/// `RW 4192256 SPARSE "disk-s001.vmdk"`, with a first sector behind it for flat extents.
fn extent_line(line: &[u8], at: u64) -> Result<Option<ExtentLine>> {
    let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    if !matches!(words.next(), Some(b"RW" | b"RDONLY" | b"NOACCESS")) {
        return Ok(None);
    }
    let sectors = words.next().and_then(number);
    let sectors = sectors.ok_or_else(|| Error::corrupt(at, "extent", "a number of sectors", escape(line)))?;
    let kind = match words.next().unwrap_or_default() {
        b"FLAT" | b"VMFS" => ExtentKind::Flat,
        b"SPARSE" => ExtentKind::Sparse,
        b"ZERO" => ExtentKind::Zero,
        b"VMFSSPARSE" => ExtentKind::Unread("VMDK COWD extent"),
        b"SESPARSE" => ExtentKind::Unread("VMDK seSparse extent"),
        b"VMFSRDM" | b"VMFSRAW" => ExtentKind::Unread("VMDK raw device mapping"),
        other => return Err(Error::unsupported(format!("VMDK extent type {}", escape(other))).at(at)),
    };
    let mut quoted = line.split(|&byte| byte == b'"');
    let (name, offset) = (quoted.nth(1), quoted.next());
    if name.is_none() && kind != ExtentKind::Zero {
        return Err(Error::corrupt(at, "extent", "a file name in quotes", escape(line)));
    }
    let offset = offset.map(<[u8]>::trim_ascii).filter(|offset| !offset.is_empty());
    let offset = offset.map_or(Some(0), |offset| {
        number(offset.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default())
    });
    let offset = offset.ok_or_else(|| Error::corrupt(at, "extent", "a first sector", escape(line)))?;
    Ok(Some(ExtentLine { sectors, kind, name: name.unwrap_or_default().to_vec(), offset, at }))
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
