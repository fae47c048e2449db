//! Bytes written as text, and parts of mails: wherever a run is seen, it lies in the content, and so does what it
//! decodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::content::{coded, mime, written};

/// Bytes of an input that are looked at, and places among them, spread evenly: each place may cost as much as the
/// input is long.
const LENGTH_MAX: usize = 4096;
const PLACES: usize = 16;

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(LENGTH_MAX)];
    let step = data.len() / PLACES + 1;
    // A header of a mail may end anywhere.
    for header in (0..data.len()).step_by(step) {
        let Some(at) = mime::body(data, header) else { continue };
        assert!(at > header && at <= data.len());
        mime::is_announced(data, at);
        if let Some(run) = coded::announced(data, at) {
            assert!(run.range.start == at && run.range.end <= data.len());
            assert!(coded::decode(data, &run).bytes.len() <= run.range.len());
        }
    }
    // What a person asks for may lie anywhere, behind the end as well.
    for name in ["base64", "hex", "quoted-printable", "percent-encoded", "json-escaped", "html-escaped"] {
        let form = written::Written::named(name).expect("the name of a form");
        for at in (0..=data.len() + 1).step_by(step) {
            for end in [at, at + 20, usize::MAX] {
                let Some(opened) = form.open(data, at..end) else { continue };
                assert!(opened.range.start <= opened.bytes.len() && opened.range.end <= opened.bytes.len());
                assert!(opened.bytes.len() <= data.len());
            }
        }
    }
    let mut places = Vec::new();
    coded::places(data, &mut places);
    for place in places {
        let (range, run) = coded::look(data, place, 0);
        // What looks plain may be a mark, right behind a run.
        assert!((range.start..=range.end).contains(&place) && range.end <= data.len());
        if let Some(run) = run {
            let decoded = coded::decode(data, &run);
            assert!(decoded.bytes.len() <= range.len());
            for at in 0..decoded.bytes.len() {
                let source = decoded.source(at).unwrap();
                assert!(range.contains(&source.start) && source.end <= range.end);
                assert_eq!((decoded.position(source.start), decoded.end(source.end)), (at, at + 1));
            }
        }
    }
});
