//! The rule files that come with the program, one line each.

/// Name and text of every file in `signatures/secrets`.
pub(super) const FILES: &[(&str, &str)] = &[
    ("ai-services.toml", include_str!("../../signatures/secrets/ai-services.toml")),
    ("ci.toml", include_str!("../../signatures/secrets/ci.toml")),
    ("cloud-alibaba.toml", include_str!("../../signatures/secrets/cloud-alibaba.toml")),
    ("cloud-aws.toml", include_str!("../../signatures/secrets/cloud-aws.toml")),
    ("cloud-azure.toml", include_str!("../../signatures/secrets/cloud-azure.toml")),
    ("cloud-google.toml", include_str!("../../signatures/secrets/cloud-google.toml")),
    (
        "cloud-huawei-baidu-volcengine-jd-kingsoft.toml",
        include_str!("../../signatures/secrets/cloud-huawei-baidu-volcengine-jd-kingsoft.toml"),
    ),
    ("cloud-others.toml", include_str!("../../signatures/secrets/cloud-others.toml")),
    ("cloud-tencent.toml", include_str!("../../signatures/secrets/cloud-tencent.toml")),
    ("command-lines.toml", include_str!("../../signatures/secrets/command-lines.toml")),
    ("databases.toml", include_str!("../../signatures/secrets/databases.toml")),
    ("generic.toml", include_str!("../../signatures/secrets/generic.toml")),
    ("identity.toml", include_str!("../../signatures/secrets/identity.toml")),
    ("jwt.toml", include_str!("../../signatures/secrets/jwt.toml")),
    ("messaging.toml", include_str!("../../signatures/secrets/messaging.toml")),
    ("monitoring.toml", include_str!("../../signatures/secrets/monitoring.toml")),
    ("package-registries.toml", include_str!("../../signatures/secrets/package-registries.toml")),
    ("password-hashes.toml", include_str!("../../signatures/secrets/password-hashes.toml")),
    ("payment.toml", include_str!("../../signatures/secrets/payment.toml")),
    ("pii.toml", include_str!("../../signatures/secrets/pii.toml")),
    ("private-keys.toml", include_str!("../../signatures/secrets/private-keys.toml")),
    ("saas-tokens.toml", include_str!("../../signatures/secrets/saas-tokens.toml")),
    ("saas-vendors.toml", include_str!("../../signatures/secrets/saas-vendors.toml")),
    ("version-control.toml", include_str!("../../signatures/secrets/version-control.toml")),
    ("webhooks.toml", include_str!("../../signatures/secrets/webhooks.toml")),
];
