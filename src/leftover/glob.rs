//! Path patterns of the catalogue: anchors, components and brace alternatives.
//!
//! `/etc/shadow` starts at the root of a Linux system, `~/.ssh/*` in every home, `C:/Windows/Temp` at the
//! root of a Windows system, `U:/.ssh/*` in every Windows profile, `?:/$Recycle.Bin` at the root of every
//! Windows volume, `**/*.kdbx` anywhere. `**` stands for any number of directories, or, at the end, for
//! everything below; `*`, `?` and `[a-z]` stay inside a component; `{a,b}` are alternatives.

use crate::error::{Error, Kind, Result};

/// Alternatives that one pattern may expand to.
const ALTERNATIVES_MAX: usize = 512;

/// Where a pattern starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Anchor {
    /// Root directory of an operating system.
    Root,
    /// Every home directory or profile.
    Home,
    /// Root directory of every volume.
    Volume,
}

/// A component of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Exactly this name.
    Literal(Vec<u8>),
    /// A name that matches.
    Wild(Wild),
    /// Any number of directories; everything below, at the end.
    AnyDepth,
}

/// A pattern without alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// Where it starts.
    pub(crate) anchor: Anchor,
    /// Its components, at least one.
    pub(crate) parts: Vec<Part>,
}

impl Pattern {
    /// Literal components before the first other one; the last component never counts.
    pub(crate) fn base_depth(&self) -> usize {
        let literal = self.parts.iter().take_while(|part| matches!(part, Part::Literal(_))).count();
        literal.min(self.parts.len().saturating_sub(1))
    }
}

/// Parses a pattern of the catalogue. `fold` lower-cases it, for systems that fold case.
///
/// # Errors
/// [`Kind::Usage`] for an unknown anchor, empty components and unbalanced braces.
pub(crate) fn parse(text: &str, fold: bool) -> Result<Vec<Pattern>> {
    let text = if fold { text.to_lowercase() } else { text.to_owned() };
    let mut whole = Vec::new();
    expand(&text, &mut whole)?;
    whole.iter().map(|one| parse_one(one)).collect()
}

fn parse_one(text: &str) -> Result<Pattern> {
    let wrong = |what: &str| Error::new(Kind::Usage, format!("pattern {text:?}: {what}"));
    let (anchor, rest) = if text.starts_with("**/") {
        (Anchor::Volume, text)
    } else if let Some(rest) = text.strip_prefix("~/").or_else(|| strip_drive(text, 'u')) {
        (Anchor::Home, rest)
    } else if let Some(rest) = text.strip_prefix('/').or_else(|| strip_drive(text, 'c')) {
        (Anchor::Root, rest)
    } else if let Some(rest) = text.strip_prefix("?:/") {
        (Anchor::Volume, rest)
    } else {
        return Err(wrong("expected /, ~/, C:/, U:/, ?:/ or **/ at its start"));
    };
    let parts: Vec<Part> = rest
        .split('/')
        .map(|part| match part {
            "" => Err(wrong("empty component")),
            "**" => Ok(Part::AnyDepth),
            _ if part.contains(['*', '?', '[']) => Ok(Part::Wild(Wild::new(part))),
            _ => Ok(Part::Literal(part.as_bytes().to_vec())),
        })
        .collect::<Result<_>>()?;
    Ok(Pattern { anchor, parts })
}

fn strip_drive(text: &str, drive: char) -> Option<&str> {
    let mut characters = text.chars();
    let letter = characters.next()?;
    letter.eq_ignore_ascii_case(&drive).then(|| characters.as_str().strip_prefix(":/")).flatten()
}

/// Expands the first brace group and, by recursion, all others.
fn expand(text: &str, into: &mut Vec<String>) -> Result<()> {
    let Some(open) = text.find('{') else {
        if into.len() >= ALTERNATIVES_MAX {
            return Err(Error::new(Kind::Usage, format!("pattern {text:?}: too many alternatives")));
        }
        into.push(text.to_owned());
        return Ok(());
    };
    let close = closing(text, open)
        .ok_or_else(|| Error::new(Kind::Usage, format!("pattern {text:?}: brace without its partner")))?;
    let (head, inner, tail) = (&text[..open], &text[open + 1..close], &text[close + 1..]);
    for choice in choices(inner) {
        expand(&format!("{head}{choice}{tail}"), into)?;
    }
    Ok(())
}

fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits at commas outside of inner braces.
fn choices(inner: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                out.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&inner[start..]);
    out
}

/// A component with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wild {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Many,
    Class(Vec<(u8, u8)>),
}

impl Wild {
    /// Reads `*`, `?` and `[a-z]`; an unclosed bracket stands for itself.
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            let token = match byte {
                b'*' => Token::Many,
                b'?' => Token::One,
                b'[' => match bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == b']')) {
                    Some(length) => {
                        let class = class(bytes.get(at..at + length).unwrap_or_default());
                        at += length + 1;
                        class
                    }
                    None => Token::Byte(byte),
                },
                _ => Token::Byte(byte),
            };
            if token != Token::Many || tokens.last() != Some(&Token::Many) {
                tokens.push(token);
            }
        }
        Self { tokens }
    }

    /// The byte that every match starts with, where there is one.
    pub(crate) fn first(&self) -> Option<u8> {
        match self.tokens.first() {
            Some(Token::Byte(byte)) => Some(*byte),
            _ => None,
        }
    }

    /// The byte that every match ends with, where there is one.
    pub(crate) fn last(&self) -> Option<u8> {
        match self.tokens.last() {
            Some(Token::Byte(byte)) => Some(*byte),
            _ => None,
        }
    }

    /// Whether the whole name matches. Takes at most `name × tokens` steps.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let (mut at, mut token) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < name.len() {
            let byte = name.get(at).copied().unwrap_or(0);
            match self.tokens.get(token) {
                Some(Token::Many) => {
                    retry = Some((at, token));
                    token += 1;
                }
                Some(one) if one.takes(byte) => {
                    at += 1;
                    token += 1;
                }
                _ => match retry {
                    Some((from, many)) => {
                        retry = Some((from + 1, many));
                        at = from + 1;
                        token = many + 1;
                    }
                    None => return false,
                },
            }
        }
        self.tokens.get(token..).unwrap_or_default().iter().all(|rest| *rest == Token::Many)
    }
}

impl Token {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::One => true,
            Self::Many => false,
            Self::Class(ranges) => ranges.iter().any(|&(low, high)| (low..=high).contains(&byte)),
        }
    }
}

fn class(mut inner: &[u8]) -> Token {
    let mut ranges = Vec::new();
    while let Some((&low, rest)) = inner.split_first() {
        if let [b'-', high, after @ ..] = rest {
            ranges.push((low, *high));
            inner = after;
        } else {
            ranges.push((low, low));
            inner = rest;
        }
    }
    Token::Class(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names_only() {
        let cases = [
            ("*.pem", "a.pem", true),
            ("*.pem", "a.pem.bak", false),
            ("*", "", true),
            ("id_*", "id_rsa", true),
            ("id_*", "xid_rsa", false),
            ("*a*b*c", "xxaxxbxxbxc", true),
            ("*a*b*c", "xxaxxbxxbx", false),
            ("core.[0-9]*", "core.123", true),
            ("core.[0-9]*", "core.x", false),
            ("?id", "uid", true),
            ("?id", "id", false),
            (".*.sw?", ".x.swp", true),
            ("[", "[", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Wild::new(pattern).matches(name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn braces_expand_and_anchors_are_told_apart() {
        let all = parse("~/.{bash,zsh{,_old}}_history", false).unwrap();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|one| one.anchor == Anchor::Home));
        assert_eq!(parse("/var/log/**", false).unwrap()[0].base_depth(), 2);
        assert_eq!(parse("/etc/shadow", false).unwrap()[0].base_depth(), 1);
        assert_eq!(parse("**/*.kdbx", false).unwrap()[0].anchor, Anchor::Volume);
        let windows = parse("C:/Windows/Temp/**", true).unwrap();
        assert_eq!((windows[0].anchor, windows[0].base_depth()), (Anchor::Root, 2));
        for wrong in ["etc/shadow", "/a//b", "/a/{b", "D:/x"] {
            assert!(parse(wrong, true).is_err(), "{wrong}");
        }
    }
}
