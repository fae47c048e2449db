//! Personal data: one finding a file and kind, with the number of all, and only when asked for.

use residue::record::Record;
use residue::scan::{self, Engine, Options, Silent};
use std::collections::BTreeMap;
use std::fs;

const TEXT: &str = "\
mail ann.lee@corp-mail.net, bob.ray@corp-mail.net
card number: 4539 5787 6362 1486
IBAN: DE89 3704 0044 0532 0130 00
iban=GB29NWBK60161331926819
SSN: 219-09-9998
id card 11010519491231002X
my number: 1234 5678 9018
";

/// The evidence of each rule's findings, in a folder with the text in one file.
fn found(pii: bool) -> BTreeMap<String, Vec<Vec<String>>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.txt"), TEXT).unwrap();
    let options = Options { pii, ..Options::default() };
    let mut found: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    scan::run(&Engine::new(&options).unwrap(), folder.path(), &options, &Silent, &mut |record| {
        if let Record::Finding(finding) = record {
            found.entry(finding.rule.clone()).or_default().push(finding.evidence.clone());
        }
        Ok(())
    })
    .unwrap();
    found.retain(|rule, _| rule.starts_with("pii-"));
    found
}

#[test]
fn each_kind_is_counted_in_its_file_when_asked_for() {
    let counts: Vec<(String, Vec<Vec<String>>)> = found(true).into_iter().collect();
    let expected = [
        ("pii-chinese-resident-id", 1),
        ("pii-e-mail-address", 2),
        ("pii-iban", 2),
        ("pii-japanese-my-number", 1),
        ("pii-payment-card", 1),
        ("pii-us-social-security-number", 1),
    ];
    let expected = expected.map(|(rule, count)| {
        (rule.to_owned(), vec![vec![format!("in this file: {count}, this is the first")]])
    });
    assert_eq!(counts, expected);
    assert!(found(false).is_empty());
}
