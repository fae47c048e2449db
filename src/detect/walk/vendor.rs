//! Tokens that only the word of their vendor gives away: `ACME_API_KEY=…`, `acme: { "token": "…" }`.
//!
//! The keyword is the vendor's word. Behind it, a value counts that has the vendor's form, where that is
//! known, and that looks drawn by a machine, where it is not; a telling name stands before it, or nothing
//! but an operator between it and the word.

use crate::detect::confirm::Span;
use crate::detect::judge::contains_ignoring_case;
use crate::detect::validate::token;
use crate::detect::validate::words::is_wordy;
use crate::detect::{Reach, Window};
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use std::ops::Range;

/// How much content is looked at: the way to a value, and the value.
pub(in crate::detect) const REACH: Reach = Reach { before: 8, after: DISTANCE_MAX + VALUE_LEN_MAX };

/// Most bytes between the vendor's word and a value.
const DISTANCE_MAX: usize = 144;
/// Most bytes between the vendor's word and a value without a telling name.
const BARE_DISTANCE_MAX: usize = 24;
/// How far before a value its telling name may stand.
const NAME_DISTANCE_MAX: usize = 48;
/// Most bytes of a value.
const VALUE_LEN_MAX: usize = 1024;
/// Least bytes of a value whose form is not known.
const VALUE_LEN_MIN: usize = 16;
/// Most lines between the word and a value.
const LINES_MAX: usize = 4;
/// Most values that belong to one word: an id, a secret, and one more.
const VALUES_MAX: usize = 3;

/// Words of the names that secrets have.
const TELLING: &[&[u8]] = &[
    b"key",
    b"token",
    b"secret",
    b"passw",
    b"pwd",
    b"auth",
    b"bearer",
    b"basic",
    b"credential",
    b"dsn",
    b"access",
    b"private",
    b"_pat",
    b"-pat",
    b" pat",
];

/// Words of the names that checksums, revisions and identifiers of other things have.
const OTHER_THINGS: &[&[u8]] = &[
    b"commit",
    b"sha1",
    b"sha2",
    b"sha5",
    b"sha-",
    b"md5",
    b"checksum",
    b"digest",
    b"integrity",
    b"revision",
    b"etag",
    b"blob",
    b"tree/",
    b"hash",
    b"fingerprint",
    b"public_key",
    b"public key",
    b"publickey",
    b"version",
    b"user agent",
    b"user-agent",
];

/// Names that a secret has although they hold one of [`OTHER_THINGS`].
const SECRET_NAMES: &[&[u8]] =
    &[b"md5_key", b"md5key", b"md5-key", b"sha256_key", b"hash_key", b"hashkey", b"hash_secret"];

/// Whether the bytes behind the word rule a value out: too few bytes that a value is made of in one piece.
/// `has_form` says whether the vendor's form is known.
pub(in crate::detect) fn refuses(from: &[u8], has_form: bool) -> bool {
    let Some(near) = from.get(..DISTANCE_MAX + VALUE_LEN_MIN) else {
        return from.iter().take(8).any(|&byte| byte == 0);
    };
    // A value of known form may be as short as that form.
    let least = if has_form { 8 } else { VALUE_LEN_MIN };
    let mut run = 0;
    let has_run = near.iter().any(|&byte| {
        run = if is_value(byte) { run + 1 } else { 0 };
        run >= least
    });
    let has_digit = near.iter().any(u8::is_ascii_digit);
    !has_run || !has_digit
}

/// Emits the values that belong to the word of this length at the window's hit. `form` is the vendor's.
pub(in crate::detect) fn walk(
    window: &Window<'_>,
    word_len: usize,
    form: Option<&Regex>,
    emit: &mut dyn FnMut(Span),
) {
    if !is_word(window, word_len) {
        return;
    }
    let start = window.hit + word_len;
    let text = Text { bytes: window.bytes, word: window.hit, start };
    let (mut at, mut count, mut last_end) = (start, 0, start);
    let limit = window.bytes.len().min(start + DISTANCE_MAX);
    let mut lines = 0;
    while at < limit && count < VALUES_MAX {
        let Some(&byte) = window.bytes.get(at) else { return };
        // Text ends where a binary goes on.
        if byte == 0 {
            return;
        }
        if byte == b'\n' {
            lines += 1;
            if lines > LINES_MAX {
                return;
            }
        }
        let before = at.checked_sub(1).and_then(|at| window.bytes.get(at));
        let can_start = is_value(byte) && before.is_some_and(|&before| stands_before(before, form.is_some()));
        let value = if can_start { text.value(at, form) } else { None };
        let Some(value) = value else {
            at += 1;
            continue;
        };
        let is_next = count > 0 && value.start - last_end <= 8;
        if text.belongs(&value, is_next) && token::is_token(&window.bytes[value.clone()]) {
            (count, last_end) = (count + 1, value.end);
            emit(Span { matched: window.hit..value.end, secret: value.clone() });
        }
        at = value.end;
    }
}

