//! Registry hives (Windows registry file format, `regf`): each key's values as text, the name beside the data,
//! and data that lies in several cells as one. Free cells are named as such.

use super::gather::{Pieces, Text};
use super::{Decoder, Form, HEAD, Visit, recognise, to_u64};
use crate::error::{Error, Result};
use crate::format::hive::{BINS, Hive, Value};
use crate::format::le32;
use crate::io::{ReadAt, read_vec};
use std::collections::HashSet;

/// Depth of keys; Windows itself stops at 512.
const DEPTH_MAX: usize = 512;
/// Bytes of a path of keys that are kept.
const PATH_MAX: usize = 4096;
/// Bytes that may be read of a hive for each of its bytes: cells are read once, lists of them twice.
const READ_RATIO: u64 = 4;
/// Shortest free cell that is handed on.
const FREE_MIN: u32 = 16;
/// Largest bin.
const BIN_MAX: u32 = 16 << 20;

pub(super) const DECODER: Decoder = Decoder {
    name: "hive",
    probe: |head| head.starts_with(b"regf") && le32(head, 0x14) == Some(1),
    form: Form::Partial(decode),
};

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let budget = content.size().saturating_mul(READ_RATIO).saturating_add(1 << 20);
    let hive = Hive::open_for(content, budget)?;
    let mut trouble = None;
    keys(&hive, content, &mut trouble, visit)?;
    free_cells(content, &mut trouble, visit)?;
    trouble.map_or(Ok(()), Err)
}

/// Keeps the first error of a part that is left out.
fn keep<T>(trouble: &mut Option<Error>, outcome: Result<T>) -> Option<T> {
    outcome.map_err(|error| trouble.get_or_insert(error)).ok()
}

/// Visits each key that can be reached, once.
fn keys(hive: &Hive<'_>, content: &dyn ReadAt, trouble: &mut Option<Error>, visit: Visit<'_>) -> Result<()> {
    let mut seen = HashSet::new();
    let mut todo = vec![(hive.root_offset(), String::new(), 0_usize)];
    while let Some((offset, parent, depth)) = todo.pop() {
        if depth > DEPTH_MAX || !seen.insert(offset) {
            let error = Error::corrupt(offset.into(), "hive", "each key once", "one again, or too deep");
            keep::<()>(trouble, Err(error));
            continue;
        }
        let Some(key) = keep(trouble, hive.key(offset)) else { continue };
        // The root's own name says nothing.
        let name = crate::location::escape(key.name.as_bytes());
        let path = match (depth, parent.is_empty()) {
            (0, _) => String::new(),
            (_, true) => name,
            _ if parent.len() > PATH_MAX => parent,
            _ => format!("{parent}/{name}"),
        };
        let mut text = Text::default();
        for value in keep(trouble, hive.value_offsets(&key)).unwrap_or_default() {
            if let Some(value) = keep(trouble, hive.value(value)) {
                add(&value, &mut text);
                whole(&value, content, &path, visit)?;
            }
        }
        text.visit(if path.is_empty() { "root key" } else { &path }, visit)?;
        let subkeys = keep(trouble, hive.subkey_offsets(&key)).unwrap_or_default();
        let deeper = depth.saturating_add(1);
        todo.extend(subkeys.into_iter().rev().map(|subkey| (subkey, path.clone(), deeper)));
    }
    Ok(())
}

/// Adds a value that is text, or nothing.
fn add(value: &Value, text: &mut Text) {
    // REG_SZ, REG_EXPAND_SZ, REG_LINK, REG_MULTI_SZ
    if !matches!(value.kind, 1 | 2 | 6 | 7) || value.data.len() < 2 {
        return;
    }
    text.word(&crate::location::escape(value.name.as_bytes()));
    text.word("=");
    let mut data = value.data.as_slice();
    for part in &value.parts {
        let length = usize::try_from(part.end.saturating_sub(part.start)).unwrap_or(0).min(data.len());
        let (own, rest) = data.split_at(length);
        text.wide(part.start, own);
        data = rest;
    }
    text.word("\n");
}

/// Hands on binary data of several cells, and such as has a format of its own.
fn whole(value: &Value, content: &dyn ReadAt, path: &str, visit: Visit<'_>) -> Result<()> {
    let is_text = matches!(value.kind, 1 | 2 | 6 | 7);
    let has_format = recognise(value.data.get(..HEAD.min(value.data.len())).unwrap_or_default()).is_some();
    if !has_format && (is_text || value.parts.len() < 2) {
        return Ok(());
    }
    let mut pieces = Pieces::default();
    for part in &value.parts {
        pieces.push(part.start, part.end.saturating_sub(part.start));
    }
    let name = crate::location::escape(value.name.as_bytes());
    pieces.visit(content, &format!("{path}/{name}"), visit)
}

/// Hands on the free cells of all bins.
fn free_cells(content: &dyn ReadAt, trouble: &mut Option<Error>, visit: Visit<'_>) -> Result<()> {
    let mut at = BINS;
    while at < content.size() {
        let Some(header) = keep(trouble, read_vec(content, at, 32)) else { return Ok(()) };
        let size = le32(&header, 8).filter(|size| (4096..=BIN_MAX).contains(size));
        // Behind the last bin a hive's file may go on with what it held before.
        let Some(size) = size.filter(|_| header.starts_with(b"hbin")) else { return Ok(()) };
        let end = at.saturating_add(u64::from(size)).min(content.size());
        let length = usize::try_from(end.saturating_sub(at)).unwrap_or(0);
        let Some(bin) = keep(trouble, read_vec(content, at, length)) else { return Ok(()) };
        free_in(&bin, at, content, visit)?;
        at = end;
    }
    Ok(())
}

fn free_in(bin: &[u8], start: u64, content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let mut at = 32_usize;
    while let Some(size) = le32(bin, at) {
        let length = i32::from_le_bytes(size.to_le_bytes()).unsigned_abs();
        if length < 8 || !length.is_multiple_of(8) {
            return Ok(());
        }
        let next = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        let data = bin.get(at.saturating_add(4)..next.min(bin.len())).unwrap_or_default();
        let is_free = size < 0x8000_0000;
        if is_free && length >= FREE_MIN && data.iter().any(|&byte| byte != 0) {
            let source = start.saturating_add(to_u64(at)).saturating_add(4);
            let mut pieces = Pieces::default();
            pieces.push(source, to_u64(data.len()));
            pieces.visit(content, &format!("free cell at {source:#x}"), visit)?;
        }
        at = next;
    }
    Ok(())
}
