//! From text to findings: rules, windows, walkers and validators together, as the sweep uses them.

use residue::detect::{Detector, Match, Scratch, Window};
use residue::rules::Encoding;
use residue::sweep::prefilter::Prefilter;
use std::collections::BTreeMap;

/// Finds what the sweep would find in a file that holds `text`: literals, gate, window, confirmation.
fn scan(detector: &Detector, text: &[u8], path: Option<&str>) -> Vec<(String, Match, Vec<u8>)> {
    let prefilter = Prefilter::new(detector.literals()).unwrap();
    let mut hits = Vec::new();
    prefilter.scan(text, &mut hits);
    hits.sort_unstable();
    let mut found = BTreeMap::new();
    let mut scratch = Scratch::default();
    let path = || path.map(|path| path.as_bytes().to_vec());
    for hit in hits.into_iter().filter(|hit| hit.encoding == Encoding::Narrow) {
        if detector.is_hopeless(hit.literal, text, hit.offset) {
            continue;
        }
        let reach = detector.reach(hit.literal);
        let start = hit.offset.saturating_sub(reach.before);
        let end = (hit.offset + reach.after).min(text.len());
        let window = Window {
            bytes: &text[start..end],
            hit: hit.offset - start,
            at_start: start == 0,
            at_end: end == text.len(),
            path: &path,
        };
        detector.confirm(&mut scratch, hit.literal, &window, &mut |mut one| {
            let secret = window.bytes[one.secret.clone()].to_vec();
            one.secret = one.secret.start + start..one.secret.end + start;
            found.insert((one.rule, one.secret.start), (detector.rules()[one.rule].id.clone(), one, secret));
        });
    }
    found.into_values().collect()
}

fn ids(detector: &Detector, text: &str) -> Vec<String> {
    scan(detector, text.as_bytes(), None).into_iter().map(|(id, ..)| id).collect()
}

const ED25519: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
";

#[test]
fn a_header_without_a_body_is_no_key() {
    let detector = Detector::builtin().unwrap();
    for text in [
        "-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----",
        "if (strstr(line, \"-----BEGIN PRIVATE KEY-----\")) { return parse(line, length, options); }",
        "-----BEGIN PRIVATE KEY-----\nYOUR KEY HERE\n-----END PRIVATE KEY-----",
        ED25519,
    ] {
        assert_eq!(ids(&detector, text), [""; 0], "{text}");
    }
}
