//! Texts in which no rule may find anything, for checking rules: what fills a clean system and looks like
//! secrets. `testdata/quiet/make.sh` writes them.

/// Name and text.
pub(super) const TEXTS: &[(&str, &str)] = &[
    ("checksums.txt", include_str!("../../testdata/quiet/checksums.txt")),
    ("code.txt", include_str!("../../testdata/quiet/code.txt")),
    ("packages.txt", include_str!("../../testdata/quiet/packages.txt")),
    ("settings.txt", include_str!("../../testdata/quiet/settings.txt")),
];
