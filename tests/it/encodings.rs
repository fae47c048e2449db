//! Secrets in text that is not plain ASCII: UTF-16 of both byte orders, Windows-1252, GB18030.

use crate::support::{engine, image, scan};
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
    // Base64 is decoded in narrow text only.
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
