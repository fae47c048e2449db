//! Bytes written as text: wherever a run is seen, it lies in the content, and so does what it decodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::content::{coded, mime};

fuzz_target!(|data: &[u8]| {
    // A header of a mail may end anywhere.
    for header in (0..data.len()).step_by(7) {
        let Some(at) = mime::body(data, header) else { continue };
        assert!(at > header && at <= data.len());
        mime::is_announced(data, at);
        if let Some(run) = coded::announced(data, at) {
            assert!(run.range.start == at && run.range.end <= data.len());
            assert!(coded::decode(data, &run).bytes.len() <= run.range.len());
        }
    }
    let mut places = Vec::new();
    coded::places(data, &mut places);
    for place in places {
        let (range, run) = coded::look(data, place);
        assert!(range.contains(&place) && range.end <= data.len());
        if let Some(run) = run {
            let decoded = coded::decode(data, &run);
            assert!(decoded.bytes.len() <= range.len());
            for at in 0..decoded.bytes.len() {
                assert!(range.contains(&decoded.source(at).unwrap()));
            }
        }
    }
});
