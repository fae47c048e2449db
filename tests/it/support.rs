//! What the integration tests share.

use std::io::Read as _;
use std::path::Path;

/// A file of `testdata/`, decompressed: `fixture("volumes/gpt.raw")` is `testdata/volumes/gpt.raw.zst`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    decompressed(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/{name}.zst")))
}

fn decompressed(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// An image that another project made for its own tests, from the folder that `RESIDUE_IMAGES` names. `None`,
/// and a word on the terminal, where there is no such folder.
pub(crate) fn real_image(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("RESIDUE_IMAGES") else {
        println!("skipped: {name} is only there where RESIDUE_IMAGES names a folder");
        return None;
    };
    Some(decompressed(&Path::new(&folder).join(format!("{name}.zst"))))
}
