//! Feature flags of the superblock (ext4 on-disk format, "Super Block": `s_feature_compat`,
//! `s_feature_incompat`, `s_feature_ro_compat`) and their usual names, as `dumpe2fs` prints them.

/// The three words of feature flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) compat: u32,
    pub(super) incompat: u32,
    pub(super) ro_compat: u32,
}

/// Which word a flag is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Compat,
    Incompat,
    RoCompat,
}

/// A feature flag.
pub(super) type Flag = (Word, u32);

pub(super) const HAS_JOURNAL: Flag = (Word::Compat, 0x4);
pub(super) const SPARSE_SUPER2: Flag = (Word::Compat, 0x200);
pub(super) const FAST_COMMIT: Flag = (Word::Compat, 0x400);
pub(super) const ORPHAN_FILE: Flag = (Word::Compat, 0x1000);
pub(super) const FILETYPE: Flag = (Word::Incompat, 0x2);
pub(super) const NEEDS_RECOVERY: Flag = (Word::Incompat, 0x4);
pub(super) const JOURNAL_DEV: Flag = (Word::Incompat, 0x8);
pub(super) const META_BG: Flag = (Word::Incompat, 0x10);
pub(super) const BIT64: Flag = (Word::Incompat, 0x80);
pub(super) const CSUM_SEED: Flag = (Word::Incompat, 0x2000);
pub(super) const LARGE_DIR: Flag = (Word::Incompat, 0x4000);
pub(super) const SPARSE_SUPER: Flag = (Word::RoCompat, 0x1);
pub(super) const GDT_CSUM: Flag = (Word::RoCompat, 0x10);
pub(super) const BIGALLOC: Flag = (Word::RoCompat, 0x200);
pub(super) const METADATA_CSUM: Flag = (Word::RoCompat, 0x400);

/// Names in the order in which they are printed.
const NAMES: &[(Flag, &str)] = &[
    ((Word::Compat, 0x1), "dir_prealloc"),
    ((Word::Compat, 0x2), "imagic_inodes"),
    (HAS_JOURNAL, "has_journal"),
    ((Word::Compat, 0x8), "ext_attr"),
    ((Word::Compat, 0x10), "resize_inode"),
    ((Word::Compat, 0x20), "dir_index"),
    ((Word::Compat, 0x40), "lazy_bg"),
    ((Word::Compat, 0x100), "snapshot_bitmap"),
    (SPARSE_SUPER2, "sparse_super2"),
    (FAST_COMMIT, "fast_commit"),
    ((Word::Compat, 0x800), "stable_inodes"),
    (ORPHAN_FILE, "orphan_file"),
    ((Word::Incompat, 0x1), "compression"),
    (FILETYPE, "filetype"),
    (NEEDS_RECOVERY, "needs_recovery"),
    (JOURNAL_DEV, "journal_dev"),
    (META_BG, "meta_bg"),
    ((Word::Incompat, 0x40), "extent"),
    (BIT64, "64bit"),
    ((Word::Incompat, 0x100), "mmp"),
    ((Word::Incompat, 0x200), "flex_bg"),
    ((Word::Incompat, 0x400), "ea_inode"),
    ((Word::Incompat, 0x1000), "dirdata"),
    (CSUM_SEED, "metadata_csum_seed"),
    (LARGE_DIR, "large_dir"),
    ((Word::Incompat, 0x8000), "inline_data"),
    ((Word::Incompat, 0x1_0000), "encrypt"),
    ((Word::Incompat, 0x2_0000), "casefold"),
    (SPARSE_SUPER, "sparse_super"),
    ((Word::RoCompat, 0x2), "large_file"),
    ((Word::RoCompat, 0x4), "btree_dir"),
    ((Word::RoCompat, 0x8), "huge_file"),
    (GDT_CSUM, "uninit_bg"),
    ((Word::RoCompat, 0x20), "dir_nlink"),
    ((Word::RoCompat, 0x40), "extra_isize"),
    ((Word::RoCompat, 0x80), "snapshot"),
    ((Word::RoCompat, 0x100), "quota"),
    (BIGALLOC, "bigalloc"),
    (METADATA_CSUM, "metadata_csum"),
    ((Word::RoCompat, 0x800), "replica"),
    ((Word::RoCompat, 0x1000), "read-only"),
    ((Word::RoCompat, 0x2000), "project"),
    ((Word::RoCompat, 0x4000), "shared_blocks"),
    ((Word::RoCompat, 0x8000), "verity"),
    ((Word::RoCompat, 0x1_0000), "orphan_present"),
];

/// Incompatible features that ext2 and ext3 have as well: filetype, needs_recovery, meta_bg.
const EXT3_INCOMPAT: u32 = 0x2 | 0x4 | 0x10;

/// Read-only compatible features that ext2 and ext3 have as well: sparse_super, large_file, btree_dir.
const EXT3_RO_COMPAT: u32 = 0x1 | 0x2 | 0x4;

impl Features {
    fn word(self, word: Word) -> u32 {
        match word {
            Word::Compat => self.compat,
            Word::Incompat => self.incompat,
            Word::RoCompat => self.ro_compat,
        }
    }

    /// Whether `flag` is set.
    pub(super) fn has(self, flag: Flag) -> bool {
        self.word(flag.0) & flag.1 != 0
    }

    /// The names of all flags that are set; a flag without a name as `incompat:0x…`.
    pub(super) fn names(self) -> Vec<String> {
        let known = NAMES.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| (*name).to_string());
        known.chain(self.unknown()).collect()
    }

    /// Flags that have no name here.
    pub(super) fn unknown(self) -> Vec<String> {
        [(Word::Compat, "compat"), (Word::Incompat, "incompat"), (Word::RoCompat, "ro_compat")]
            .into_iter()
            .filter_map(|(word, prefix)| {
                let known =
                    NAMES.iter().filter(|(flag, _)| flag.0 == word).fold(0, |all, (flag, _)| all | flag.1);
                let rest = self.word(word) & !known;
                (rest != 0).then(|| format!("{prefix}:{rest:#x}"))
            })
            .collect()
    }

    /// `ext2`, `ext3` or `ext4`, told apart the way `blkid` does.
    pub(super) fn kind(self) -> &'static str {
        if self.incompat & !EXT3_INCOMPAT != 0 || self.ro_compat & !EXT3_RO_COMPAT != 0 {
            "ext4"
        } else if self.has(HAS_JOURNAL) {
            "ext3"
        } else {
            "ext2"
        }
    }
}
