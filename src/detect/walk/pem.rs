//! Private keys in PEM armour (RFC 7468, RFC 1421 headers), in every dress.

use super::armour::{self, Line, Plain, find};
use super::{BODY_LEN_MAX, Found, Walker};
use crate::detect::confirm::Span;
use crate::detect::validate::private_key::{self, Parsed};
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "pem", reach: Reach { before: HEAD_LEN_MAX, after: BODY_LEN_MAX }, refuses, walk };

/// Most bytes of the header line before the keyword: what is in front of `-----BEGIN`, and a label.
const HEAD_LEN_MAX: usize = 128;
/// Most bytes of a label such as `ENCRYPTED`, in whatever encoding.
const LABEL_LEN_MAX: usize = 48;
/// Least characters of a body worth decoding: the shortest keys, Ed25519 in PKCS#8, have 64.
const BODY_LEN_MIN: usize = 40;

/// The keyword stands behind `BEGIN`, and text goes on behind it.
fn refuses(before: &[u8], from: &[u8]) -> bool {
    let near = before.get(before.len().saturating_sub(LABEL_LEN_MAX)..).unwrap_or_default();
    let has_begin = find(near, b"BEGIN").is_some();
    (before.len() >= LABEL_LEN_MAX && !has_begin) || from.iter().take(28).any(|&byte| byte == 0)
}

/// Where the block starts: at the dashes in front of `BEGIN`.
pub(super) fn begin(window: &Window<'_>) -> Option<usize> {
    let low = window.hit.saturating_sub(LABEL_LEN_MAX);
    let label = window.bytes.get(low..window.hit)?;
    let word = label.windows(5).rposition(|part| part == b"BEGIN")?;
    if label.get(word..)?.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return None;
    }
    let head = window.bytes.get(..low + word)?;
    let dashes = head.iter().rev().take_while(|&&byte| matches!(byte, b'-' | b' ' | b'+')).count();
    (dashes >= 4).then(|| (head.len() - dashes..head.len()).find(|&at| head.get(at) == Some(&b'-')))?
}

/// What stands on the block's first line before it, when the line starts in the window.
pub(super) fn prefix<'a>(window: &Window<'a>, begin: usize) -> &'a [u8] {
    let head = window.bytes.get(..begin).unwrap_or_default();
    let start = head.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
    let start = start.or(window.at_start.then_some(0));
    start.and_then(|start| head.get(start..)).unwrap_or_default()
}

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let begin = begin(window)?;
    let from_hit = window.bytes.get(window.hit..)?;
    let plus_is_space = window.bytes.get(begin..window.hit)?.contains(&b'+');
    let plain = Plain::new(from_hit, plus_is_space);
    // The label's own end: `KEY-----`.
    let key = find(plain.text.get(..64.min(plain.text.len()))?, b"KEY")? + 3;
    let dashes = plain.text.get(key..)?.iter().take_while(|&&byte| matches!(byte, b'-' | b' ')).count();
    let body_start = key + dashes;
    let end = plain.find(b"-----END", body_start).or_else(|| plain.find(b"---- END", body_start));
    let block = Block::read(&plain, body_start..end.unwrap_or(plain.text.len()), prefix(window, begin))?;
    let is_whole = end.is_some();
    let last = match end {
        Some(end) => end_of_footer(&plain, end),
        None => block.end,
    };
    let matched = begin..window.hit + plain.raw_end(last);
    let parsed = private_key::parse(&block.body, block.cipher.as_deref(), is_whole)?;
    Some(Found {
        is_cut: !is_whole && matched.end + 8 >= window.bytes.len() && !window.at_end,
        span: Span { secret: matched.clone(), matched },
        change: Parsed::into_change(parsed),
    })
}

/// Where the footer that starts at `end` is over: behind its last dashes.
pub(super) fn end_of_footer(plain: &Plain, end: usize) -> usize {
    let label = plain.find(b"END", end).map_or(end, |at| at + 3);
    let rest = plain.text.get(label..).unwrap_or_default();
    let words = rest.iter().take(LABEL_LEN_MAX);
    let text = words.take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ');
    let dashes_at = label + text.count();
    let dashes = plain.text.get(dashes_at..).unwrap_or_default().iter().take_while(|&&byte| byte == b'-');
    dashes_at + dashes.take(5).count()
}

/// The content of a block.
#[derive(Debug, Default)]
struct Block {
    body: Vec<u8>,
    /// The cipher that `DEK-Info` names.
    cipher: Option<String>,
    /// Where the last line of the body ends in the plain text.
    end: usize,
}

impl Block {
    fn read(plain: &Plain, range: std::ops::Range<usize>, prefix: &[u8]) -> Option<Self> {
        let text = plain.text.get(range.clone())?;
        let mut block = Self::default();
        let mut body = Vec::with_capacity(text.len());
        let mut at = range.start;
        for (raw, line) in text.split(|&byte| byte == b'\n' || byte == b'\r').zip(armour::lines(text, prefix))
        {
            at += raw.len() + 1;
            match line {
                Line::Blank => {}
                Line::Header(name, value) => block.header(name, value),
                Line::Body(part) => {
                    body.extend_from_slice(part);
                    block.end = at - 1;
                }
                Line::Other => match block.words(raw, &mut body) {
                    true => block.end = at - 1,
                    false => break,
                },
            }
        }
        if body.len() < BODY_LEN_MIN {
            return None;
        }
        // A block that breaks off may do so anywhere in a group of four.
        while body.len() % 4 == 1 {
            body.pop();
        }
        block.body = armour::decode_base64(&body)?;
        Some(block)
    }

    fn header(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("DEK-Info") {
            self.cipher = Some(value.split(',').next().unwrap_or(value).to_owned());
        } else if name.eq_ignore_ascii_case("Proc-Type") && value.contains("ENCRYPTED") {
            self.cipher.get_or_insert_with(|| "unnamed cipher".to_owned());
        }
    }

    /// A block whose line breaks became spaces: headers and body are words of one line.
    fn words(&mut self, line: &[u8], body: &mut Vec<u8>) -> bool {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut any = false;
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_suffix(b":") {
                let value = words.next().unwrap_or_default();
                self.header(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
                continue;
            }
            let bare: Vec<u8> =
                word.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'' | b',')).collect();
            if !bare.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
                return any;
            }
            body.extend_from_slice(&bare);
            any = true;
        }
        any
    }
}
