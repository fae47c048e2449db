//! What the integration tests share.

use std::io::Read as _;
use std::path::Path;

/// A file of `testdata/`, decompressed: `fixture("volumes/gpt.raw")` is `testdata/volumes/gpt.raw.zst`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/{name}.zst"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
