//! Private keys of GnuPG's agent: S-expressions in canonical form or, since version 2.3, as text (GnuPG's
//! `agent/keyformat.txt`).

use super::der::{bit_len, magnitude};
use super::private_key::{Parsed, mpint, wire};

/// Most tokens of one key.
const TOKENS_MAX: usize = 400;
const DEPTH_MAX: usize = 16;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Atom(Vec<u8>),
}

/// The key at the start of `bytes`, and how many bytes it takes. None where there is no whole key.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Parsed, usize)> {
    let (tokens, len) = tokens(bytes)?;
    let [Token::Open, Token::Atom(kind), Token::Open, Token::Atom(algorithm), rest @ ..] = tokens.as_slice()
    else {
        return None;
    };
    let value = |name: &str| {
        rest.windows(3).find_map(|part| match part {
            [Token::Open, Token::Atom(found), Token::Atom(value)] if found == name.as_bytes() => Some(value),
            _ => None,
        })
    };
    let cipher = match kind.as_slice() {
        b"private-key" => None,
        b"protected-private-key" => Some(String::from_utf8_lossy(value("protected")?).into_owned()),
        _ => return None,
    };
    // Without a passphrase the secret number stands beside the public ones.
    if cipher.is_none() {
        value("d").or_else(|| value("x")).filter(|secret| secret.len() >= 16)?;
    }
    let name = algorithm.to_ascii_lowercase();
    let mut parsed = Parsed { format: "GnuPG agent", cipher, ..Parsed::default() };
    match name.as_slice() {
        b"rsa" | b"openpgp-rsa" => {
            let (modulus, exponent) = (magnitude(value("n")?), magnitude(value("e")?));
            parsed.kind = "RSA".to_owned();
            parsed.bits = Some(bit_len(modulus)).filter(|bits| *bits >= 512);
            parsed.bits?;
            parsed.public = Some(wire(&[b"ssh-rsa", &mpint(exponent), &mpint(modulus)]));
        }
        b"ecc" | b"ecdsa" | b"ecdh" | b"eddsa" => elliptic(&mut parsed, value("curve")?, value("q")?),
        b"dsa" | b"elg" => {
            parsed.kind = String::from_utf8_lossy(&name).to_uppercase();
            parsed.bits = Some(bit_len(value("p")?));
        }
        _ => return None,
    }
    let comment = value("comment").map(|text| String::from_utf8_lossy(text).into_owned());
    Some((Parsed { comment, ..parsed }, len))
}

fn elliptic(parsed: &mut Parsed, curve: &[u8], point: &[u8]) {
    let curve = String::from_utf8_lossy(curve).into_owned();
    let ssh_name = match curve.as_str() {
        "NIST P-256" => Some("nistp256"),
        "NIST P-384" => Some("nistp384"),
        "NIST P-521" => Some("nistp521"),
        _ => None,
    };
    if let Some(name) = ssh_name {
        parsed.public = Some(wire(&[format!("ecdsa-sha2-{name}").as_bytes(), name.as_bytes(), point]));
    }
    if let ("Ed25519", Some((0x40, key))) = (curve.as_str(), point.split_first()) {
        parsed.public = Some(wire(&[b"ssh-ed25519", key]));
    }
    let digits: String = curve.chars().filter(char::is_ascii_digit).collect();
    parsed.bits = match digits.as_str() {
        "25519" => Some(256),
        digits => digits.get(..3).and_then(|digits| digits.parse().ok()),
    };
    parsed.kind = curve;
}

/// The tokens of one expression, and its length.
fn tokens(bytes: &[u8]) -> Option<(Vec<Token>, usize)> {
    let mut tokens = Vec::new();
    let (mut at, mut depth) = (0_usize, 0_usize);
    while tokens.len() < TOKENS_MAX {
        let rest = bytes.get(at..)?;
        let (token, len) = match *rest.first()? {
            b'(' => (Token::Open, 1),
            b')' => (Token::Close, 1),
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            _ => atom(rest)?,
        };
        at += len;
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.checked_sub(1)?,
            Token::Atom(_) => {}
        }
        tokens.push(token);
        if depth == 0 {
            return Some((tokens, at));
        }
        if depth > DEPTH_MAX {
            return None;
        }
    }
    None
}

/// A string behind its length, in hexadecimal digits, in quotes, or as a word.
fn atom(rest: &[u8]) -> Option<(Token, usize)> {
    let until = |end: u8| rest.iter().skip(1).position(|&byte| byte == end).map(|at| at + 1);
    match *rest.first()? {
        b'#' => {
            let end = until(b'#')?;
            let digits: Vec<u8> =
                rest.get(1..end)?.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let value = data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok()?;
            Some((Token::Atom(value), end + 1))
        }
        b'"' => {
            let end = until(b'"')?;
            Some((Token::Atom(rest.get(1..end)?.to_vec()), end + 1))
        }
        b'0'..=b'9' => {
            let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            let len: usize = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
            match rest.get(digits) {
                Some(b':') => {
                    let start = digits + 1;
                    Some((Token::Atom(rest.get(start..start + len)?.to_vec()), start + len))
                }
                _ => word(rest),
            }
        }
        _ => word(rest),
    }
}

fn word(rest: &[u8]) -> Option<(Token, usize)> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-./_:*+=".contains(byte);
    let len = rest.iter().take(128).take_while(|byte| is_word(byte)).count();
    (len > 0).then(|| (Token::Atom(rest.get(..len).unwrap_or_default().to_vec()), len))
}
