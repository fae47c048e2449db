//! Whether a match is worth reporting: path, entropy, stop words, allowlists, validators.

use super::compile::{Allow, Compiled};
use super::confirm::Span;
use super::validate::{Change, Ruling, Subject, entropy, published};
use super::{Match, Window};
use crate::rules::{Allowlist, Condition, Target, Verdict};
use aho_corasick::AhoCorasick;
use std::ops::Range;

/// The match with the rule's own severity and verdict as validators amend them, or none.
pub(super) fn judge(compiled: &Compiled, window: &Window<'_>, span: &Span) -> Option<Match> {
    let rule = &compiled.rule;
    let secret = window.bytes.get(span.secret.clone())?;
    if rule.entropy.is_some_and(|least| entropy::shannon(secret) < least)
        || rule.stopwords.iter().any(|word| contains_ignoring_case(secret, word.as_bytes()))
    {
        return None;
    }
    let path = Path::new(window);
    if !compiled.path.is_empty() && !path.is_match(&compiled.path) {
        return None;
    }
    let lists = rule.allowlists.iter().zip(&compiled.allowlists);
    if lists.into_iter().any(|(list, allow)| is_allowed(list, allow, window, span, &path)) {
        return None;
    }
    let mut found = Match {
        rule: 0,
        secret: span.secret.clone(),
        severity: rule.severity,
        verdict: rule.verdict,
        evidence: Vec::new(),
        known_good: None,
        cut: false,
    };
    for validator in &compiled.validators {
        let subject = Subject { window, matched: span.matched.clone(), secret: found.secret.clone() };
        match (validator.check)(&subject) {
            Ruling::Reject => return None,
            Ruling::Accept => {}
            Ruling::Amend(change) => apply(&mut found, change),
        }
    }
    if found.known_good.is_none()
        && let Some(name) = published::lookup(window.bytes.get(found.secret.clone())?)
    {
        // What a manual prints opens nothing. Published keys that machines trust keep their verdict.
        found.known_good = Some(name.to_owned());
        found.verdict = Verdict::Possible;
    }
    Some(found)
}

/// Takes a validator's findings over.
pub(super) fn apply(found: &mut Match, change: Change) {
    found.verdict = change.verdict.unwrap_or(found.verdict);
    found.severity = change.severity.unwrap_or(found.severity);
    found.secret = change.secret.unwrap_or_else(|| found.secret.clone());
    found.evidence.extend(change.evidence);
    if change.known_good.is_some() {
        found.known_good = change.known_good;
    }
}

/// The owner's path, resolved when the first regex asks.
struct Path<'a> {
    window: &'a Window<'a>,
    bytes: std::cell::OnceCell<Option<Vec<u8>>>,
}

impl<'a> Path<'a> {
    fn new(window: &'a Window<'a>) -> Self {
        Self { window, bytes: std::cell::OnceCell::new() }
    }

    /// Whether the path matches, with or without its leading slash: others' rules are written for paths
    /// below a working directory.
    fn is_match(&self, regex: &super::compile::Lazy) -> bool {
        let Some(path) = self.bytes.get_or_init(|| (self.window.path)()) else { return false };
        regex.is_match(path) || path.strip_prefix(b"/").is_some_and(|path| regex.is_match(path))
    }
}

fn is_allowed(list: &Allowlist, allow: &Allow, window: &Window<'_>, span: &Span, path: &Path<'_>) -> bool {
    let secret = window.bytes.get(span.secret.clone()).unwrap_or_default();
    let target = match list.regex_target {
        Target::Secret => secret,
        Target::Match => window.bytes.get(span.matched.clone()).unwrap_or_default(),
        Target::Line => window.bytes.get(lines_around(window.bytes, &span.matched)).unwrap_or_default(),
    };
    let checks: [(bool, &dyn Fn() -> bool); 3] = [
        (!allow.regexes.is_empty(), &|| allow.regexes.is_match(target)),
        (!list.stopwords.is_empty(), &|| {
            list.stopwords.iter().any(|word| contains_ignoring_case(secret, word.as_bytes()))
        }),
        (!allow.paths.is_empty(), &|| path.is_match(&allow.paths)),
    ];
    let mut given = checks.iter().filter(|(is_given, _)| *is_given).peekable();
    match list.condition {
        Condition::Any => given.any(|(_, holds)| holds()),
        // Commits are never known: a list that needs them as well never applies.
        Condition::All => {
            list.commits.is_empty() && given.peek().is_some() && given.all(|(_, holds)| holds())
        }
    }
}

/// `span` widened to whole lines.
pub(super) fn lines_around(bytes: &[u8], span: &Range<usize>) -> Range<usize> {
    let before = bytes.get(..span.start).unwrap_or_default();
    let after = bytes.get(span.end..).unwrap_or_default();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let end = after.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| span.end + at);
    start..end
}

/// Words that are looked for all at once: a search for one after the other took most of the time of judging.
#[derive(Debug)]
pub(super) struct Words(Option<AhoCorasick>);

impl Words {
    /// Any words that are not empty, ASCII letters in either case.
    pub(super) fn new<W: AsRef<[u8]>>(words: &[W]) -> Self {
        Self(AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok())
    }

    /// The same, with the case that they are given in.
    pub(super) fn exact<W: AsRef<[u8]>>(words: &[W]) -> Self {
        Self(AhoCorasick::new(words).ok())
    }

    /// Whether one of them stands in `text`.
    pub(super) fn stand_in(&self, text: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|search| search.is_match(text))
    }
}

/// Whether `word` stands in `text`, ASCII letters in either case.
pub(super) fn contains_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}
