//! Connection strings and the configuration of databases, brokers and stores, in the syntax of each product.

use crate::support::{Scanned, fixture, image, scan, testdata};
use residue::finding::Finding;
use residue::scan::Options;

fn scanned(tree: &str) -> Scanned {
    let file = image(&fixture(&format!("connections/{tree}.img")));
    scan(file.path(), &Options { show_secrets: true, ..Options::default() })
}

fn is_in(finding: &Finding, path: &str) -> bool {
    finding.place.path.as_deref().is_some_and(|at| at.strip_prefix('/') == Some(path))
}

#[test]
fn the_password_of_each_product_s_configuration_is_found() {
    let scanned = scanned("real");
    let expected = std::fs::read_to_string(testdata("connections/expected.tsv")).unwrap();
    let lost: Vec<&str> = expected
        .lines()
        .filter(|line| {
            let (path, password) = line.split_once('\t').unwrap();
            let says = |finding: &Finding| {
                let secret = finding.secret_shown.as_deref();
                is_in(finding, path) && secret.is_some_and(|secret| secret.contains(password))
            };
            !scanned.findings.iter().any(says)
        })
        .collect();
    assert!(expected.lines().count() > 200);
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn what_stands_in_place_of_a_password_is_none() {
    let scanned = scanned("standin");
    let found: Vec<_> = scanned
        .findings
        .iter()
        .filter(|finding| finding.category.to_string() != "leftover")
        .map(|finding| (&finding.place.path, &finding.rule, &finding.secret_shown))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
