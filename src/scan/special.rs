//! Files that hold memory or other disks' blocks rather than a user's content: told by their first bytes where
//! these are unmistakable, by the name that their system gives them elsewhere.

use crate::filesystem::{Entry, EntryKind, FileSystem, StreamName};
use crate::io::{ReadAt, read_vec};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// Linux swap in a file.
    SwapFile,
    /// `pagefile.sys` or `swapfile.sys`.
    PageFile,
    /// `hiberfil.sys`, or a swap file that a hibernated system was written to.
    Hibernation,
    /// Memory of a process (ELF core, Windows minidump).
    CoreDump,
    /// Memory of a crashed Windows.
    CrashDump,
    /// Memory of a crashed Linux: dumps of makedumpfile and diskdump. Those in ELF are core files.
    KernelDump,
    /// Older blocks of the volume that Windows keeps for a shadow copy.
    ShadowCopy,
}

/// Where a swap header's signature stands: ten bytes before the end of the first page.
const PAGE_SIZES: [u64; 5] = [4096, 8192, 16_384, 32_768, 65_536];

/// Signatures of kernel dumps: makedumpfile's compressed format, its older kin of diskdump, and the flattened form
/// in which either is sent through a pipe.
const KERNEL_DUMPS: [&[u8]; 3] = [b"KDUMP   ", b"DISKDUMP", b"makedumpfile\0\0\0\0"];

/// Offset of `e_type` in an ELF header, and the type of core files.
const ELF_TYPE: usize = 16;
const ELF_CORE: u16 = 4;

impl Special {
    /// What the entry is, where it is any of these. `path` is its full name, escaped.
    pub(super) fn of(filesystem: &dyn FileSystem, entry: &Entry, path: Option<&str>) -> Option<Self> {
        if entry.kind != EntryKind::File {
            return None;
        }
        let named = path.and_then(|path| by_name(filesystem.facts().kind, path));
        named.or_else(|| by_content(filesystem.open(entry, &StreamName::Data).ok()?.as_ref()))
    }

    /// The file in words.
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::SwapFile => "a swap file",
            Self::PageFile => "the page file of Windows",
            Self::Hibernation => "the saved memory of a hibernated system",
            Self::CoreDump => "a core dump: the memory of a process that crashed",
            Self::CrashDump => "a crash dump: the memory of Windows",
            Self::KernelDump => "a kernel dump: the memory of a system that crashed",
            Self::ShadowCopy => "the store of a volume shadow copy",
        }
    }

    /// Whether findings in it are in swap space.
    pub(super) fn is_swap(self) -> bool {
        matches!(self, Self::SwapFile | Self::PageFile)
    }
}

fn by_name(fs: &str, path: &str) -> Option<Special> {
    /// The GUID at the end of the names of stores.
    const STORE: &str = "{3808876b-c176-4e48-b7ae-04046e6cc752}";
    let path = path.to_ascii_lowercase();
    match path.as_str() {
        _ if fs != "ntfs" => None,
        "/pagefile.sys" | "/swapfile.sys" => Some(Special::PageFile),
        "/hiberfil.sys" => Some(Special::Hibernation),
        path if path.starts_with("/system volume information/") && path.ends_with(STORE) => {
            Some(Special::ShadowCopy)
        }
        _ => None,
    }
}

fn by_content(content: &dyn ReadAt) -> Option<Special> {
    let head = read_vec(content, 0, ELF_TYPE.saturating_add(2)).ok()?;
    let core = match head.get(ELF_TYPE..).and_then(|rest| rest.first_chunk::<2>()) {
        // `EI_DATA` says in which order the bytes of numbers stand.
        Some(bytes) if head.starts_with(b"\x7fELF") && head.get(5) == Some(&2) => u16::from_be_bytes(*bytes),
        Some(bytes) if head.starts_with(b"\x7fELF") => u16::from_le_bytes(*bytes),
        _ => 0,
    };
    if core == ELF_CORE || head.starts_with(b"MDMP\x93\xa7") {
        return Some(Special::CoreDump);
    }
    if head.starts_with(b"PAGEDUMP") || head.starts_with(b"PAGEDU64") {
        return Some(Special::CrashDump);
    }
    if KERNEL_DUMPS.iter().any(|signature| head.starts_with(signature)) {
        return Some(Special::KernelDump);
    }
    PAGE_SIZES.iter().find_map(|&page| {
        match read_vec(content, page.saturating_sub(10), 10).ok()?.as_slice() {
            b"SWAPSPACE2" | b"SWAP-SPACE" => Some(Special::SwapFile),
            other if other.starts_with(b"S1SUSPEND") || other.starts_with(b"S2SUSPEND") => {
                Some(Special::Hibernation)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_memory_are_told_by_their_first_bytes() {
        let mut swap = vec![0; 8192];
        swap[4086..4096].copy_from_slice(b"SWAPSPACE2");
        let mut hibernated = swap.clone();
        hibernated[4086..4096].copy_from_slice(b"S1SUSPEND\0");
        let elf = |order: u8, kind: [u8; 2]| {
            let mut elf = vec![0; 64];
            elf[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, order]);
            elf[16..18].copy_from_slice(&kind);
            elf
        };
        let cases = [
            (swap, Some(Special::SwapFile)),
            (hibernated, Some(Special::Hibernation)),
            (elf(1, [4, 0]), Some(Special::CoreDump)),
            (elf(2, [0, 4]), Some(Special::CoreDump)),
            (elf(1, [2, 0]), None),
            (elf(1, [0, 4]), None),
            (b"PAGEDU64 and more of it".to_vec(), Some(Special::CrashDump)),
            (b"KDUMP   \x06\0\0\0 and more".to_vec(), Some(Special::KernelDump)),
            (b"DISKDUMP and more than that".to_vec(), Some(Special::KernelDump)),
            (b"makedumpfile\0\0\0\0\x01\0 and more".to_vec(), Some(Special::KernelDump)),
            (b"KDUMP_KERNELVER=\"\"\n# settings".to_vec(), None),
            (b"makedumpfile -l --message-level 1".to_vec(), None),
            (b"MDMP\x93\xa7 and more than that".to_vec(), Some(Special::CoreDump)),
            (b"short".to_vec(), None),
            (vec![0; 1 << 17], None),
        ];
        for (content, expected) in cases {
            assert_eq!(by_content(&content), expected, "{:?}", &content[..content.len().min(20)]);
        }
    }

    #[test]
    fn names_count_where_windows_gives_them() {
        assert_eq!(by_name("ntfs", "/PageFile.sys"), Some(Special::PageFile));
        assert_eq!(by_name("ntfs", "/hiberfil.sys"), Some(Special::Hibernation));
        assert_eq!(by_name("ext4", "/pagefile.sys"), None);
        assert_eq!(by_name("ntfs", "/backup/pagefile.sys"), None);
        let store = "/System Volume Information/{1-2}{3808876B-c176-4e48-b7ae-04046e6cc752}";
        assert_eq!(by_name("ntfs", store), Some(Special::ShadowCopy));
    }
}
