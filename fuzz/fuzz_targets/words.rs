//! Text from evidence and from users: what is escaped comes back, and places parse or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::location::{Place, escape, harmless, unescape};
use residue::report::AllowList;

fuzz_target!(|bytes: &[u8]| {
    let escaped = escape(bytes);
    assert_eq!(unescape(&escaped), bytes);
    assert_eq!(harmless(&escaped), escaped);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    unescape(text);
    let _ = Place::parse(text);
    let _ = AllowList::default().add(text);
});
