//! File formats that more than one layer reads: leftovers ask them questions, decoders hand on all they hold.

pub(crate) mod hive;
mod numbers;
pub(crate) mod sqlite;

pub(crate) use numbers::{be16, be32, le16, le32, le64};

/// A file of `testdata/leftovers`, decompressed.
#[cfg(test)]
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/leftovers").join(name);
    let packed = std::fs::read(path).unwrap();
    let mut out = Vec::new();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed.as_slice()).unwrap();
    std::io::Read::read_to_end(&mut decoder, &mut out).unwrap();
    out
}
