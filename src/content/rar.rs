//! RAR archives are named, not read: no decoder under a permissive licence exists for them.

use super::{Decoder, Form};
use crate::error::Error;

pub(super) const DECODER: Decoder = Decoder {
    name: "rar",
    probe: |head| head.starts_with(b"Rar!\x1a\x07"),
    form: Form::Partial(|_, _| Err(Error::unsupported("archives of this kind are not decoded"))),
};
