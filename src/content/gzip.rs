//! Gzip (RFC 1952), any number of members one after the other.

use super::peek::{HELD, Joined, Peek, Single};
use super::{Decoder, Form, Member, Visit, decode_error, inflate};
use crate::error::Result;
use flate2::bufread::GzDecoder;
use std::io::Read;

pub(super) const DECODER: Decoder =
    Decoder { name: "gzip", probe: GzDecoder::<Peek<'_>>::starts, form: Form::Stream(decode) };

impl<'a> Single<'a> for GzDecoder<Peek<'a>> {
    const PEEKED: usize = 10;

    fn starts(head: &[u8]) -> bool {
        // Method deflate, and no reserved flag.
        head.starts_with(&[0x1f, 0x8b, 8]) && head.get(3).is_some_and(|flags| flags & 0xe0 == 0)
    }

    fn open(source: Peek<'a>) -> std::io::Result<Self> {
        Ok(Self::new(source))
    }

    fn close(self) -> Peek<'a> {
        self.into_inner()
    }
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut source = Peek::new(content);
    let head = source.peek(HELD).map_err(decode_error)?;
    let name = stored_name(head.get(..super::HEAD).unwrap_or(head));
    if head.len() < HELD
        && let Some(mut whole) = inflate::gzip(head)
    {
        return visit(Member { name: &name, stored: None, pieces: &[], content: &mut whole });
    }
    let mut joined = Joined::<GzDecoder<Peek<'_>>>::new(&mut source);
    visit(Member { name: &name, stored: None, pieces: &[], content: &mut joined })
}

/// The file name in the first member's header, where there is one.
fn stored_name(head: &[u8]) -> Vec<u8> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    let name = || {
        let flags = *head.get(3)?;
        let extra = match flags & EXTRA {
            0 => 0,
            _ => usize::from(u16::from_le_bytes([*head.get(10)?, *head.get(11)?])).checked_add(2)?,
        };
        let rest = head.get(extra.checked_add(10)?..).filter(|_| flags & NAME != 0)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest.get(..end).map(<[u8]>::to_vec)
    };
    name().unwrap_or_default()
}
