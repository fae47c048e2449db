//! How much a string reads like words: the cost of its letter pairs.

/// Cost of a letter after another in tenths of a bit; the last row is the start of a word.
///
/// Counted over the 15,078 words that occur eight times or more in the names and comments of 160
/// permissively licensed Rust packages, each weighted by the logarithm of its count.
#[rustfmt::skip]
const COSTS: [[u8; 26]; 27] = [
    [75, 45, 37, 40, 86, 71, 50, 89, 47, 99, 65, 32, 45, 33, 96, 44, 99, 32, 39, 26, 59, 63, 75, 65, 59, 87],
    [31, 57, 48, 62, 34, 65, 82, 82, 29, 69, 88, 24, 61, 74, 38, 64, 99, 40, 39, 58, 34, 78, 99, 88, 56, 89],
    [31, 74, 52, 65, 34, 68, 56, 34, 46, 99, 38, 44, 60, 66, 25, 60, 86, 46, 46, 33, 52, 63, 85, 86, 72, 99],
    [37, 61, 63, 42, 18, 58, 65, 79, 26, 78, 94, 49, 62, 66, 43, 60, 77, 40, 40, 57, 46, 66, 70, 80, 70, 99],
    [44, 70, 40, 31, 52, 54, 58, 85, 65, 99, 77, 44, 48, 32, 70, 53, 67, 27, 31, 35, 75, 55, 66, 47, 74, 99],
    [37, 65, 53, 45, 39, 28, 65, 82, 26, 99, 90, 35, 60, 63, 32, 56, 91, 42, 37, 49, 49, 95, 78, 94, 65, 99],
    [42, 69, 62, 68, 18, 67, 57, 41, 35, 99, 76, 51, 56, 40, 49, 56, 78, 32, 37, 61, 43, 72, 76, 79, 77, 89],
    [24, 77, 71, 52, 22, 72, 77, 86, 29, 99, 76, 60, 52, 67, 28, 73, 99, 43, 57, 45, 47, 99, 63, 99, 59, 80],
    [50, 57, 41, 42, 50, 47, 44, 99, 94, 96, 80, 45, 42, 21, 32, 53, 97, 52, 41, 35, 89, 53, 99, 68, 99, 51],
    [27, 77, 66, 74, 23, 66, 64, 99, 33, 99, 43, 80, 65, 76, 28, 67, 99, 78, 32, 51, 29, 99, 99, 99, 99, 99],
    [38, 57, 57, 43, 17, 59, 68, 63, 29, 99, 94, 52, 63, 52, 53, 55, 94, 56, 30, 44, 55, 70, 67, 99, 69, 99],
    [31, 73, 63, 48, 24, 65, 76, 87, 26, 99, 59, 33, 69, 71, 30, 70, 99, 69, 50, 45, 53, 70, 84, 99, 39, 99],
    [24, 49, 62, 64, 22, 73, 75, 92, 31, 99, 69, 62, 50, 67, 37, 31, 91, 68, 40, 55, 44, 87, 90, 91, 84, 99],
    [39, 75, 40, 34, 33, 49, 29, 75, 43, 93, 59, 60, 74, 59, 39, 67, 96, 67, 35, 27, 56, 60, 84, 94, 74, 91],
    [64, 60, 34, 47, 71, 56, 58, 86, 61, 86, 63, 41, 41, 23, 50, 41, 99, 30, 43, 45, 40, 53, 47, 77, 89, 99],
    [30, 70, 57, 67, 28, 71, 68, 53, 40, 99, 73, 37, 67, 78, 34, 38, 96, 27, 46, 38, 49, 78, 75, 85, 69, 99],
    [56, 53, 58, 44, 47, 65, 61, 84, 54, 99, 82, 49, 67, 53, 71, 54, 75, 47, 47, 67, 8, 83, 73, 99, 85, 99],
    [31, 73, 53, 50, 20, 65, 61, 95, 32, 99, 61, 62, 49, 55, 33, 58, 86, 50, 39, 41, 54, 64, 76, 88, 56, 99],
    [48, 75, 45, 69, 24, 72, 60, 44, 29, 99, 59, 59, 61, 66, 46, 44, 85, 63, 40, 24, 42, 78, 68, 86, 54, 76],
    [35, 75, 51, 64, 24, 61, 78, 45, 24, 99, 85, 53, 60, 69, 41, 58, 93, 33, 39, 48, 51, 78, 80, 65, 50, 86],
    [49, 46, 44, 57, 45, 52, 58, 99, 45, 99, 92, 36, 39, 25, 65, 40, 99, 35, 32, 32, 84, 90, 97, 74, 99, 89],
    [27, 70, 60, 62, 12, 55, 72, 75, 27, 99, 99, 56, 51, 63, 45, 59, 96, 62, 51, 59, 91, 97, 77, 75, 99, 99],
    [25, 67, 54, 51, 30, 71, 90, 43, 28, 94, 84, 54, 58, 34, 37, 55, 86, 35, 44, 55, 69, 96, 80, 68, 91, 99],
    [38, 65, 35, 53, 30, 44, 79, 60, 36, 99, 87, 54, 52, 68, 52, 29, 66, 56, 51, 26, 69, 72, 72, 49, 64, 97],
    [51, 55, 48, 61, 42, 61, 66, 80, 43, 99, 87, 46, 40, 31, 46, 24, 99, 57, 28, 40, 80, 68, 58, 99, 51, 58],
    [34, 99, 69, 55, 8, 69, 72, 74, 34, 99, 84, 71, 62, 70, 38, 99, 99, 78, 49, 91, 65, 99, 82, 99, 62, 53],
    [40, 46, 36, 42, 42, 44, 52, 55, 42, 75, 66, 49, 43, 46, 53, 38, 74, 40, 32, 42, 50, 57, 56, 70, 85, 78],
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