/// Whether the keyword is a word of its own there: `mite`, `MiteKey`, `MITE_KEY`, not `dynamite` or `mites`.
fn is_word(window: &Window<'_>, word_len: usize) -> bool {
    let at = |index: Option<usize>| index.and_then(|index| window.bytes.get(index)).copied().unwrap_or(b' ');
    let (before, first) = (at(window.hit.checked_sub(1)), at(Some(window.hit)));
    let starts = !before.is_ascii_alphabetic()
        || !first.is_ascii_alphabetic()
        || (before.is_ascii_lowercase() && first.is_ascii_uppercase());
    let (last, after) = (at(Some(window.hit + word_len - 1)), at(Some(window.hit + word_len)));
    let ends = word_len >= 6 || !(last.is_ascii_lowercase() && after.is_ascii_lowercase());
    starts && ends
}

/// The window, and where the word stands in it.
struct Text<'a> {
    bytes: &'a [u8],
    word: usize,
    start: usize,
}

impl Text<'_> {
    /// The value that starts at `at`.
    fn value(&self, at: usize, form: Option<&Regex>) -> Option<Range<usize>> {
        match form {
            Some(form) => self.of_form(at, form),
            None => self.of_any_form(at),
        }
    }

    fn of_form(&self, at: usize, form: &Regex) -> Option<Range<usize>> {
        let end = self.bytes.len().min(at + VALUE_LEN_MAX);
        let found = form.search(&Input::new(self.bytes).range(at..end).anchored(Anchored::Yes))?;
        let value = found.range();
        let next = self.bytes.get(value.end).copied().unwrap_or(b' ');
        let after = self.bytes.get(value.end + 1).copied().unwrap_or(b' ');
        let goes_on = next.is_ascii_alphanumeric()
            || next == b'_'
            || matches!(next, b'-' | b'+' | b'/' | b'=' | b'.')
                && (after.is_ascii_alphanumeric() || after == b'=');
        (!goes_on && !value.is_empty()).then_some(value)
    }

    fn of_any_form(&self, at: usize) -> Option<Range<usize>> {
        let rest = self.bytes.get(at..)?;
        let len = rest.iter().take(VALUE_LEN_MAX + 1).position(|&byte| !is_value(byte)).unwrap_or(rest.len());
        let padding = rest.iter().skip(len).take_while(|&&byte| byte == b'=').count();
        let run = rest.get(..len)?;
        // `=` in the middle is an operator: the value starts behind it. So is a name before `/` or `-`.
        let skipped = names(run);
        let value = run.get(skipped..)?;
        let value = value.get(..value.iter().rposition(|byte| *byte != b'.').map_or(0, |at| at + 1))?;
        if !is_plausible(value) {
            return None;
        }
        let operator_follows = padding > 0 && rest.get(len + padding).is_some_and(u8::is_ascii_alphanumeric);
        let is_long = (VALUE_LEN_MIN..=VALUE_LEN_MAX).contains(&value.len());
        if operator_follows || !is_long {
            return None;
        }
        let end = at
            + skipped
            + value.len()
            + if padding <= 2 && skipped + value.len() == len { padding } else { 0 };
        Some(at + skipped..end)
    }

    /// Whether a value belongs to the word.
    fn belongs(&self, value: &Range<usize>, is_next: bool) -> bool {
        let between = self.bytes.get(self.start..value.start).unwrap_or_default();
        let name_start = value.start.saturating_sub(NAME_DISTANCE_MAX).max(self.word);
        let name = self.bytes.get(name_start..value.start).unwrap_or_default();
        let line = between.get(between.len().saturating_sub(NAME_DISTANCE_MAX)..).unwrap_or_default();
        let line = line.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let says = |words: &[&[u8]], text: &[u8]| words.iter().any(|word| contains_ignoring_case(text, word));
        if says(OTHER_THINGS, line) && !says(SECRET_NAMES, line)
            || self.is_listed_digest(value)
            || self.is_number_of_a_thing(value, line)
        {
            return false;
        }
        let words = between.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| word.len() > 3).count();
        let is_bare = between.len() <= BARE_DISTANCE_MAX && !between.contains(&b'\n') && words <= 1;
        is_next || is_bare || says(TELLING, name)
    }

    /// `d41d8cd9…  usr/share/…`: a line of a list of checksums.
    fn is_listed_digest(&self, value: &Range<usize>) -> bool {
        let at = |index: usize| self.bytes.get(index).copied().unwrap_or(b'\n');
        let starts_line = value.start == 0 || at(value.start - 1) == b'\n';
        let is_hex = self.bytes.get(value.clone()).is_some_and(|text| text.iter().all(u8::is_ascii_hexdigit));
        is_hex && (starts_line && at(value.end) == b' ' || at(value.end) == b' ' && at(value.end + 1) == b' ')
    }

    /// `network_id: "…"`: a UUID that names a thing. Ids that belong to a secret are named after it.
    fn is_number_of_a_thing(&self, value: &Range<usize>, line: &[u8]) -> bool {
        const OF_SECRETS: [&[u8]; 6] = [b"key", b"client", b"app", b"access", b"secret", b"token"];
        let end = line.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |at| at + 1);
        let name = line.get(..end).unwrap_or_default();
        let start =
            name.iter().rposition(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')));
        let name = name.get(start.map_or(0, |at| at + 1)..).unwrap_or_default().to_ascii_lowercase();
        let is_id = name.ends_with(b"id") || name.ends_with(b"ids");
        let is_of_secret = OF_SECRETS.iter().any(|word| contains_ignoring_case(&name, word));
        value.len() == 36 && is_id && !is_of_secret
    }
}

