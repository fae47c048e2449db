//! Secret rules as data: the TOML files in `signatures/secrets`, and rule files that a team brings.
//!
//! This module knows what a rule says; the `detect` module compiles and applies rules.

mod builtin;
mod dialect;
mod file;
mod rule;
mod set;

pub use rule::{Allowlist, Condition, Encodings, Example, Rule, Target};
pub use set::RuleSet;

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Untidy.
    Low,
    /// To be removed before the image leaves.
    Medium,
    /// Gives access to something.
    High,
    /// Gives access to much, at once.
    Critical,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Looks like one; off by default, counted.
    Possible,
    /// Form and surroundings agree.
    Likely,
    /// A checksum or a full parse passed.
    Proven,
}

/// What sort of secret or leftover a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Category {
    #[serde(rename = "private-key")]
    PrivateKey,
    #[serde(rename = "cloud-key")]
    CloudKey,
    #[serde(rename = "vcs-token")]
    VcsToken,
    #[serde(rename = "db-connection-string")]
    DbConnectionString,
    #[serde(rename = "generic-password/api-key")]
    Generic,
    #[serde(rename = "jwt")]
    Jwt,
    #[serde(rename = "webhook")]
    Webhook,
    #[serde(rename = "ai-token")]
    AiToken,
    #[serde(rename = "other-saas")]
    OtherSaas,
    #[serde(rename = "password-hash")]
    PasswordHash,
    #[serde(rename = "pii")]
    Pii,
    #[serde(rename = "leftover")]
    Leftover,
}

/// A string that must stand in every match of the rules that bring it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Literal {
    /// The bytes; ASCII lower case where `ignore_case` is set. At least 4.
    pub bytes: Vec<u8>,
    /// Whether ASCII letters match in either case.
    pub ignore_case: bool,
}

/// How the text around a hit is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// One byte a character as far as the literal goes: ASCII, UTF-8, windows-1252, GB18030 …
    Narrow,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
}

impl Encoding {
    /// Bytes of the medium for one byte of the literal.
    pub fn width(self) -> usize {
        match self {
            Self::Narrow => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }
}

/// Prints a value as its serialised name.
macro_rules! display_as_serialised {
    ($($type:ty),*) => {$(
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.serialize(f)
            }
        }
    )*};
}

display_as_serialised!(Severity, Verdict, Category);
