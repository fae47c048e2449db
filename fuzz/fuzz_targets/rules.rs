//! Files of rules, in the project's own form and in the foreign one: they load or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::rules::RuleSet;

fuzz_target!(|text: &str| {
    let _ = RuleSet::empty().add_own("rules.toml", text);
    let _ = RuleSet::empty().add_foreign("foreign.toml", text);
});
