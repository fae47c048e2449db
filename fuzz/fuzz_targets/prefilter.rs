//! Every engine of the prefilter reports what the automaton reports, for any literals and any content.
//!
//! The input: a byte for the number of literals, for each a byte with its length and whether it keeps case,
//! then its bytes; the rest is the content, which is also searched from its second byte on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::rules::Literal;
use residue::sweep::prefilter::{Engine, LITERAL_MIN, Prefilter};

/// Takes literals off the front of `input`.
fn literals(input: &mut &[u8]) -> Option<Vec<Literal>> {
    let mut literals = Vec::new();
    for _ in 0..=input.split_off_first()? % 16 {
        let form = *input.split_off_first()?;
        let mut bytes = input.split_off(..LITERAL_MIN + usize::from(form / 2 % 32))?.to_vec();
        let ignore_case = form % 2 == 1;
        if ignore_case {
            bytes.make_ascii_lowercase();
        }
        literals.push(Literal { bytes, ignore_case });
    }
    Some(literals)
}

fuzz_target!(|input: &[u8]| {
    let mut content = input;
    let Some(literals) = literals(&mut content) else { return };
    let engines = Engine::ALL.into_iter().filter(|engine| engine.is_available());
    let mut expected = None;
    for engine in engines {
        let prefilter = Prefilter::with_engine(&literals, engine).expect("the literals are long enough");
        let hits = [content, content.get(1..).unwrap_or_default()].map(|slice| {
            let mut hits = Vec::new();
            prefilter.scan(slice, &mut hits);
            hits.sort_unstable();
            hits
        });
        let expected = expected.get_or_insert_with(|| hits.clone());
        assert_eq!(hits, *expected, "{engine}");
    }
});
