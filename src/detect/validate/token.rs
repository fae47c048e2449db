//! Whether a value that stands beside a vendor's name was drawn by a machine: names, words and paths were not.

use super::words::is_wordy;
use super::{Ruling, Subject, Validator, placeholder};

pub(super) const VALIDATOR: Validator = Validator { name: "token", check };

/// Length from which a drawn value of letters and digits all but always has a digit.
const DIGIT_LEN_MIN: usize = 16;

fn check(subject: &Subject<'_>) -> Ruling {
    if is_token(subject.secret()) { Ruling::Accept } else { Ruling::Reject }
}

/// Whether a machine drew `value`.
pub(crate) fn is_token(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let has_letter = value.iter().any(u8::is_ascii_alphabetic);
    let is_name = is_wordy(value) && digits * 8 < value.len();
    let lacks_digit = digits == 0 && value.len() >= DIGIT_LEN_MIN;
    has_letter && !lacks_digit && !is_name && !placeholder::is_placeholder(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_words_and_numbers_are_no_tokens() {
        for text in [
            "PutLifecycleEventHookExecutionStatus",
            "release_transactional_locksEP3THD",
            "12345678901234567890123456789012",
            "golang-github-xlab-treeprint",
            "your_api_key_0123456789",
            "00000000000000000000000000000000",
        ] {
            assert!(!is_token(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn drawn_values_are() {
        for text in [
            "57e45c7fb7d8806a85880e85428c90e8",
            "hKcPKTnlWfVWxvJVcFVNg9FUUuEVk615c",
            "b379cd54-6a1d-4cad-bdb7-e0a30516eef2",
            "mn4xkq0wz8vt2r7y",
        ] {
            assert!(is_token(text.as_bytes()), "{text}");
        }
    }
}
