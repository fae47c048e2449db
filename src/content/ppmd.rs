//! PPMd as zip (variant I) and 7z (variant H) use it: the model's order and memory stand before the data.

use super::decode_error;
use super::lzma::MEMORY_MAX;
use crate::error::{Error, Kind, Result};
use ppmd_rust::{Ppmd7Decoder, Ppmd8Decoder, RestoreMethod};
use std::io::Read;

/// A reader of data of 7z, whose coder has these properties: an order, and bytes of memory.
///
/// # Errors
/// When there are no such properties, or they want too much memory.
pub(super) fn seven<'a>(packed: impl Read + 'a, properties: &[u8]) -> Result<Box<dyn Read + 'a>> {
    let &[order, a, b, c, d] = properties else {
        return Err(Error::corrupt(0, "properties of PPMd", "5 bytes", properties.len()));
    };
    let memory = u32::from_le_bytes([a, b, c, d]);
    limited(memory)?;
    let opened = Ppmd7Decoder::new(packed, u32::from(order), memory);
    Ok(Box::new(opened.map_err(|error| wrong(&error))?))
}

/// A reader of data of zip (APPNOTE 5.10), with the parameters before it.
///
/// # Errors
/// When the parameters are wrong, or want too much memory.
pub(super) fn zip<'a>(mut packed: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    let mut parameters = [0; 2];
    packed.read_exact(&mut parameters).map_err(decode_error)?;
    let parameters = u16::from_le_bytes(parameters);
    let (order, mebibytes, method) = (parameters & 0xf, (parameters >> 4) & 0xff, parameters >> 12);
    let memory = (u32::from(mebibytes) + 1) << 20;
    limited(memory)?;
    let method = match method {
        0 => RestoreMethod::Restart,
        1 => RestoreMethod::CutOff,
        other => return Err(Error::unsupported(format!("method {other} of PPMd"))),
    };
    let opened = Ppmd8Decoder::new(packed, u32::from(order) + 1, memory, method);
    Ok(Box::new(opened.map_err(|error| wrong(&error))?))
}

fn limited(memory: u32) -> Result<()> {
    if memory / 1024 > MEMORY_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("a model that needs {memory} bytes")));
    }
    Ok(())
}

fn wrong(error: &ppmd_rust::Error) -> Error {
    Error::new(Kind::Corrupt, error.to_string())
}
