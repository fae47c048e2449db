//! Lines of JSON as an earlier scan's: they are read or refused, and every format takes what was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use residue::report::{self, FORMATS, Settings};

fuzz_target!(|bytes: &[u8]| {
    let mut records = Vec::new();
    let _ = report::read(bytes, &mut |record| {
        records.push(record);
        Ok(())
    });
    if records.is_empty() {
        return;
    }
    for format in FORMATS {
        let Ok(mut report) = (format.create)(Box::new(std::io::sink()), &Settings::default()) else { continue };
        for record in &records {
            let _ = report.write(&record.borrow());
        }
        let _ = report.finish();
    }
});
