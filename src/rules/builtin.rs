//! The rule files that come with the program, one line each.

/// Name and text of every file in `signatures/secrets`.
pub(super) const FILES: &[(&str, &str)] = &[
    ("cloud-alibaba.toml", include_str!("../../signatures/secrets/cloud-alibaba.toml")),
    ("cloud-aws.toml", include_str!("../../signatures/secrets/cloud-aws.toml")),
    ("cloud-azure.toml", include_str!("../../signatures/secrets/cloud-azure.toml")),
    ("cloud-google.toml", include_str!("../../signatures/secrets/cloud-google.toml")),
    ("databases.toml", include_str!("../../signatures/secrets/databases.toml")),
    ("generic.toml", include_str!("../../signatures/secrets/generic.toml")),
    ("jwt.toml", include_str!("../../signatures/secrets/jwt.toml")),
    ("password-hashes.toml", include_str!("../../signatures/secrets/password-hashes.toml")),
    ("private-keys.toml", include_str!("../../signatures/secrets/private-keys.toml")),
    ("version-control.toml", include_str!("../../signatures/secrets/version-control.toml")),
];
