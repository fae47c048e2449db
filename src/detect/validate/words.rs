//! How much a string reads like words: the cost of its letter pairs.

/// Cost of a letter after another in tenths of a bit; the last row is the start of a word.
///
/// Counted by `words.py` beside this file over the 31,746 words that occur eight times or more in the names and
/// comments of 563 permissively licensed Rust packages, each weighted by the logarithm of its count.
#[rustfmt::skip]
const COSTS: [[u8; 26]; 27] = [
    [70, 46, 37, 41, 79, 69, 46, 89, 51, 99, 68, 32, 41, 34, 93, 43, 99, 34, 40, 25, 57, 62, 72, 65, 60, 92],
    [32, 55, 49, 58, 35, 61, 71, 80, 32, 50, 70, 26, 60, 67, 38, 56, 99, 43, 40, 56, 32, 76, 87, 93, 55, 92],
    [31, 60, 51, 65, 32, 65, 65, 35, 47, 99, 41, 44, 58, 69, 25, 59, 88, 43, 49, 33, 52, 69, 80, 89, 69, 99],
    [37, 51, 55, 42, 19, 58, 71, 72, 28, 86, 86, 45, 57, 63, 44, 55, 87, 40, 42, 56, 52, 63, 50, 72, 72, 99],
    [43, 67, 39, 34, 55, 54, 58, 79, 62, 99, 81, 45, 47, 31, 64, 55, 68, 26, 31, 37, 75, 52, 66, 46, 66, 99],
    [40, 64, 53, 50, 35, 29, 71, 80, 26, 99, 91, 35, 60, 59, 27, 60, 93, 45, 42, 52, 51, 80, 76, 75, 66, 99],
    [44, 64, 56, 60, 19, 60, 59, 44, 36, 99, 76, 48, 57, 41, 47, 52, 85, 32, 35, 50, 44, 74, 75, 83, 77, 92],
    [24, 63, 52, 48, 25, 68, 69, 76, 32, 99, 70, 56, 52, 61, 31, 58, 92, 41, 51, 40, 51, 76, 61, 99, 62, 84],
    [50, 58, 39, 38, 50, 50, 47, 77, 82, 99, 83, 44, 45, 21, 32, 51, 98, 54, 40, 36, 90, 53, 92, 70, 99, 51],
    [34, 77, 62, 76, 15, 70, 61, 80, 38, 99, 59, 75, 69, 80, 26, 49, 99, 74, 36, 58, 35, 80, 82, 90, 99, 99],
    [41, 53, 55, 47, 16, 57, 65, 68, 30, 99, 90, 54, 54, 54, 59, 55, 81, 57, 28, 47, 54, 70, 65, 89, 72, 99],
    [31, 66, 61, 50, 23, 65, 69, 84, 27, 99, 68, 35, 71, 72, 32, 43, 99, 69, 49, 46, 49, 66, 84, 99, 45, 92],
    [25, 50, 60, 56, 21, 60, 71, 82, 33, 99, 75, 53, 50, 65, 37, 32, 80, 65, 40, 54, 48, 83, 81, 86, 87, 99],
    [37, 72, 40, 34, 34, 42, 31, 75, 43, 93, 62, 60, 69, 59, 43, 62, 95, 66, 35, 26, 51, 58, 78, 98, 78, 97],
    [63, 56, 37, 45, 72, 56, 55, 86, 61, 92, 64, 40, 42, 22, 52, 39, 99, 29, 46, 46, 39, 55, 49, 75, 85, 99],
    [31, 62, 47, 54, 29, 59, 70, 52, 41, 99, 75, 41, 63, 65, 36, 41, 93, 28, 39, 39, 49, 65, 66, 85, 73, 99],
    [59, 58, 55, 47, 53, 63, 69, 94, 60, 99, 92, 42, 52, 58, 54, 52, 82, 54, 47, 62, 8, 76, 65, 93, 86, 96],
    [32, 69, 49, 50, 20, 62, 60, 91, 33, 99, 63, 60, 49, 57, 31, 60, 89, 50, 41, 40, 55, 60, 76, 93, 53, 99],
    [47, 72, 43, 66, 27, 66, 63, 44, 32, 99, 61, 62, 61, 66, 45, 41, 80, 60, 38, 24, 43, 69, 67, 89, 55, 55],
    [33, 69, 51, 62, 24, 62, 80, 44, 25, 99, 85, 57, 57, 71, 41, 57, 96, 34, 42, 48, 51, 73, 76, 71, 44, 95],
    [50, 43, 47, 56, 42, 46, 62, 99, 44, 99, 96, 38, 37, 28, 71, 41, 99, 33, 32, 30, 84, 90, 99, 76, 99, 94],
    [27, 67, 53, 60, 15, 60, 64, 72, 24, 99, 84, 62, 52, 66, 47, 52, 82, 62, 49, 55, 83, 98, 84, 83, 99, 99],
    [28, 58, 48, 50, 35, 56, 78, 47, 29, 99, 68, 54, 45, 36, 37, 48, 86, 39, 35, 53, 72, 78, 77, 76, 96, 76],
    [40, 58, 37, 50, 32, 42, 64, 60, 38, 99, 84, 55, 50, 67, 55, 31, 76, 62, 52, 21, 71, 64, 63, 58, 60, 97],
    [54, 55, 49, 56, 48, 60, 72, 77, 45, 99, 72, 43, 42, 33, 49, 17, 99, 55, 31, 41, 73, 66, 63, 91, 67, 70],
    [35, 69, 50, 51, 11, 53, 73, 76, 37, 99, 82, 63, 61, 61, 44, 48, 99, 60, 47, 61, 59, 62, 71, 83, 69, 59],
    [42, 49, 37, 38, 45, 46, 54, 51, 42, 77, 65, 45, 44, 48, 52, 35, 74, 42, 33, 44, 50, 57, 53, 67, 86, 84],
];

/// Least mean cost of a letter, in tenths of a bit, of what does not read like words. Of words of six
/// letters and more one in twenty lies above it, of random letters one in thirty below.
const COST_MIN: u32 = 48;

/// Whether the letters of `text` read like words: camel case, digits and marks separate them.
pub(crate) fn is_wordy(text: &[u8]) -> bool {
    mean_cost(text).is_some_and(|cost| cost < COST_MIN)
}

/// Mean cost of the letters of `text` in tenths of a bit; none where there are fewer than three.
pub(crate) fn mean_cost(text: &[u8]) -> Option<u32> {
    let (mut total, mut count) = (0_u32, 0_u32);
    let mut before = 26_usize;
    let mut was_lower = false;
    for &byte in text {
        if !byte.is_ascii_alphabetic() {
            before = 26;
            was_lower = false;
            continue;
        }
        if was_lower && byte.is_ascii_uppercase() {
            before = 26;
        }
        was_lower = byte.is_ascii_lowercase();
        let letter = usize::from(byte.to_ascii_lowercase() - b'a');
        total += u32::from(COSTS[before][letter]);
        count += 1;
        before = letter;
    }
    (count >= 3).then(|| total / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cost_less_than_random_letters() {
        for text in ["DatabaseConnection", "password", "monkey", "administrator", "my_service_account"] {
            assert!(is_wordy(text.as_bytes()), "{text}");
        }
        for text in ["qwkzjx", "tGmVqLz", "xkcdzqpl", "sbxEmzpjkWcaH", "ZqXwVbNm"] {
            assert!(!is_wordy(text.as_bytes()), "{text}");
        }
    }
}
