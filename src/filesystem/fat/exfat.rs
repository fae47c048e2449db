//! Directories of exFAT: sets of slots (Microsoft, "exFAT file system specification", sections 6 and 7).

use super::directory::{Described, Found, Label, SLOT};
use super::time::time;
use crate::error::Result;
use crate::filesystem::{EntryKind, Times};
use crate::io::Fields;

/// Set while a slot is in use.
const IN_USE: u8 = 0x80;
const FILE: u8 = 0x05;
const STREAM: u8 = 0x40;
const NAME: u8 = 0x41;
const BITMAP: u8 = 0x81;
const LABEL: u8 = 0x83;

/// First cluster and length of the allocation bitmap.
pub(super) type BitmapPlace = Option<(u32, u64)>;

/// The entries of a directory whose slots are `bytes`, with the label and the bitmap that the root directory names.
pub(super) fn entries(bytes: &[u8]) -> (Vec<Found>, Label, BitmapPlace) {
    let (mut found, mut label, mut bitmap) = (Vec::new(), None, None);
    let slots = bytes.as_chunks::<SLOT>().0;
    let mut at = 0;
    while let Some(slot) = slots.get(at) {
        let fields = Fields::new("directory entry", slot, 0);
        match fields.u8(0).unwrap_or(0) {
            0 => break,
            BITMAP if bitmap.is_none() => bitmap = place(&fields).ok(),
            LABEL => label = label_text(&fields).ok().flatten(),
            kind if kind & !IN_USE == FILE => {
                if let Some((entry, used)) = set(slots, at) {
                    found.push(entry);
                    at = at.saturating_add(used);
                    continue;
                }
            }
            _ => {}
        }
        at = at.saturating_add(1);
    }
    (found, label, bitmap)
}

fn place(fields: &Fields<'_>) -> Result<(u32, u64)> {
    Ok((fields.le_u32(20)?, fields.le_u64(24)?))
}

fn label_text(fields: &Fields<'_>) -> Result<Option<Vec<u8>>> {
    let length = usize::from(fields.u8(1)?.min(11));
    Ok(super::index::name(units(fields, 11).take(length)))
}

/// UTF-16 units from byte 2 of a slot on.
fn units<'a>(fields: &'a Fields<'_>, count: usize) -> impl Iterator<Item = u16> + 'a {
    (2_usize..).step_by(2).take(count).map_while(|at| fields.le_u16(at).ok())
}

/// The entry whose set of slots starts at `at`, and the number of its slots.
fn set(slots: &[[u8; SLOT]], at: usize) -> Option<(Found, usize)> {
    let file = Fields::new("directory entry", slots.get(at)?, 0);
    let kind = file.u8(0).ok()?;
    let in_use = kind & IN_USE;
    let stream_at = at.checked_add(1)?;
    let stream = Fields::new("stream entry", slots.get(stream_at)?, 0);
    if stream.u8(0).ok()? != STREAM | in_use || stream.u8(1).ok()? & 1 == 0 {
        return None;
    }
    let described = describe(&file, &stream).ok()?;
    let length = usize::from(stream.u8(3).ok()?);
    let others = usize::from(file.u8(1).ok()?);
    let names = slots.get(at.checked_add(2)?..)?.iter().take(length.div_ceil(15));
    let mut text = Vec::with_capacity(length);
    for slot in names {
        let fields = Fields::new("name entry", slot, 0);
        if fields.u8(0).ok()? != NAME | in_use {
            break;
        }
        text.extend(units(&fields, 15));
    }
    text.truncate(length);
    let name = super::index::name(text.into_iter())?;
    let found = Found { slot: at, stream: stream_at, name, deleted: in_use == 0, described };
    Some((found, others.saturating_add(1)))
}

/// What a file's two main slots say.
pub(super) fn describe(file: &Fields<'_>, stream: &Fields<'_>) -> Result<Described> {
    let directory = file.le_u16(4)? & 0x10 != 0;
    let at = |place: usize, centiseconds: u8, offset: usize| -> Result<_> {
        Ok(time(file.le_u16(place.saturating_add(2))?, file.le_u16(place)?, centiseconds, file.u8(offset)?))
    };
    Ok(Described {
        kind: if directory { EntryKind::Directory } else { EntryKind::File },
        first: stream.le_u32(20)?,
        size: stream.le_u64(24)?,
        written: stream.le_u64(8)?,
        contiguous: stream.u8(1)? & 2 != 0,
        times: Times {
            created: at(8, file.u8(20)?, 22)?,
            modified: at(12, file.u8(21)?, 23)?,
            accessed: at(16, 0, 24)?,
            ..Times::default()
        },
    })
}
