//! Alpine's apk: the installed database, lines of a letter, a colon and a value (apk-tools, apk-package(5)).

use super::Database;
use super::digest::Digest;
use super::image::Image;
use super::wanted::{Wanted, package};
use crate::error::Result;
use std::sync::Arc;

pub(super) const DATABASE: Database = Database { marks: PLACES, read };

/// Where the database is; later versions keep it below `/usr`.
const PLACES: &[&[u8]] = &[b"/lib/apk/db/installed", b"/usr/lib/apk/db/installed"];

fn read(image: &Image<'_>, wanted: &mut Wanted<'_>) -> Result<()> {
    let mut seen = Vec::new();
    for place in PLACES {
        // With a merged /usr both names are one file.
        let Some(node) = image.resolve(place)?.filter(|node| !seen.contains(node)) else { continue };
        seen.push(node);
        records(&image.read_entry(node)?, &mut |path, digest, package| wanted.offer(path, digest, package));
    }
    Ok(())
}

/// Takes a path, its digest and its package; says whether it takes more.
type Visit<'v> = &'v mut dyn FnMut(&[u8], Digest, &Arc<str>) -> bool;

/// Visits the files with a digest until `visit` says `false`.
fn records(text: &[u8], visit: Visit<'_>) {
    let (mut name, mut version): (&[u8], &[u8]) = (b"", b"");
    let (mut directory, mut file): (&[u8], &[u8]) = (b"", b"");
    let mut shown = None;
    for line in text.split(|&byte| byte == b'\n') {
        let (key, value) = line.split_at_checked(2).unwrap_or_default();
        match key {
            b"P:" => (name, shown) = (value, package(value, version)),
            b"V:" => (version, shown) = (value, package(name, value)),
            b"F:" => (directory, file) = (value, b""),
            b"R:" => file = value,
            b"Z:" => {
                let Some((shown, digest)) = shown.as_ref().zip(digest(value)) else { continue };
                let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
                if !file.is_empty() && !visit(&[directory, slash, file].concat(), digest, shown) {
                    return;
                }
            }
            _ if line.is_empty() => {
                ((name, version), (directory, file), shown) = ((b"", b""), (b"", b""), None);
            }
            _ => {}
        }
    }
}

/// `Q1` and base64 of a SHA-1, `Q2` and base64 of a SHA-256.
fn digest(value: &[u8]) -> Option<Digest> {
    let (kind, text) = value.split_at_checked(2)?;
    let bytes = data_encoding::BASE64.decode(text).ok()?;
    match kind {
        b"Q1" => bytes.try_into().ok().map(Digest::Sha1),
        b"Q2" => bytes.try_into().ok().map(Digest::Sha256),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_with_directory_digest_and_package() {
        let sha1 = "Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=";
        let text = format!(
            "C:Q1x=\nP:a\nV:1-r0\nF:\nR:top\nZ:{sha1}\nF:etc\nM:0:0:700\nR:b\na:0:0:600\nZ:{sha1}\nR:c\n\
             R:d\nZ:Q1short\n\nF:etc\nR:nobodys\nZ:{sha1}\n\nP:bad name\nV:1\nF:etc\nR:e\nZ:{sha1}\n"
        );
        let mut seen = Vec::new();
        records(text.as_bytes(), &mut |path, digest, package| {
            assert!(matches!(digest, Digest::Sha1([0xa9, 0x99, ..])));
            seen.push((String::from_utf8(path.to_vec()).unwrap(), package.to_string()));
            true
        });
        let expected = [("top", "a 1-r0"), ("etc/b", "a 1-r0")];
        assert_eq!(seen, expected.map(|(path, package)| (path.to_owned(), package.to_owned())));
    }
}
