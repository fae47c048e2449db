//! Tar archives: POSIX ustar and pax (IEEE Std 1003.1, pax Interchange Format) and GNU tar.

use super::{Decoder, Form, Member, Visit, decode_error};
use crate::error::Result;
use std::io::Read;

pub(super) const DECODER: Decoder = Decoder { name: "tar", probe, form: Form::Stream(decode) };

fn probe(head: &[u8]) -> bool {
    head.get(257..262).is_some_and(|magic| magic == b"ustar")
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(content);
    for entry in archive.entries().map_err(decode_error)? {
        let mut entry = entry.map_err(decode_error)?;
        if entry.header().entry_type().is_file() || entry.header().entry_type().is_gnu_sparse() {
            let name = entry.path_bytes().into_owned();
            visit(Member { name: &name, content: &mut entry })?;
        }
    }
    Ok(())
}
