//! Values on command lines: short and weak ones count, as nothing but the option in front of them says what they
//! are; what a manual prints in their place does not.

use super::generic::{FileKind, file_kind};
use super::words::is_wordy;
use super::{Change, Ruling, Subject, Validator, placeholder};
use crate::rules::Verdict;

pub(super) const VALIDATOR: Validator = Validator { name: "command-line", check };

/// Passwords that are typed although they read like a placeholder.
const TYPED: [&[u8]; 2] = [b"changeit", b"private"];
/// What stands in usage lines, beside the names that every placeholder may have.
const USAGE: [&[u8]; 12] = [
    b"string", b"stdin", b"prompt", b"public", b"yes", b"no", b"exit", b"quit", b"the", b"for", b"and", b"is",
];

fn check(subject: &Subject<'_>) -> Ruling {
    let value = subject.secret();
    let is_hash =
        value.strip_prefix(b"$").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_alphanumeric))
            && value.iter().filter(|byte| **byte == b'$').count() >= 3;
    if is_hash {
        return Ruling::Accept;
    }
    if !TYPED.contains(&value) && is_absent(value) {
        return Ruling::Reject;
    }
    let kind = (subject.window.path)().map_or(FileKind::Other, |path| file_kind(&path));
    // Words after an option that any program may have are mostly its description.
    let is_word = value.len() >= 4 && value.iter().all(u8::is_ascii_alphabetic) && is_wordy(value);
    match kind {
        FileKind::Other if !(is_word && is_any_option(subject.matched())) => Ruling::Accept,
        _ => Ruling::Amend(Change { verdict: Some(Verdict::Possible), ..Change::default() }),
    }
}

/// Whether the match starts with the option, and not with the program that it belongs to.
fn is_any_option(matched: &[u8]) -> bool {
    matched.iter().take(2).any(|byte| *byte == b'-')
}

/// Whether the value stands for one, or is another option, a place in a template, or the end of a sentence.
fn is_absent(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_name_of_one =
        value.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-')) && value.len() >= 3;
    let has_letter_or_digit = value.iter().any(u8::is_ascii_alphanumeric);
    let is_markup =
        value.iter().any(|byte| matches!(byte, b'<' | b'>' | b'{' | b'}' | b'[' | b']' | b'(' | b')'))
            || value.starts_with(b"\\")
            || value.iter().any(|byte| !byte.is_ascii_graphic() && *byte != b' ');
    let is_sentence = matches!(value.last(), Some(b'.' | b',' | b':' | b'\\'));
    value.is_empty()
        || value.starts_with(b"-")
        || value.starts_with(b"$")
        || value.starts_with(b"%")
        || !has_letter_or_digit
        || is_name_of_one
        || is_markup
        || is_sentence
        || USAGE.contains(&lower.as_slice())
        || (is_one_case(value) && is_called_password(&lower))
        || placeholder::is_template(value)
        || (value.len() >= LEN_SURE && placeholder::is_placeholder(value))
}

/// Length below which rows and words say nothing: `abc123` is what people type.
const LEN_SURE: usize = 8;

/// `Password` and `SECRET` name a thing; `sEcReT` is one.
fn is_one_case(value: &[u8]) -> bool {
    let rest = value.get(1..).unwrap_or_default();
    let has = |is_in: fn(&u8) -> bool| rest.iter().any(is_in);
    !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
}

/// `password`, `mypass`, `dbpassword`: the name of what should stand there.
fn is_called_password(lower: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] =
        [b"password", b"passwd", b"secret", b"token", b"pass", b"passphrase", b"mypass"];
    NAMES.iter().any(|name| lower == *name || (lower.len() < 16 && lower.ends_with(name) && is_wordy(lower)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_usage_lines_print_is_absent_and_weak_passwords_are_not() {
        for text in [
            "PASSWORD",
            "<password>",
            "${PW}",
            "$PW",
            "%PASS%",
            "-stdin",
            "string",
            "the",
            "yourpassword",
            "...",
        ] {
            assert!(is_absent(text.as_bytes()), "{text}");
        }
        for text in ["abc", "pw", "x1", "b", "abc123", "abcDEF", "sEcReT", "hunter2", "S3cr3t!", "pa ss"] {
            assert!(!is_absent(text.as_bytes()), "{text}");
        }
    }
}
