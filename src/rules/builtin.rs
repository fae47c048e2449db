//! The rule files that come with the program, one line each.

/// Name and text of every file in `signatures/secrets`.
pub(super) const FILES: &[(&str, &str)] = &[
    ("private-keys.toml", include_str!("../../signatures/secrets/private-keys.toml")),
    ("starter.toml", include_str!("../../signatures/secrets/starter.toml")),
];
