//! Every engine of the prefilter reports what the automaton reports.

use proptest::prelude::*;
use residue::rules::{Encoding, Literal};
use residue::sweep::prefilter::{Engine, Hit, Prefilter};
use std::fs;
use std::path::Path;

/// The engines under test on this machine.
fn engines() -> impl Iterator<Item = Engine> {
    Engine::ALL.into_iter().filter(|&engine| engine != Engine::Automaton && engine.is_available())
}

fn literal(text: &[u8], ignore_case: bool) -> Literal {
    let bytes = if ignore_case { text.to_ascii_lowercase() } else { text.to_vec() };
    Literal { bytes, ignore_case }
}

fn hits(prefilter: &Prefilter, bytes: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    prefilter.scan(bytes, &mut hits);
    hits.sort_unstable();
    hits
}

/// Compares all engines with the automaton on each slice; returns how many hits there were.
fn compare(literals: &[Literal], slices: &[&[u8]]) -> usize {
    let oracle = Prefilter::with_engine(literals, Engine::Automaton).unwrap();
    let expected: Vec<Vec<Hit>> = slices.iter().map(|slice| hits(&oracle, slice)).collect();
    for engine in engines() {
        let prefilter = Prefilter::with_engine(literals, engine).unwrap();
        for (slice, expected) in slices.iter().zip(&expected) {
            let found = hits(&prefilter, slice);
            if found != *expected {
                let lost: Vec<_> = expected.iter().filter(|hit| !found.contains(hit)).take(5).collect();
                let extra: Vec<_> = found.iter().filter(|hit| !expected.contains(hit)).take(5).collect();
                let length = slice.len();
                panic!(
                    "{engine}, slice of {length} bytes: {} hits, expected {}; lost {lost:?}, extra {extra:?}",
                    found.len(),
                    expected.len()
                );
            }
        }
    }
    expected.iter().map(Vec::len).sum()
}

/// A text in one of the encodings.
fn encode(text: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Narrow => text.to_vec(),
        Encoding::Utf16Le => text.iter().flat_map(|&byte| [byte, 0]).collect(),
        Encoding::Utf16Be => text.iter().flat_map(|&byte| [0, byte]).collect(),
    }
}

/// The literals of the benchmarks.
fn keywords() -> Vec<Literal> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/keywords.txt");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(kind, word)| literal(word.as_bytes(), kind == "i"))
        .collect()
}

#[test]
fn a_literal_is_found_at_every_place_of_a_slice() {
    let literals =
        [literal(b"ghp_", false), literal(b"password", true), literal(b"aws_secret_access_key", true)];
    for text in [&b"ghp_"[..], b"PassWord", b"AWS_secret_ACCESS_key"] {
        for encoding in [Encoding::Narrow, Encoding::Utf16Le, Encoding::Utf16Be] {
            let word = encode(text, encoding);
            for filler in *b"\0 a\xff" {
                // Around the ends of lines and of blocks, and of the slice itself.
                let mut slices = Vec::new();
                for start in (0..140).chain(4030..4230).chain(8100..8200) {
                    let mut slice = vec![filler; start];
                    slice.extend_from_slice(&word);
                    slices.push(slice.clone());
                    slice.extend_from_slice(&[filler; 77]);
                    slices.push(slice);
                }
                let slices: Vec<&[u8]> = slices.iter().map(Vec::as_slice).collect();
                assert!(compare(&literals, &slices) >= slices.len(), "{filler:#x} {encoding:?}");
            }
        }
    }
}

#[test]
fn literals_that_contain_each_other_and_repeat_are_all_reported() {
    let mut literals: Vec<Literal> =
        [&b"token"[..], b"oken", b"access_token", b"access_token_secret", b"token", b"aaaa", b"aaaaaaaa"]
            .iter()
            .flat_map(|text| [literal(text, true), literal(text, false)])
            .collect();
    literals.push(literal(&b"long".repeat(90), true));
    literals.push(literal(b"\0\0\0\0", false));
    literals.push(literal(b"\xc3\xa4\xf6\xfc\x80\xff\x01", false));
    literals.push(literal("паро".as_bytes(), true));
    let mut text = b"ACCESS_TOKEN_SECRET access_token_secret ".repeat(300);
    text.extend_from_slice(&b"a".repeat(5000));
    text.extend_from_slice(&b"Long".repeat(1200));
    text.extend_from_slice(&[0; 300]);
    text.extend_from_slice(b"\xc3\xa4\xf6\xfc\x80\xff\x01");
    text.extend_from_slice("пароль".as_bytes());
    let wide = [encode(&text, Encoding::Utf16Le), encode(&text, Encoding::Utf16Be)];
    let hits = compare(&literals, &[&text, &wide[0], &wide[0][1..], &wide[1], &wide[1][1..]]);
    assert!(hits > 50_000, "{hits}");
}

#[test]
fn real_files_give_the_same_hits_in_every_engine() {
    let literals = keywords();
    let mut text = Vec::new();
    for name in ["Cargo.lock", "benches/keywords.txt", "src/rules/mod.rs", "src/sweep/prefilter/rarity.bin"] {
        text.extend(fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap());
    }
    // The test's own binary: code, tables and strings.
    if let Ok(binary) = std::env::current_exe().and_then(fs::read) {
        text.extend_from_slice(&binary[..binary.len().min(4 << 20)]);
    }
    let wide = encode(&text[..text.len().min(1 << 20)], Encoding::Utf16Be);
    assert!(compare(&literals, &[&text, &text[13..], &wide[1..]]) > 1000);
}

/// Bytes of text that is near to the literals: pieces of them, in any case and encoding, amid other bytes.
fn content(literals: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let encoding =
        prop_oneof![2 => Just(Encoding::Narrow), 1 => Just(Encoding::Utf16Le), 1 => Just(Encoding::Utf16Be)];
    let piece = (proptest::sample::select(literals), any::<[u8; 3]>(), encoding).prop_map(
        |(mut text, [kind, at, value], encoding)| {
            let place = usize::from(at) % text.len();
            match kind % 6 {
                0 => text[place] = value,
                1 => text.truncate(place),
                2 => drop(text.drain(..place)),
                3 => text[place] ^= 0x20,
                4 => text.make_ascii_uppercase(),
                _ => {}
            }
            encode(&text, encoding)
        },
    );
    let filler = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        (any::<u8>(), 0_usize..200).prop_map(|(byte, count)| vec![byte; count]),
        "[a-z_ =]{0,60}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(prop_oneof![3 => piece, 1 => filler], 0..150).prop_map(|parts| parts.concat())
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = prop_oneof![
        3 => "[a-c_]{4,12}".prop_map(String::into_bytes),
        3 => "[A-Za-z0-9_./:=-]{4,40}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 4..20),
    ];
    proptest::collection::vec(text, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engines_agree_on_adversarial_content(
        (texts, content) in texts().prop_flat_map(|texts| (Just(texts.clone()), content(texts))),
        cases: u64,
        skip in 0_usize..70,
    ) {
        let literals: Vec<Literal> = texts
            .iter()
            .enumerate()
            .map(|(number, text)| literal(text, cases >> (number % 64) & 1 == 1))
            .collect();
        let cut = content.len().min(skip);
        compare(&literals, &[&content, &content[cut..], &content[..cut]]);
    }
}
