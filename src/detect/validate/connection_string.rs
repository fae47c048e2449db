//! Passwords in connection strings: percent-decoded, not empty, not a placeholder.

use super::placeholder;
use super::{Change, Ruling, Subject, Validator};
use crate::rules::Verdict;
use std::borrow::Cow;

pub(super) const VALIDATOR: Validator = Validator { name: "connection-string", check };

/// For strings of keywords and values: they stand unquoted in source code as well as in configuration.
pub(super) const KEYWORDS: Validator = Validator { name: "keyword-string", check: check_keywords };

/// Names that stand for a host in documentation (RFC 2606, RFC 6761).
const EXAMPLE_HOSTS: &[&[u8]] = &[
    b"@example.",
    b".example.com",
    b".example.org",
    b".example.net",
    b"@hostname",
    b"@host:",
    b"@host/",
    b"@your",
];

fn check(subject: &Subject<'_>) -> Ruling {
    let password = decode(subject.secret());
    if password.is_empty()
        || placeholder::is_template(&password)
        || placeholder::is_instruction(&password)
        || password.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'#'))
    {
        return Ruling::Reject;
    }
    let matched = subject.matched().to_ascii_lowercase();
    let is_documented =
        EXAMPLE_HOSTS.iter().any(|host| matched.windows(host.len()).any(|part| part == *host));
    // The user's name as password, on a host that cannot exist, is how manuals write it.
    if is_documented && super::words::is_wordy(&password) && !password.iter().any(u8::is_ascii_digit) {
        return Ruling::Amend(Change { verdict: Some(Verdict::Possible), ..Change::default() });
    }
    if is_default(&matched, &password) {
        return Ruling::Amend(Change { verdict: Some(Verdict::Possible), ..Change::default() });
    }
    Ruling::Accept
}

fn check_keywords(subject: &Subject<'_>) -> Ruling {
    let password = subject.secret();
    if placeholder::is_placeholder(password) {
        return Ruling::Reject;
    }
    // A word alone is how manuals write it.
    if super::words::is_wordy(password) && !password.iter().any(u8::is_ascii_digit) {
        return Ruling::Amend(Change { verdict: Some(Verdict::Possible), ..Change::default() });
    }
    Ruling::Accept
}

/// Whether the password is what brokers ship (`guest:guest@`) or manuals write (`user:pass@`).
fn is_default(matched: &[u8], password: &[u8]) -> bool {
    const PASSWORDS: &[&[u8]] = &[b"guest", b"pass", b"pass]", b"xyz", b"pw", b"passwd"];
    let password = password.to_ascii_lowercase();
    let pair = [b"//".as_slice(), &password, b":", &password, b"@"].concat();
    let is_pair = password.len() <= 8 && matched.windows(pair.len()).any(|part| part == pair);
    PASSWORDS.contains(&password.as_slice())
        || is_pair && contains(matched, b"localhost") | contains(matched, b"127.0.0.1")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Percent-encoding undone (RFC 3986, section 2.1).
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.filter(|_| first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_and_stray_signs_stay() {
        for (text, expected) in [("p%40ss", "p@ss"), ("100%", "100%"), ("%zz%41", "%zzA"), ("plain", "plain")]
        {
            assert_eq!(decode(text.as_bytes()).as_ref(), expected.as_bytes());
        }
    }
}
