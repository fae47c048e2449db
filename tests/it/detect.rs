//! From text to findings: rules, windows, walkers and validators together, as the sweep uses them.

use residue::detect::{Detector, Found, Trial, check};

fn scan(detector: &Detector, text: &[u8]) -> Vec<Found> {
    Trial::new(detector).unwrap().run(text, None)
}

fn ids(detector: &Detector, text: &str) -> Vec<String> {
    scan(detector, text.as_bytes()).into_iter().map(|found| found.rule).collect()
}

#[test]
fn every_built_in_rule_keeps_what_it_promises() {
    let detector = Detector::builtin().unwrap();
    let problems: Vec<String> = check(&detector).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
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
