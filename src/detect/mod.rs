//! From a literal hit to a match: rules compiled, confirmed in a logical window, validated.
//!
//! The sweep finds literals, cuts a [`Window`] of logical content around each hit (stitched over extents,
//! clipped at the ends of its owner, narrowed when it is UTF-16) and asks [`Detector::confirm`].

use crate::error::Result;
use crate::rules::{Category, Literal, Severity, Verdict};
use std::fmt;
use std::ops::Range;

/// How much content around a literal the rules that bring it want to see, in characters of the literal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Bytes before the literal's first byte.
    pub before: usize,
    /// Bytes from the literal's first byte on.
    pub after: usize,
}

/// Logical content around a literal hit.
#[derive(Clone, Copy)]
pub struct Window<'a> {
    /// The content, one byte a character where the medium holds UTF-16.
    pub bytes: &'a [u8],
    /// Where in `bytes` the literal stands.
    pub hit: usize,
    /// Whether the content starts with the first of `bytes`.
    pub at_start: bool,
    /// Whether the content ends with the last of `bytes`.
    pub at_end: bool,
    /// The owner's path, for rules that ask; resolved when called.
    pub path: &'a dyn Fn() -> Option<Vec<u8>>,
}

impl fmt::Debug for Window<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({} bytes, hit at {})", self.bytes.len(), self.hit)
    }
}

/// A confirmed match.
#[derive(Clone, Debug)]
pub struct Match {
    /// Index of the rule.
    pub rule: usize,
    /// The secret's bytes in the window.
    pub secret: Range<usize>,
    /// How bad this one is (an encrypted key is less than a plain one).
    pub severity: Severity,
    /// How sure it is.
    pub verdict: Verdict,
    /// Facts for the report; never the secret.
    pub evidence: Vec<String>,
    /// The published test credential or documented example that it is.
    pub known_good: Option<String>,
    /// Whether the match was cut off by the window (reported as limited).
    pub cut: bool,
}

/// What reports need to know of a rule.
#[derive(Clone, Debug)]
pub struct RuleFacts {
    /// Identifier.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Category.
    pub category: Category,
    /// How to remove and rotate.
    pub remedy: String,
    /// Whether a finding of another rule on the same bytes replaces this rule's.
    pub generic: bool,
    /// Id of the rule whose finding nearby completes this one's.
    pub pair: Option<String>,
}

/// Working memory of one thread.
#[derive(Debug, Default)]
pub struct Scratch {}

/// The rules, ready to confirm hits. Regexes are compiled at their first use.
#[derive(Debug)]
pub struct Detector {
    literals: Vec<Literal>,
    rules: Vec<RuleFacts>,
}

impl Detector {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a rule is wrong.
    pub fn builtin() -> Result<Self> {
        Ok(Self { literals: Vec::new(), rules: Vec::new() })
    }

    /// The literals to search for; hits name them by index.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// How wide a window to cut around a hit of this literal.
    pub fn reach(&self, literal: usize) -> Reach {
        let _ = literal;
        Reach::default()
    }

    /// The rules, by index.
    pub fn rules(&self) -> &[RuleFacts] {
        &self.rules
    }

    /// Hash over all rules, for the report.
    pub fn digest(&self) -> String {
        String::new()
    }

    /// Whether a hit can be dropped on the bytes around it alone, before its owner is known. `bytes` is the
    /// raw slice, `at` the literal's first byte. Never true when a rule could match.
    pub fn is_hopeless(&self, literal: usize, bytes: &[u8], at: usize) -> bool {
        let _ = (literal, bytes, at);
        false
    }

    /// Runs the rules of `literal` on `window`; emits every match that contains the hit.
    pub fn confirm(
        &self,
        scratch: &mut Scratch,
        literal: usize,
        window: &Window<'_>,
        emit: &mut dyn FnMut(Match),
    ) {
        let _ = (scratch, literal, window, emit);
    }
}
