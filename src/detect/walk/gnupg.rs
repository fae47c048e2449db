//! Private keys that GnuPG's agent keeps.

use super::key_file::never;
use super::{Found, Walker};
use crate::detect::confirm::Span;
use crate::detect::validate::{private_key::Parsed, sexp};
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "gnupg-agent", reach: Reach { before: 0, after: 16 << 10 }, refuses: never, walk };

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let (parsed, len) = sexp::parse(window.bytes.get(window.hit..)?)?;
    let range = window.hit..window.hit + len;
    Some(Found {
        span: Span { secret: range.clone(), matched: range },
        change: Parsed::into_change(parsed),
        is_cut: false,
    })
}