/// Whether a value can start behind `before`. A value of unknown form stands behind an operator, a quote or a
/// space; one whose form is known may be joined to a name.
fn stands_before(before: u8, has_form: bool) -> bool {
    if has_form {
        return !before.is_ascii_alphanumeric() && !matches!(before, b'@' | b'#');
    }
    before.is_ascii_whitespace()
        || matches!(before, b'"' | b'\'' | b'`' | b'=' | b':' | b'(' | b'{' | b'[' | b'>' | b',' | b'|')
}

/// Whether text of value characters is no version, file name, host name, path or number.
fn is_plausible(text: &[u8]) -> bool {
    let count = |byte: u8| text.iter().filter(|&&one| one == byte).count();
    let extension = text.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let is_file = count(b'.') > 0 && extension.len() <= 5 && extension.iter().all(u8::is_ascii_alphanumeric);
    // `4.15.1`, `0.6`: two numbers joined by a dot, at the start or twice.
    let joined = text
        .windows(3)
        .filter(|three| three[0].is_ascii_digit() && three[1] == b'.' && three[2].is_ascii_digit());
    let starts_as_number =
        text.get(1..4).is_some_and(|head| text[0].is_ascii_digit() && head.contains(&b'.'));
    let is_version = starts_as_number || joined.count() >= 2;
    let is_number = text.starts_with(b"0x") || text.starts_with(b"0X");
    let is_path = text.first() == Some(&b'/')
        || count(b'/') * 12 > text.len()
        || text.windows(2).any(|two| two == b"//");
    let joints = count(b'-') + count(b'_') + count(b'.');
    let words = text
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|part| part.len() >= 4 && part.iter().all(u8::is_ascii_alphabetic) && is_wordy(part));
    let is_name = joints >= 2 && words.map(<[u8]>::len).sum::<usize>() * 3 > text.len();
    // `ACME_API_KEY_2024`: the name of a variable.
    let is_part = |part: &[u8]| {
        part.iter().all(u8::is_ascii_uppercase) || (part.len() <= 4 && part.iter().all(u8::is_ascii_digit))
    };
    let is_constant = count(b'_') >= 2 && text.split(|byte| *byte == b'_').all(is_part);
    !(is_file || is_version || is_number || is_path || is_name || is_constant || text.contains(&b'~'))
}

/// Length of the names and path segments in front of a value: `-PRIVATE-`, `/v1/keys/`.
fn names(run: &[u8]) -> usize {
    let mut skipped = 0;
    while let Some(rest) = run.get(skipped..)
        && let Some(joint) =
            rest.iter().position(|byte| matches!(byte, b'/' | b'-' | b'_' | b'.' | b'+' | b'~'))
        && rest
            .get(..joint)
            .is_some_and(|part| part.len() <= 16 && part.iter().all(u8::is_ascii_alphabetic) && is_name(part))
    {
        skipped += joint + 1;
    }
    skipped
}

/// Whether a part of a run is a word and no piece of a value.
fn is_name(part: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"", b"api", b"key", b"keys", b"token", b"secret", b"private", b"public", b"access", b"client",
        b"app", b"auth", b"bearer", b"user", b"users", b"account", b"id", b"v",
    ];
    NAMES.iter().any(|name| part.eq_ignore_ascii_case(name))
}

/// Whether a byte can stand in a value.
fn is_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'+' | b'/' | b'%')
}
