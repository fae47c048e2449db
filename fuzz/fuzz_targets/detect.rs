//! Content around the literals of all built-in rules: confirming neither panics nor points outside of the window.
#![no_main]

use aho_corasick::{AhoCorasick, MatchKind};
use libfuzzer_sys::fuzz_target;
use residue::detect::{Detector, Scratch, Window};
use std::cell::RefCell;
use std::sync::LazyLock;

/// Hits of one input that are confirmed.
const HITS_MAX: usize = 32;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::builtin().expect("the rules compile"));

/// All literals without regard to case; the rules refuse what they take in one case only.
static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let literals = DETECTOR.literals().iter().map(|literal| &literal.bytes);
    let search = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(literals);
    search.expect("the literals are few enough")
});

thread_local!(static SCRATCH: RefCell<Scratch> = RefCell::default());

fuzz_target!(init: { LazyLock::force(&SEARCH); }, |content: &[u8]| {
    for hit in SEARCH.find_overlapping_iter(content).take(HITS_MAX) {
        let literal = hit.pattern().as_usize();
        let window =
            Window { bytes: content, hit: hit.start(), at_start: true, at_end: true, path: &|| Some(b"/etc/x".to_vec()) };
        if DETECTOR.is_hopeless(literal, content, hit.start(), 0) {
            continue;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            DETECTOR.confirm(scratch, literal, &window, &mut |found| {
                assert!(found.secret.start <= found.secret.end && found.secret.end <= content.len());
            });
        });
    }
});
