//! What fills a clean system and looks like secrets: nothing in it may be reported.

use crate::support::{scan, testdata};
use residue::scan::Options;

#[test]
fn nothing_is_found_in_texts_of_a_clean_system() {
    let scanned = scan(&testdata("quiet"), &Options { show_secrets: true, ..Options::default() });
    let found: Vec<_> = scanned
        .findings
        .iter()
        .filter(|finding| finding.category.to_string() != "leftover")
        .map(|finding| (&finding.place.path, finding.place.line, &finding.rule, &finding.secret_shown))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    // The folder was read at all.
    assert!(scanned.summary.coverage.scanned > 50_000);
}
