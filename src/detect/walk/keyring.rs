//! Keyrings of desktops: GNOME's and KDE's, by their headers.

use super::key_file::never;
use super::{Found, Walker};
use crate::detect::confirm::Span;
use crate::detect::validate::Change;
use crate::detect::validate::openssh::Fields;
use crate::detect::validate::private_key::printable;
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "keyring", reach: Reach { before: 0, after: super::BODY_LEN_MAX }, refuses: never, walk };

const GNOME: &[u8] = b"GnomeKeyring\n\r\0\n";
const KDE: &[u8] = b"KWALLET\n\r\0\r\n";
const NAME_LEN_MAX: usize = 256;

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let bytes = window.bytes.get(window.hit..)?;
    let gnome = bytes.strip_prefix(GNOME).and_then(gnome);
    let change = gnome.or_else(|| bytes.strip_prefix(KDE).and_then(kde))?;
    // Where a keyring ends stands in its encrypted part: it goes on to the end of what is known.
    let range = window.hit..window.bytes.len();
    let is_cut = !window.at_end;
    Some(Found { span: Span { secret: range.clone(), matched: range }, change, is_cut })
}

/// Version, cipher and hash, all zero to this day; name, times, options, salt, items (gnome-keyring,
/// `docs/file-format.txt`).
fn gnome(body: &[u8]) -> Option<Change> {
    let mut fields = Fields(body.strip_prefix(&[0; 4])?);
    let name = fields.string().filter(|name| name.len() <= NAME_LEN_MAX)?;
    // Two times of 64 bits, flags, seconds until it is locked.
    for _ in 0..6 {
        fields.number()?;
    }
    let rounds = fields.number()?;
    // The salt, and four numbers that are zero.
    for at in 0..6 {
        if fields.number()? != 0 && at >= 2 {
            return None;
        }
    }
    let items = fields.number().filter(|items| *items <= 100_000)?;
    Some(
        Change::proven()
            .with("format: GNOME keyring")
            .with(format!("items: {items}"))
            .with(format!("encrypted: AES-128, {rounds} rounds of SHA-256"))
            .with(format!("comment: {}", printable(&String::from_utf8_lossy(name)))),
    )
}

/// Version, cipher, hash; the number of folders, whose names are hashed (KWallet, `kwalletbackend.cc`).
fn kde(body: &[u8]) -> Option<Change> {
    let ([major, minor, cipher, hash], rest) = body.split_first_chunk::<4>()?;
    if *major != 0 || *minor > 1 || *cipher > 3 || *hash > 3 {
        return None;
    }
    let name = match cipher {
        2 => "OpenPGP",
        _ => "Blowfish",
    };
    let folders = Fields(rest).number().filter(|folders| *folders <= 100_000 || *cipher == 2)?;
    let mut change = Change::proven()
        .with(format!("format: KWallet, version {major}.{minor}"))
        .with(format!("encrypted: {name}"));
    if *cipher != 2 {
        change.evidence.push(format!("folders: {folders}"));
    }
    Some(change)
}
