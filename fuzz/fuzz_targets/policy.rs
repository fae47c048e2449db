//! Documents of policies: they are judged or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::policy::check;

fuzz_target!(|text: &str| {
    let documents: Vec<_> = text.split('\0').map(|text| ("policy.json".to_owned(), text.to_owned())).collect();
    let _ = check(&documents);
});
