//! Secrets in text that is not plain ASCII: UTF-16 of both byte orders, Windows-1252, GB18030.

use crate::support::{engine, image, scan, shown_again, token, tokens_only};
use data_encoding::{BASE64, BASE64_MIME, HEXLOWER};
use residue::rules::{Encoding, Example, Rule};
use residue::scan::Options;
use std::collections::BTreeSet;

/// What separates the examples: more than any rule looks at, and not blank.
const GAP: usize = 24 << 10;

/// Rules that are looked for in UTF-16 and need no path, with an example of each.
fn examples() -> Vec<(&'static Rule, &'static Example)> {
    let rules = engine().detector.rule_set().rules().iter();
    let rules = rules.filter(|rule| rule.path.is_none() && rule.is_sought_in(Encoding::Utf16Le));
    rules
        .filter_map(|rule| Some((rule, rule.matches.first().filter(|example| example.path.is_none())?)))
        .collect()
}

/// A disk without a file system that holds the examples, each as `dress` writes it.
fn disk(examples: &[(&Rule, &Example)], dress: &dyn Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, (_, example)) in examples.iter().enumerate() {
        // Every other one stands at an odd offset of the disk.
        bytes.extend(std::iter::repeat_n(1, GAP + number % 2));
        bytes.extend(dress(&example.text));
    }
    bytes.resize(bytes.len().next_multiple_of(4096) + GAP, 1);
    bytes
}

/// The rules that find something, by name and secret.
fn found(bytes: &[u8]) -> BTreeSet<(String, Vec<u8>)> {
    let file = image(bytes);
    let options = Options { all_verdicts: true, show_secrets: true, ..Options::default() };
    // What is found once more in what text stands for says nothing of the text.
    let findings = scan(file.path(), &options).findings.into_iter();
    let findings = findings.filter(|finding| finding.place.member.is_none());
    findings
        .filter_map(|finding| Some((finding.rule, finding.secret.as_ref()?.expose().trim_ascii().to_vec())))
        .collect()
}

fn plain(text: &str) -> Vec<u8> {
    format!(" {text} \n").into_bytes()
}

#[test]
fn what_is_found_in_ascii_is_found_in_utf_16_of_both_byte_orders() {
    let examples: Vec<_> =
        examples().into_iter().filter(|(_, example)| example.text.is_ascii()).step_by(3).collect();
    let narrow = found(&disk(&examples, &plain));
    assert!(narrow.len() > examples.len() * 3 / 4, "{} of {}", narrow.len(), examples.len());
    for little in [true, false] {
        let encode = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        // At an odd offset the text is read as that of the other byte order, one byte further on: what its
        // last character is then follows from the byte behind it.
        let dress = |text: &str| format!(" {text} \n").encode_utf16().flat_map(encode).collect();
        let wide = found(&disk(&examples, &dress));
        let lost: Vec<_> =
            narrow.difference(&wide).map(|(rule, secret)| (rule, String::from_utf8_lossy(secret))).collect();
        assert!(lost.is_empty(), "little-endian {little}: {lost:?}");
    }
}

#[test]
fn bytes_above_ascii_beside_a_secret_hide_nothing() {
    let examples: Vec<_> = examples().into_iter().step_by(2).collect();
    let narrow = found(&disk(&examples, &plain));
    // "Password:" and "please change" in GB18030; French in Windows-1252. An unquoted value ends with its line:
    // passwords may hold such bytes themselves.
    let around: [(&[u8], &[u8]); 2] = [
        (b"\xc3\xdc\xc2\xeb\xa3\xba", b"\n\xc7\xeb\xd0\xde\xb8\xc4"),
        (b"cl\xe9 d\xe9finie \xe0", b"\npr\xeate \xe0 l'emploi"),
    ];
    for (before, after) in around {
        let dress = |text: &str| [before, text.as_bytes(), after].concat();
        let dressed = found(&disk(&examples, &dress));
        let lost: Vec<_> = narrow
            .difference(&dressed)
            .map(|(rule, secret)| (rule, String::from_utf8_lossy(secret)))
            .collect();
        assert!(lost.is_empty(), "{before:x?}: {lost:?}");
    }
}

