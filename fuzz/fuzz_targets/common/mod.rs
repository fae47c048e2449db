//! What the targets of all container formats do: damage an image that another program made, or take the input as
//! it is, and go over the disk as a scan does.

use residue::container::{Image, OpenOptions, Spool, Unresolved, open_with};
use residue::io::Backing;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Extents that are looked at.
const EXTENTS_MAX: usize = 4096;

/// An image of `testdata/containers`.
pub fn seed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/containers");
    let packed = std::fs::File::open(folder.join(format!("{name}.zst"))).expect("a fixture");
    let mut bytes = Vec::new();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed).expect("zstd");
    decoder.read_to_end(&mut bytes).expect("zstd");
    bytes
}

/// The first byte chooses a seed, or none; what follows are changes of five to twelve bytes: a place, a length,
/// the bytes.
pub fn run(format: &str, seeds: &[Vec<u8>], input: &[u8]) {
    let Some((&first, mut rest)) = input.split_first() else { return };
    let file = match seeds.get(usize::from(first) % (seeds.len() + 1)) {
        None => rest.to_vec(),
        Some(seed) => {
            let mut file = seed.clone();
            while let Some((head, tail)) = rest.split_first_chunk::<4>() {
                let Some((&length, tail)) = tail.split_first() else { break };
                let (bytes, tail) = tail.split_at(usize::from(length % 9).min(tail.len()));
                let at = u32::from_le_bytes(*head) as usize % file.len().max(1);
                match length {
                    255 => file.truncate(at),
                    _ => file.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = *new),
                }
                rest = tail;
            }
            file
        }
    };
    open(Some(format), file);
}

/// Opens a file as an image of the format, or of any, and goes over the disk.
pub fn open(format: Option<&str>, file: Vec<u8>) {
    let spool = Spool { bytes_max: 1 << 24, size_max: 1 << 32, ..Spool::default() };
    let format = format.map(str::to_owned);
    let options = OpenOptions { format, unresolved: Unresolved::Gap, spool, ..OpenOptions::default() };
    if let Ok(image) = open_with(Arc::new(file), &options) {
        go_over(image.as_ref());
    }
}

fn go_over(image: &dyn Image) {
    let size = image.size();
    let mut at = 0;
    for _ in 0..EXTENTS_MAX {
        if at >= size {
            break;
        }
        let Ok(extent) = image.map(at, size - at) else { break };
        assert!(extent.length > 0 && extent.length <= size - at);
        let length = usize::try_from(extent.length.min(4096)).unwrap_or(1);
        let mut buffer = vec![0xee; length];
        let read = image.read_at(at, &mut buffer);
        match extent.backing {
            Backing::Hole => assert!(read.is_ok() && buffer.iter().all(|&byte| byte == 0)),
            Backing::Missing { .. } => assert!(read.is_err()),
            Backing::Stored { .. } => {
                if let Some(slice) = image.slice(at, 4096) {
                    let common = slice.len().min(length);
                    assert!(read.is_err() || slice[..common] == buffer[..common]);
                }
            }
            Backing::Encoded { .. } => {}
        }
        at += extent.length;
    }
    for residual in image.residual().unwrap_or_default() {
        let mut end = 0;
        for remains in residual.remains {
            assert!(end <= remains.range.start && remains.range.start < remains.range.end);
            end = remains.range.end;
        }
        assert!(end <= residual.file.size());
    }
    for snapshot in image.snapshots().into_iter().take(2).flatten() {
        let mut at = 0;
        for _ in 0..64 {
            if at >= snapshot.unshown.size() {
                break;
            }
            let Ok(extent) = snapshot.unshown.map(at, u64::MAX) else { break };
            let _ = snapshot.unshown.read_at(at, &mut [0; 64]);
            at += extent.length.max(1);
        }
    }
}
