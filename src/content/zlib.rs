//! Zlib streams (RFC 1950), loose objects of git among them, whose header is taken off.

use super::peek::Peek;
use super::{Decoder, Form, Member, Visit, decode_error};
use crate::error::Result;
use flate2::bufread::ZlibDecoder;
use std::io::Read;

/// Longest header of a git object: its kind and its length.
const GIT_HEADER_MAX: usize = 32;

pub(super) const DECODER: Decoder = Decoder { name: "zlib", probe: starts, form: Form::Stream(decode) };

/// Loose objects of git (gitformat-loose), told by the header that they begin with once they are inflated.
pub(super) const GIT_OBJECT: Decoder = Decoder { probe: starts_object, ..DECODER };

fn starts_object(head: &[u8]) -> bool {
    if !is_header(head) {
        return false;
    }
    let mut header = [0; GIT_HEADER_MAX];
    let mut inflater = flate2::Decompress::new(true);
    // What does not fit is no error; what is too short for a header is none.
    inflater.decompress(head, &mut header, flate2::FlushDecompress::None).is_ok()
        && git_header(&header).is_some()
}

/// Whether a stream may start so: its method, and a sum of two bytes.
fn is_header(head: &[u8]) -> bool {
    let &[method, flags, ..] = head else { return false };
    let sum = u16::from_be_bytes([method, flags]);
    method & 0x0f == 8 && method >> 4 <= 7 && sum.is_multiple_of(31) && flags & 0x20 == 0
}

/// Two bytes say little: what follows must be deflated as far as it is seen.
fn starts(head: &[u8]) -> bool {
    if !is_header(head) {
        return false;
    }
    let mut inflater = flate2::Decompress::new(true);
    let mut out = [0; 4096];
    let mut at = 0_usize;
    // Each round takes input or ends.
    while let Some(rest) = head.get(at..).filter(|rest| !rest.is_empty()) {
        let (before, made) = (inflater.total_in(), inflater.total_out());
        match inflater.decompress(rest, &mut out, flate2::FlushDecompress::None) {
            Ok(flate2::Status::StreamEnd) => return inflater.total_out() > 0,
            Ok(_) => {}
            Err(_) => return false,
        }
        let taken = inflater.total_in().saturating_sub(before);
        if taken == 0 && inflater.total_out() == made {
            break;
        }
        at = at.saturating_add(super::to_usize(taken));
    }
    inflater.total_out() > 0
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut decoded = ZlibDecoder::new(Peek::new(content));
    let mut decoded = Peek::new(&mut decoded);
    let head = decoded.peek(GIT_HEADER_MAX).map_err(decode_error)?;
    if let Some(length) = git_header(head) {
        let mut header = vec![0; length];
        decoded.read_exact(&mut header).map_err(decode_error)?;
    }
    visit(Member { name: b"", stored: None, pieces: &[], content: &mut decoded })
}

/// Length of the header of a git object, with the NUL at its end.
fn git_header(head: &[u8]) -> Option<usize> {
    const KINDS: [&[u8]; 4] = [b"blob ", b"commit ", b"tag ", b"tree "];
    let kind = KINDS.iter().find(|kind| head.starts_with(kind))?;
    let digits = head.get(kind.len()..)?;
    let end = digits.iter().position(|&byte| byte == 0).filter(|&end| end > 0)?;
    let is_number = digits.get(..end)?.iter().all(u8::is_ascii_digit);
    is_number.then_some(kind.len().saturating_add(end).saturating_add(1))
}