/// Texts that hold tokens in Base64 or hexadecimal digits, each with its token.
fn coded_texts() -> Vec<(String, String)> {
    let long = "and words that follow it, so that the text goes on for more than a line. ".repeat(3);
    let script = |number| format!("$key = '{}' # {long}", token(number));
    let utf16 = |text: String| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let task = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task><Exec><Arguments>-NoProfile -enc {}</Arguments></Exec>\
         </Task>\r\n",
        BASE64.encode(&utf16(script(1)))
    );
    let call = format!("$a = [Convert]::FromBase64String('{}')\r\n", BASE64.encode(script(2).as_bytes()));
    let digits = format!("\"Blob\"=\"{}\"\r\n", HEXLOWER.encode(script(3).as_bytes()));
    let lines = format!("-----\r\n{}-----\r\n", BASE64_MIME.encode(script(4).as_bytes()));
    let inner = BASE64.encode(format!("echo {} {long}", BASE64.encode(script(5).as_bytes())).as_bytes());
    [task, call, digits, lines, format!("x={inner}\r\n")]
        .into_iter()
        .zip(1..)
        .map(|(text, number)| (text, token(number)))
        .collect()
}

/// A text as it is, and in UTF-16 of both byte orders with its mark.
const DRESSES: [fn(&str) -> Vec<u8>; 3] = [
    |text| text.as_bytes().to_vec(),
    |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
    |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
];

#[test]
fn encoded_text_in_utf_16_is_read_and_opens_again_where_it_is_told() {
    let folder = tempfile::TempDir::new().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    for (number, (text, _)) in coded_texts().iter().enumerate() {
        for (dress, write) in DRESSES.iter().enumerate() {
            std::fs::write(tree.join(format!("{number}-{dress}")), write(text)).unwrap();
        }
    }
    let scanned = scan(&tree, &tokens_only(2, 1 << 20));
    for (number, (text, token)) in coded_texts().iter().enumerate() {
        let of = |dress: usize| {
            let path = format!("/{number}-{dress}");
            let found = scanned.findings.iter().filter(|one| one.place.path.as_deref() == Some(&path));
            let found: Vec<_> = found.collect();
            assert_eq!(found.len(), 1, "{text} {dress}: {found:?}");
            assert_eq!(found[0].secret_shown.as_ref(), Some(token));
            // The secret itself may be in UTF-16.
            let mut shown = shown_again(folder.path(), "tree", found[0]);
            shown.retain(|&byte| byte != 0);
            assert_eq!(String::from_utf8_lossy(&shown), *token, "{text} {dress}: {found:?}");
            (found[0].place.member.clone(), found[0].place.file_offset.unwrap(), found[0].length.unwrap())
        };
        let (member, offset, length) = of(0);
        assert!(member.is_some() && length > 20, "{text}");
        for dress in [1, 2] {
            assert_eq!(of(dress), (member.clone(), 2 + 2 * offset, 2 * length), "{text} {dress}");
        }
    }
}

#[test]
fn encoded_text_in_utf_16_is_read_wherever_units_and_parts_end() {
    let mut bytes = Vec::new();
    for (at, (text, _)) in coded_texts().iter().enumerate() {
        for write in DRESSES {
            bytes.extend(write(&format!("{}{text}", "-- ".repeat(7 * at))));
            bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        }
    }
    bytes.extend(DRESSES[1](&"~ ".repeat(40_000)));
    bytes.resize(bytes.len().next_multiple_of(512), b'\n');
    let file = image(&bytes);
    let places = |unit: u64| {
        let scanned = scan(file.path(), &tokens_only(2, unit));
        let findings = scanned.findings.iter();
        let places = findings.map(|one| {
            (one.place.disk_offset, one.place.member.clone(), one.length, one.secret_shown.clone())
        });
        places.collect::<BTreeSet<_>>()
    };
    let whole = places(1 << 20);
    let tokens = coded_texts().len() * DRESSES.len();
    assert_eq!(whole.len(), tokens, "{whole:?}");
    for unit in [512, 4096, 4099] {
        assert_eq!(places(unit), whole, "{unit}");
    }
}
