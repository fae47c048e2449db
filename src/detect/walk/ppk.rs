//! PuTTY private keys, versions 2 and 3 (PuTTY's documentation, appendix C).

use super::armour::Plain;
use super::{Found, Walker, decode_base64};
use crate::detect::confirm::Span;
use crate::detect::validate::ppk::{self, Fields};
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "ppk", reach: Reach { before: 64, after: 24 << 10 }, refuses, walk };

/// Most lines of a key file; an RSA key of 16,384 bits has 230.
const LINES_MAX: usize = 400;

fn refuses(_before: &[u8], from: &[u8]) -> bool {
    from.iter().take(32).any(|&byte| byte == 0)
}

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let plain = Plain::new(window.bytes.get(window.hit..)?, false);
    let mut fields = Fields::default();
    let mut end = 0;
    let mut at = 0;
    // A body of so many lines follows `Public-Lines` and `Private-Lines`.
    let mut wanted = 0_usize;
    for raw in plain.text.split(|&byte| byte == b'\n' || byte == b'\r').take(LINES_MAX) {
        let line = raw.trim_ascii();
        let stop = at + raw.len();
        at = stop + 1;
        if line.is_empty() {
            continue;
        }
        if wanted > 0 {
            wanted -= 1;
            fields.body().extend(decode_base64(line)?);
            end = stop;
            continue;
        }
        let text = std::str::from_utf8(line).ok()?;
        let Some((name, value)) = text.split_once(": ") else { break };
        if name.starts_with("PuTTY-User-Key-File-") && !fields.version.is_empty() {
            break;
        }
        wanted = fields.set(name, value)?;
        end = stop;
        if fields.is_complete() {
            // A quote or bracket of the wrapping may follow the last digit.
            let digits = value.bytes().take_while(u8::is_ascii_hexdigit).count();
            end = stop - raw.len() + (raw.len() - raw.trim_ascii_start().len()) + name.len() + 2 + digits;
            break;
        }
    }
    let matched = window.hit..window.hit + plain.raw_end(end);
    let change = ppk::describe(&fields)?;
    Some(Found {
        is_cut: !fields.is_complete() && !window.at_end && matched.end + 128 >= window.bytes.len(),
        span: Span { secret: matched.clone(), matched },
        change,
    })
}
