//! Keeps secrets that a scan found out of the texts that reports take from the evidence: names of files,
//! labels, comments, reasons.
//!
//! A secret that also stands in a file's name would otherwise be shown there in full.

use crate::location::escape;
use aho_corasick::{AhoCorasick, MatchKind};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What stands in the place of a secret.
pub const MARK: &str = "…";
/// Shorter secrets are words that also stand elsewhere, without being secret there.
const LENGTH_MIN: usize = 8;
/// Of so many bytes and more, any text counts; of fewer, one with letters and digits.
const LENGTH_SURE: usize = 20;
/// Longer secrets, whole key blocks, are looked for by their first bytes.
const LENGTH_MAX: usize = 256;
/// Secrets that are looked for.
const SECRETS_MAX: usize = 100_000;

/// Replaces known secrets in texts. The default one knows none.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<AhoCorasick>>);

impl fmt::Debug for Redactor {
    // The automaton's own form would show the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Redactor(some)" } else { "Redactor(none)" })
    }
}

impl Redactor {
    /// A redactor for these secrets, as far as they can be told from ordinary words.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut patterns: BTreeSet<Vec<u8>> = BTreeSet::new();
        for secret in secrets.filter(|secret| is_telling(secret)) {
            let head = secret.get(..LENGTH_MAX).unwrap_or(secret);
            patterns.insert(head.to_vec());
            // Texts from the evidence are escaped.
            patterns.insert(escape(head).into_bytes());
            if patterns.len() > SECRETS_MAX {
                break;
            }
        }
        if patterns.is_empty() {
            return Self(None);
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns);
        Self(automaton.ok().map(Arc::new))
    }

    /// The text without secrets.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(automaton) = &self.0 else { return Cow::Borrowed(text) };
        if !automaton.is_match(text) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for found in automaton.find_iter(text) {
            out.push_str(text.get(from..found.start()).unwrap_or_default());
            out.push_str(MARK);
            from = found.end();
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// Cleans a text in its place; whether there was anything to clean.
    pub fn text(&self, text: &mut String) -> bool {
        match self.clean(text) {
            Cow::Borrowed(_) => false,
            Cow::Owned(clean) => {
                *text = clean;
                true
            }
        }
    }

    /// Cleans all texts; whether there was anything to clean.
    pub fn texts<'t>(&self, texts: impl IntoIterator<Item = &'t mut String>) -> bool {
        // Every text is cleaned, not just the first one that has to be.
        let mut any = false;
        for text in texts {
            any |= self.text(text);
        }
        any
    }
}

fn is_telling(secret: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| secret.iter().any(is);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    secret.len() >= LENGTH_SURE || (secret.len() >= LENGTH_MIN && is_mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_secrets_go_and_ordinary_words_stay() {
        let secrets: [&[u8]; 4] = [b"v9Kd-Trombone-41x", b"password", b"a1b2", b"50%-off-9x"];
        let redactor = Redactor::new(secrets.into_iter());
        let cases = [
            ("/srv/v9Kd-Trombone-41x.bak", "/srv/….bak"),
            ("v9Kd-Trombone-41xv9Kd-Trombone-41x", "……"),
            ("/etc/password a1b2", "/etc/password a1b2"),
            ("at 50%25-off-9x", "at …"),
        ];
        for (text, expected) in cases {
            assert_eq!(redactor.clean(text), expected);
        }
        assert_eq!(format!("{redactor:?}"), "Redactor(some)");
        assert_eq!(Redactor::default().clean("v9Kd-Trombone-41x"), "v9Kd-Trombone-41x");
    }
}
