//! Phone numbers: the lengths of E.164, and the numbering plans of the numbers that stand without a country.

use super::{Ruling, Subject, Validator};

pub(super) const VALIDATOR: Validator = Validator { name: "phone", check };

fn check(subject: &Subject<'_>) -> Ruling {
    if is_phone(subject.secret()) { Ruling::Accept } else { Ruling::Reject }
}

fn is_phone(text: &[u8]) -> bool {
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    let mut distinct = digits.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let runs = digits.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) == 1).count();
    // Rows of one digit and of digits in order stand for a number.
    if distinct.len() < 4 || runs + 3 > digits.len() || looks_like_date(text) {
        return false;
    }
    if text.contains(&b'+') {
        return (8..=15).contains(&digits.len()) && digits.first() != Some(&b'0');
    }
    match digits.as_slice() {
        // Mobile numbers of China.
        [b'1', b'3'..=b'9', ..] if digits.len() == 11 => true,
        // North America: area and exchange start with 2 to 9; 555-01xx is kept for fiction.
        [b'2'..=b'9', _, _, b'2'..=b'9', rest @ ..] if rest.len() == 6 => digits.get(3..8) != Some(b"55501"),
        // A trunk prefix: Japan, most of Europe, China's land lines.
        [b'0', b'1'..=b'9', ..] => (9..=12).contains(&digits.len()),
        _ => false,
    }
}

/// `2020-01-01 10:00`, `01.02.2020`.
fn looks_like_date(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| !byte.is_ascii_digit()).filter(|part| !part.is_empty());
    let lens: Vec<usize> = parts.by_ref().take(3).map(<[u8]>::len).collect();
    matches!(lens[..], [4, 2, 2] | [2, 2, 4] | [1..=3, 1..=3, 1..=3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_numbering_plans_are_phones_and_dates_are_not() {
        for text in ["+49 30 901820", "+86 138 1234 5678", "13812345678", "(212) 736-5000", "03-3580-3311"] {
            assert!(is_phone(text.as_bytes()), "{text}");
        }
        for text in
            ["123456789", "2020-01-01 10", "000-000-0000", "+0123456789", "192.168.1.20", "212-555-0123"]
        {
            assert!(!is_phone(text.as_bytes()), "{text}");
        }
    }
}
