//! Archives that are named, not read: no decoder under a permissive licence exists for them, or hardly anyone
//! makes them any more. A report that said nothing would look as if there were nothing in them.

use super::{Decoder, Form};
use crate::error::Error;

pub(super) const RAR: Decoder = named("rar", |head| head.starts_with(b"Rar!\x1a\x07"));
pub(super) const CAB: Decoder = named("cab", |head| head.starts_with(b"MSCF\0\0\0\0"));
pub(super) const WIM: Decoder = named("wim", |head| head.starts_with(b"MSWIM\0\0\0"));
pub(super) const LZIP: Decoder = named("lzip", |head| head.starts_with(b"LZIP\x01"));
pub(super) const LZOP: Decoder = named("lzop", |head| head.starts_with(b"\x89LZO\0\r\n\x1a\n"));
/// Two bytes of magic, then the largest code's bits (9 to 16) and a flag.
pub(super) const COMPRESS: Decoder =
    named("compress", |head| matches!(head, [0x1f, 0x9d, flags, ..] if matches!(flags & 0x7f, 9..=16)));

const fn named(name: &'static str, probe: fn(&[u8]) -> bool) -> Decoder {
    let form = Form::Partial(|_, _| Err(Error::unsupported("archives of this kind are not decoded")));
    Decoder { name, probe, form }
}
