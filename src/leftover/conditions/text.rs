//! Lines of text files: settings with a secret in them, and other patterns.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::leftover::hit::Hit;
use crate::leftover::patterns::{Patterns, commands, is_placeholder, key_value};
use crate::leftover::text::decode;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind { name: "text", cases: &["secret"], build };

/// Findings of one file that are given apart.
const FINDINGS_MAX: usize = 200;
/// Longest line that is shown.
const SHOWN_MAX: usize = 160;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// Names of settings whose value is a secret, as alternatives of a regular expression.
    keys: Vec<String>,
    /// Regular expressions with the secret in the group `s`.
    secret: Vec<String>,
    /// Regular expressions for what is no secret; the match is shown.
    line: Vec<String>,
    /// Whether URLs with a password count.
    url: bool,
    /// Whether commands with a password among their arguments count.
    commands: bool,
    /// Whether lines that are comments count.
    comments: bool,
    /// Report a file once.
    once: bool,
    /// Sizes in bytes outside of which a file is something else.
    min_size: u64,
    /// Largest size; 0 for any.
    max_size: u64,
    /// A regular expression that the content must match besides.
    needs: String,
    /// Values that are no secrets, beside the usual placeholders.
    values: Vec<String>,
    /// Largest share of a match that may be shown: false where even the match is private.
    hide: bool,
}

/// A URL with a password.
const URL: &str = r#"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@'"<>]*:(?P<s>[^\s/@'"<>]+)@[^\s/]+"#;

#[derive(Debug)]
struct Text {
    with: Parameters,
    secrets: Patterns,
    lines: Patterns,
    needs: Option<Patterns>,
}

fn build(table: toml::Table) -> Result<Box<dyn Condition>> {
    let with: Parameters = parameters(table)?;
    let mut secrets = with.secret.clone();
    if !with.keys.is_empty() {
        secrets.extend(key_value(&with.keys));
    }
    if with.url {
        secrets.push(URL.to_owned());
    }
    let lines = Patterns::new(with.line.clone());
    let needs = (!with.needs.is_empty()).then(|| Patterns::new(vec![with.needs.clone()]));
    Ok(Box::new(Text { secrets: Patterns::new(secrets), lines, needs, with }))
}

impl Condition for Text {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let size = hit.entry.size();
        let is_too_large = self.with.max_size > 0 && size > self.with.max_size;
        if !hit.is_filled() || size < self.with.min_size || is_too_large {
            return Ok(());
        }
        let content = hit.content()?;
        let decoded = decode_wide(&content.bytes);
        let text = decoded.as_deref().unwrap_or(&content.bytes);
        if let Some(needs) = &self.needs
            && !needs.matches(text)?
        {
            return Ok(());
        }
        let mut places = Vec::new();
        let sets = [Some(&self.secrets), self.with.commands.then(commands)];
        for set in sets.into_iter().flatten() {
            set.find(text, FINDINGS_MAX, |range, secret| {
                let value = secret.and_then(|secret| text.get(secret)).unwrap_or_default();
                if self.counts(text, range.start) && !self.is_placeholder(value) {
                    places.push((range, Some(unquote(value).to_vec())));
                }
            })?;
        }
        self.lines.find(text, FINDINGS_MAX, |range, _| {
            if self.counts(text, range.start) {
                places.push((range, None));
            }
        })?;
        places.sort_by_key(|(range, _)| range.start);
        places.dedup_by_key(|(range, _)| range.start);
        places.truncate(if self.with.once { 1 } else { FINDINGS_MAX });
        let mut numbering = Numbering::new(text);
        for (range, secret) in places {
            out.push(self.describe(text, &mut numbering, range, secret, decoded.is_some()));
        }
        if out.is_empty() && !content.whole {
            return Err(Error::new(ErrorKind::LimitExceeded, "only the first 4 MiB were looked at"));
        }
        Ok(())
    }

    fn prepare(&self) -> Result<()> {
        self.secrets.prepare()?;
        self.lines.prepare()?;
        self.needs.as_ref().map_or(Ok(()), Patterns::prepare)
    }
}

impl Text {
    /// Whether the line of this place is not a comment.
    fn counts(&self, text: &[u8], at: usize) -> bool {
        let line = line_around(text, at).0.trim_ascii_start();
        let marks: [&[u8]; 4] = [b"#", b";", b"// ", b"<!--"];
        self.with.comments || !marks.iter().any(|mark| line.starts_with(mark))
    }

    fn is_placeholder(&self, value: &[u8]) -> bool {
        is_placeholder(value) || self.with.values.iter().any(|own| own.as_bytes() == unquote(value))
    }

    fn describe(
        &self,
        text: &[u8],
        numbering: &mut Numbering<'_>,
        range: std::ops::Range<usize>,
        secret: Option<Vec<u8>>,
        is_wide: bool,
    ) -> Found {
        let line = numbering.line(range.start);
        // Offsets count in the decoded form where the file is UTF-16; two bytes a character then.
        let offset = if is_wide { range.start.saturating_mul(2).saturating_add(2) } else { range.start };
        let place = Some((u64::try_from(offset).unwrap_or(0), line));
        let mut evidence = Vec::new();
        match &secret {
            Some(secret) => {
                let around = text.get(range.clone()).unwrap_or_default();
                evidence.extend(name_of(around, secret).map(|name| format!("setting: {name}")));
                evidence.push(format!("value: {} characters, not shown", secret.len()));
            }
            None if !self.with.hide => {
                let found = text.get(range).unwrap_or_default().trim_ascii();
                evidence.push(format!("text: {}", shown(found.get(..SHOWN_MAX).unwrap_or(found))));
            }
            None => {}
        }
        let case = secret.is_some().then_some("secret");
        Found { case, place, evidence, secret, ..Found::default() }
    }
}

/// Line numbers of ascending places, each byte counted once.
struct Numbering<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl<'t> Numbering<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn line(&mut self, at: usize) -> u64 {
        let passed = self.text.get(self.at..at).unwrap_or_default();
        let ends = passed.iter().filter(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(u64::try_from(ends).unwrap_or(0));
        self.at = self.at.max(at);
        self.line
    }
}

/// The line around a place, and where it starts.
fn line_around(text: &[u8], at: usize) -> (&[u8], usize) {
    // A match may begin with the line end in front of it.
    let at = if text.get(at) == Some(&b'\n') { at + 1 } else { at };
    let before = text.get(..at).unwrap_or_default();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let rest = text.get(start..).unwrap_or_default();
    let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    (rest.get(..length).unwrap_or_default(), start)
}

/// Name of the setting in front of the secret, where a plain one stands there.
fn name_of(around: &[u8], secret: &[u8]) -> Option<String> {
    let end = super::private_key::position(around, secret)?;
    let front = around.get(..end)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let last = front.iter().rposition(is_name)?;
    let first = front.get(..last)?.iter().rposition(|byte| !is_name(byte)).map_or(0, |at| at + 1);
    let name = front.get(first..=last)?;
    // A name that repeats the secret or part of a URL is not shown.
    let is_plain = name.len() <= 64 && super::private_key::position(around, b"://").is_none();
    is_plain.then(|| shown(name))
}

fn unquote(value: &[u8]) -> &[u8] {
    let inner = |quote: u8| value.strip_prefix(&[quote])?.strip_suffix(&[quote]);
    inner(b'"').or_else(|| inner(b'\'')).unwrap_or(value)
}

/// The text of a UTF-16 file as UTF-8; `None` for others.
fn decode_wide(bytes: &[u8]) -> Option<Vec<u8>> {
    let is_wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    is_wide.then(|| decode(bytes).into_owned().into_bytes())
}
