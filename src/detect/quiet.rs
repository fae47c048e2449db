//! Texts in which no rule may find anything, for checking rules: what fills a clean system and looks like
//! secrets. `testdata/quiet/make.sh` writes them.

/// Name and text.
pub(super) const TEXTS: &[(&str, &str)] = &[
    ("bundles.txt", include_str!("../../testdata/quiet/bundles.txt")),
    ("checksums.txt", include_str!("../../testdata/quiet/checksums.txt")),
    ("code.txt", include_str!("../../testdata/quiet/code.txt")),
    ("configuration.txt", include_str!("../../testdata/quiet/configuration.txt")),
    ("locks.txt", include_str!("../../testdata/quiet/locks.txt")),
    ("logs.txt", include_str!("../../testdata/quiet/logs.txt")),
    ("packages.txt", include_str!("../../testdata/quiet/packages.txt")),
    ("public.txt", include_str!("../../testdata/quiet/public.txt")),
    ("settings.txt", include_str!("../../testdata/quiet/settings.txt")),
    ("sources.txt", include_str!("../../testdata/quiet/sources.txt")),
    ("translations.txt", include_str!("../../testdata/quiet/translations.txt")),
];
