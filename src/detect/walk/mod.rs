//! Walkers: matches too long or too varied in dress for a bounded regex, one file each.

mod armour;
mod base64_der;
mod base64_pem;
mod gnupg;
mod key_file;
mod keyring;
mod openssh;
mod pem;
mod pgp;
mod ppk;
pub(super) mod vendor;

use super::confirm::Span;
use super::validate::Change;
use super::{Reach, Window};

pub(super) use armour::decode_base64;

/// Most bytes of a long body that are followed.
const BODY_LEN_MAX: usize = 64 << 10;

/// All walkers by the names that rules give them.
const WALKERS: &[Walker] = &[
    base64_der::WALKER,
    base64_pem::WALKER,
    gnupg::WALKER,
    key_file::DER,
    key_file::JKS,
    key_file::PACKETS,
    key_file::PKCS12,
    keyring::WALKER,
    openssh::WALKER,
    pem::WALKER,
    pgp::WALKER,
    ppk::WALKER,
];

/// Finds one match around a keyword.
#[derive(Debug)]
pub(super) struct Walker {
    /// The name that rules give it.
    pub(super) name: &'static str,
    /// How much content it wants to see.
    pub(super) reach: Reach,
    /// Whether the bytes before and from the keyword on rule a match out. What lies beyond is unknown.
    pub(super) refuses: fn(before: &[u8], from: &[u8]) -> bool,
    /// The match that contains the keyword of this length at the window's hit.
    pub(super) walk: fn(&Window<'_>, usize) -> Option<Found>,
}

/// What a walker found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) span: Span,
    pub(super) change: Change,
    /// Whether the body goes on beyond the window.
    pub(super) is_cut: bool,
}

/// The walker of this name.
pub(super) fn get(name: &str) -> Option<&'static Walker> {
    WALKERS.iter().find(|walker| walker.name == name)
}
