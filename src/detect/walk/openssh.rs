//! Private keys in OpenSSH's own format without armour, as they stand in memory and in what was decoded.

use super::key_file::never;
use super::{Found, Walker};
use crate::detect::confirm::Span;
use crate::detect::validate::openssh::Fields;
use crate::detect::validate::private_key::{self, Parsed};
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "openssh", reach: Reach { before: 0, after: 12 << 10 }, refuses: never, walk };

fn walk(window: &Window<'_>, keyword_len: usize) -> Option<Found> {
    let bytes = window.bytes.get(window.hit..)?;
    let parsed = private_key::parse(bytes, None, true).filter(|parsed| !parsed.is_cut)?;
    // A zero byte ends the mark; cipher, derivation and its options, the number of keys, both halves.
    let mut fields = Fields(bytes.get(keyword_len + 1..)?);
    for _ in 0..3 {
        fields.string()?;
    }
    fields.number()?;
    fields.string()?;
    fields.string()?;
    let range = window.hit..window.hit + bytes.len() - fields.0.len();
    let change = Parsed::into_change(parsed).with("armour: none");
    Some(Found { span: Span { secret: range.clone(), matched: range }, change, is_cut: false })
}
