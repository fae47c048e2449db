//! Gzip (RFC 1952), any number of members one after the other.

use super::{Decoder, Form, Member, Visit};
use crate::error::Result;
use flate2::read::MultiGzDecoder;
use std::io::{BufReader, Read};

pub(super) const DECODER: Decoder =
    Decoder { name: "gzip", probe: |head| head.starts_with(&[0x1f, 0x8b, 8]), form: Form::Stream(decode) };

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut decoded = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, content));
    visit(Member { name: b"", content: &mut decoded })
}
