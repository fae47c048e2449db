//! Numbers that carry their own check digit: payment cards, bank accounts, people's numbers.

use super::{Change, Ruling, Subject, Validator};

pub(super) const LUHN: Validator = Validator { name: "luhn", check: |subject| rule(subject, is_luhn) };
pub(super) const CARD: Validator =
    Validator { name: "payment-card", check: |subject| rule(subject, is_card) };
pub(super) const IBAN: Validator = Validator { name: "iban", check: |subject| rule(subject, is_iban) };
pub(super) const RESIDENT_ID: Validator =
    Validator { name: "resident-id", check: |subject| rule(subject, is_resident_id) };
pub(super) const MY_NUMBER: Validator =
    Validator { name: "my-number", check: |subject| rule(subject, is_my_number) };

/// The check passes on the secret without its spaces and hyphens.
fn rule(subject: &Subject<'_>, passes: fn(&[u8]) -> bool) -> Ruling {
    let bare: Vec<u8> =
        subject.secret().iter().copied().filter(|byte| !matches!(byte, b' ' | b'-')).collect();
    if passes(&bare) { Ruling::Amend(Change::proven()) } else { Ruling::Reject }
}

fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}

/// ISO/IEC 7812-1, annex B.
fn is_luhn(number: &[u8]) -> bool {
    let mut sum = 0;
    for (place, &byte) in number.iter().rev().enumerate() {
        let Some(mut value) = digit(byte) else { return false };
        if place % 2 == 1 {
            value *= 2;
            value -= if value > 9 { 9 } else { 0 };
        }
        sum += value;
    }
    number.len() >= 8 && sum % 10 == 0
}

/// A number of an issuer's range and length that passes Luhn's check.
fn is_card(number: &[u8]) -> bool {
    let head = |len: usize| {
        number.get(..len).unwrap_or_default().iter().try_fold(0, |sum, &byte| Some(sum * 10 + digit(byte)?))
    };
    let (Some(two), Some(three), Some(four)) = (head(2), head(3), head(4)) else { return false };
    let fits = match number.len() {
        13 => two / 10 == 4,
        14 => matches!(two, 36 | 38 | 39) || (300..=305).contains(&three),
        15 => matches!(two, 34 | 37),
        16 => {
            two / 10 == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || matches!(two, 62 | 65)
                || (3528..=3589).contains(&four)
        }
        17..=19 => matches!(two, 62) || two / 10 == 4,
        _ => false,
    };
    let mut distinct = number.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    fits && distinct.len() > 3 && is_luhn(number)
}

/// ISO 13616: the remainder by 97 is 1 (ISO/IEC 7064, MOD 97-10).
fn is_iban(number: &[u8]) -> bool {
    if !(15..=34).contains(&number.len()) {
        return false;
    }
    let (country, rest) = number.split_at(4);
    let mut remainder = 0;
    for &byte in rest.iter().chain(country) {
        let Some(value) = char::from(byte).to_digit(36) else { return false };
        remainder = if value > 9 { remainder * 100 + value } else { remainder * 10 + value } % 97;
    }
    country.iter().take(2).all(u8::is_ascii_uppercase) && remainder == 1
}

/// GB 11643: a possible date of birth, and the check character of ISO/IEC 7064, MOD 11-2.
fn is_resident_id(number: &[u8]) -> bool {
    let (Some(body), Some(&last)) = (number.get(..17), number.get(17)) else { return false };
    if number.len() != 18 {
        return false;
    }
    let mut remainder = 0;
    for &byte in body {
        let Some(value) = digit(byte) else { return false };
        remainder = (remainder + value) * 2 % 11;
    }
    let expected = (12 - remainder) % 11;
    let actual = if last.eq_ignore_ascii_case(&b'X') { Some(10) } else { digit(last) };
    let part = |start: usize, end: usize| {
        body.get(start..end)
            .unwrap_or_default()
            .iter()
            .fold(0, |sum, &byte| sum * 10 + digit(byte).unwrap_or(0))
    };
    let is_date = (1880..=2100).contains(&part(6, 10))
        && (1..=12).contains(&part(10, 12))
        && (1..=31).contains(&part(12, 14));
    actual == Some(expected) && is_date && (11..=91).contains(&part(0, 2))
}

/// Japan's individual number: the check digit of the ministerial ordinance on it.
fn is_my_number(number: &[u8]) -> bool {
    let digits: Option<Vec<u32>> = number.iter().map(|&byte| digit(byte)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 12) else { return false };
    let sum: u32 = digits
        .iter()
        .take(11)
        .rev()
        .zip(1..)
        .map(|(value, place)| value * if place <= 6 { place + 1 } else { place - 5 })
        .sum();
    let expected = match sum % 11 {
        0 | 1 => 0,
        remainder => 11 - remainder,
    };
    digits.last() == Some(&expected) && digits.iter().any(|value| *value != digits[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_accept_the_documented_numbers_and_refuse_a_changed_digit() {
        type Check = fn(&[u8]) -> bool;
        let cases: [(Check, &str, &str); 4] = [
            (is_card, "4012888888881881", "4012888888881882"),
            (is_iban, "DE89370400440532013000", "DE89370400440532013001"),
            (is_resident_id, "11010519491231002X", "110105194912310021"),
            (is_my_number, "123456789018", "123456789019"),
        ];
        for (check, good, bad) in cases {
            assert!(check(good.as_bytes()), "{good}");
            assert!(!check(bad.as_bytes()), "{bad}");
        }
        assert!(is_luhn(b"4111111111111111") && !is_card(b"4111111111111111"));
    }
}
