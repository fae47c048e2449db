//! Reparse points: what their tags mean (`ntifs.h`, `IO_REPARSE_TAG_*`), and the Windows overlay filter.

use super::wof::Format;
use crate::filesystem::EntryKind;
use crate::io::Fields;

const SYMLINK: u32 = 0xa000_000c;
const MOUNT_POINT: u32 = 0xa000_0003;
const LX_SYMLINK: u32 = 0xa000_001d;
const WOF: u32 = 0x8000_0017;
const DEDUP: u32 = 0x8000_0013;
/// The overlay filter's provider for files (`WOF_PROVIDER_FILE`).
const FILE_PROVIDER: u32 = 2;

/// Tags by their usual names.
const TAGS: &[(u32, &str)] = &[
    (SYMLINK, "symbolic link"),
    (MOUNT_POINT, "junction"),
    (LX_SYMLINK, "Linux symbolic link"),
    (0x8000_0023, "Unix socket"),
    (0x8000_0024, "Linux FIFO"),
    (0x8000_0025, "Linux character device"),
    (0x8000_0026, "Linux block device"),
    (WOF, "WOF-compressed"),
    (DEDUP, "deduplicated"),
    (0x8000_001b, "app execution alias"),
    (0x8000_0018, "container layer (WCI)"),
    (0x9000_1018, "container layer (WCI)"),
    (0x8000_0008, "single instance store"),
    (0x9000_001c, "projected file"),
    (0xc000_0004, "hierarchical storage"),
    (0x8000_0006, "hierarchical storage"),
];

/// Where content is kept that is not in the unnamed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Compressed in another stream, in this way.
    Overlaid(Format),
    /// In a place that is not read.
    Unread(&'static str),
}

/// What a reparse point says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReparsePoint {
    tag: u32,
    /// Provider and compression format of the Windows overlay filter.
    overlay: Option<(u32, u32)>,
}

impl ReparsePoint {
    /// Parses the value of the attribute; what is cut off is left out.
    pub(super) fn parse(value: &[u8], at: u64) -> Option<Self> {
        let fields = Fields::new("$REPARSE_POINT", value, at);
        let tag = fields.le_u32(0).ok()?;
        // Behind the 8 bytes of the header: WOF_EXTERNAL_INFO, then FILE_PROVIDER_EXTERNAL_INFO.
        let overlay = match (tag, fields.le_u32(12), fields.le_u32(20)) {
            (WOF, Ok(provider), Ok(format)) => Some((provider, format)),
            _ => None,
        };
        Some(Self { tag, overlay })
    }

    /// The kind of entry that the tag makes of a file.
    pub(super) fn kind(&self) -> Option<EntryKind> {
        match self.tag {
            SYMLINK | MOUNT_POINT | LX_SYMLINK => Some(EntryKind::Symlink),
            0x8000_0023..=0x8000_0026 => Some(EntryKind::Special),
            _ => None,
        }
    }

    /// Where the content is kept, if not in the unnamed stream.
    pub(super) fn content_elsewhere(&self) -> Option<Elsewhere> {
        match (self.tag, self.overlay) {
            (WOF, Some((FILE_PROVIDER, number))) => Some(match Format::new(number) {
                Some(format) => Elsewhere::Overlaid(format),
                None => {
                    Elsewhere::Unread("the content is compressed by the overlay filter in an unknown way")
                }
            }),
            (WOF, _) => Some(Elsewhere::Unread("the content is in a WIM file")),
            (DEDUP, _) => Some(Elsewhere::Unread("the content is in the deduplication chunk store")),
            _ => None,
        }
    }

    /// The tag for a reader of a report.
    pub(super) fn note(&self) -> String {
        // Cloud files differ in four bits that number the sync root.
        let cloud = (self.tag & 0xffff_0fff == 0x9000_001a).then_some("cloud file");
        let named = TAGS.iter().find(|(tag, _)| *tag == self.tag).map(|(_, name)| *name);
        let name = named.or(cloud).unwrap_or("unknown");
        let format = match self.overlay {
            Some((FILE_PROVIDER, 0)) => ", XPRESS 4K",
            Some((FILE_PROVIDER, 1)) => ", LZX",
            Some((FILE_PROVIDER, 2)) => ", XPRESS 8K",
            Some((FILE_PROVIDER, 3)) => ", XPRESS 16K",
            Some((1, _)) => ", in a WIM file",
            _ => "",
        };
        format!("reparse point {:#010x}: {name}{format}", self.tag)
    }
}
