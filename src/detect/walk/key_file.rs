//! What a decoder handed on as a key file without armour: DER of PKCS#1, PKCS#8 and SEC 1, PKCS#12, Java's key
//! stores, and OpenPGP's secret keys. The keyword is the line in front of the bytes.

use super::{BODY_LEN_MAX, Found, Walker};
use crate::detect::confirm::Span;
use crate::detect::validate::der::{Element, SEQUENCE};
use crate::detect::validate::private_key::{self, Parsed};
use crate::detect::validate::{Change, jks, pgp, pkcs12};
use crate::detect::{Reach, Window};

pub(super) const DER: Walker = walker("der", der);
pub(super) const JKS: Walker = walker("jks", java);
pub(super) const PACKETS: Walker = walker("openpgp-packets", packets);
pub(super) const PKCS12: Walker = walker("pkcs12", store);

const fn walker(name: &'static str, walk: fn(&Window<'_>, usize) -> Option<Found>) -> Walker {
    Walker { name, reach: Reach { before: 0, after: BODY_LEN_MAX }, refuses: never, walk }
}

/// The keyword is rare enough that nothing more needs to be known.
pub(super) fn never(_before: &[u8], _from: &[u8]) -> bool {
    false
}

/// The bytes behind the keyword.
fn content<'a>(window: &Window<'a>, keyword_len: usize) -> Option<&'a [u8]> {
    window.bytes.get(window.hit.checked_add(keyword_len)?..)
}

/// The sequence that a file is, without what follows it.
fn sequence(content: &[u8]) -> Option<&[u8]> {
    let outer = Element::expect(content, SEQUENCE)?;
    content.get(..content.len() - outer.rest.len())
}

fn der(window: &Window<'_>, keyword_len: usize) -> Option<Found> {
    let key = sequence(content(window, keyword_len)?)?;
    let change = Parsed::into_change(private_key::parse_der(key)?);
    Some(found(window, keyword_len, key.len(), change))
}

fn store(window: &Window<'_>, keyword_len: usize) -> Option<Found> {
    let store = sequence(content(window, keyword_len)?)?;
    Some(found(window, keyword_len, store.len(), pkcs12::describe(store)?))
}

fn java(window: &Window<'_>, keyword_len: usize) -> Option<Found> {
    let store = jks::describe(content(window, keyword_len)?)?;
    let is_cut = store.is_cut && !window.at_end;
    Some(Found { is_cut, ..found(window, keyword_len, store.len, store.change) })
}

fn packets(window: &Window<'_>, keyword_len: usize) -> Option<Found> {
    let bytes = content(window, keyword_len)?;
    let (len, is_whole) = pgp::extent(bytes);
    let change = pgp::describe(bytes.get(..len)?, None, is_whole, None)?;
    Some(Found { is_cut: !is_whole && !window.at_end, ..found(window, keyword_len, len, change) })
}

fn found(window: &Window<'_>, keyword_len: usize, len: usize, change: Change) -> Found {
    let start = window.hit + keyword_len;
    let span = Span { matched: window.hit..start + len, secret: start..start + len };
    Found { span, change: change.with(format!("size: {len} bytes, without armour")), is_cut: false }
}
