//! Images without a package manager that keep dpkg's records: `status.d/NAME` with one paragraph and
//! `status.d/NAME.md5sums`.

use super::Database;
use super::dpkg::{is_unpacked, md5sums, stanzas};
use super::image::Image;
use super::wanted::{Wanted, package};
use crate::error::Result;
use std::collections::HashMap;

pub(super) const DATABASE: Database = Database { marks: &[b"/var/lib/dpkg/status.d"], read };

fn read(image: &Image<'_>, wanted: &mut Wanted<'_>) -> Result<()> {
    let names = image.names(b"/var/lib/dpkg/status.d")?;
    let by_name: HashMap<&[u8], _> = names.iter().map(|(name, id)| (name.as_slice(), *id)).collect();
    for (name, id) in &names {
        let Some(status) = name.strip_suffix(b".md5sums").and_then(|name| by_name.get(name)) else {
            continue;
        };
        let (Ok(status), Ok(sums)) = (image.read_entry(*status), image.read_entry(*id)) else { continue };
        let mut shown = None;
        stanzas(&status, &mut |stanza| {
            // The paragraph is the package's own, which has no `Status`: it is there, so its files are.
            if shown.is_none() && stanza.status.is_none_or(is_unpacked) {
                shown = package(stanza.package, stanza.version);
            }
        });
        let Some(shown) = shown else { continue };
        if !md5sums(&sums, &mut |path, digest| wanted.offer(path, digest, &shown)) {
            break;
        }
    }
    Ok(())
}
