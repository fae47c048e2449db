//! From a literal hit to a match: rules compiled, confirmed in a logical window, validated.
//!
//! The sweep finds literals, cuts a [`Window`] of logical content around each hit (stitched over extents,
//! clipped at the ends of its owner, narrowed when it is UTF-16) and asks [`Detector::confirm`].

mod check;
mod companions;
mod compile;
mod confirm;
mod cost;
mod gate;
mod graph;
mod judge;
mod placement;
mod quiet;
mod required;
mod validate;
mod walk;
mod ways;

use crate::error::{Error, Kind, Result};
use crate::rules::{Category, Encoding, Literal, Rule, RuleSet, Severity, Verdict};
use compile::{Body, Compiled};
use confirm::Run;
use gate::Side;
use regex_automata::meta::{Cache, Regex};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Readers of key files that other layers share.
pub(crate) mod keys {
    pub(crate) use super::validate::der::Element;
    pub(crate) use super::validate::openssh::Fields;
    pub(crate) use super::validate::private_key::wire;

    /// The public key, in SSH's wire format, of a private key without its armour.
    pub(crate) fn parse_private(body: &[u8]) -> Option<Vec<u8>> {
        super::validate::private_key::parse(body, None, true)?.public
    }
}

pub use check::{Found, Problem, Trial, check};
pub use cost::{LiteralCost, Meter, RuleCost};
pub use validate::names as validators;

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
    /// How much the rule knows of the form of what it finds: of rules that find the same bytes, the one that
    /// knows most reports.
    pub rank: Rank,
    /// Id of the rule whose finding nearby completes this one's.
    pub pair: Option<String>,
}

/// What a rule goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The name in front, whatever it belongs to.
    Name,
    /// The word of a vendor nearby.
    Vendor,
    /// The word of a vendor nearby, and the form of its tokens.
    VendorForm,
    /// The form of the secret itself.
    Form,
}

impl Rank {
    fn of(rule: &Rule) -> Self {
        match (rule.generic, rule.walker.as_deref(), &rule.value) {
            (true, ..) => Self::Name,
            (false, Some("vendor"), None) => Self::Vendor,
            (false, Some("vendor"), Some(_)) => Self::VendorForm,
            (false, ..) => Self::Form,
        }
    }
}

/// Working memory of one thread.
#[derive(Debug, Default)]
pub struct Scratch {
    caches: Vec<Option<Cache>>,
}

impl Scratch {
    /// The search memory of the rule of this index.
    fn cache(&mut self, rule: usize, regex: &Regex) -> &mut Cache {
        if self.caches.len() <= rule {
            self.caches.resize_with(rule + 1, || None);
        }
        self.caches[rule].get_or_insert_with(|| regex.create_cache())
    }
}

/// The rules, ready to confirm hits. Regexes are compiled at their first use.
#[derive(Debug)]
pub struct Detector {
    literals: Vec<Literal>,
    /// For each literal the rules that bring it, and which of their keywords it is.
    users: Vec<Vec<User>>,
    rules: Vec<Compiled>,
    facts: Vec<RuleFacts>,
    set: RuleSet,
}

#[derive(Clone, Copy, Debug)]
struct User {
    rule: usize,
    keyword: usize,
}

/// File systems place pieces of files at multiples of this many bytes at least: what follows in the raw
/// bytes beyond one may be another file's.
pub const SEAM_LEN: usize = 512;

impl Detector {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a rule is wrong.
    pub fn builtin() -> Result<Self> {
        Self::new(RuleSet::builtin()?)
    }

    /// The rules of `set`. A team's rule that cannot be applied is left out and named in the set's warnings.
    ///
    /// # Errors
    /// [`Kind::Usage`] when one of the built-in rules is wrong.
    pub fn new(mut set: RuleSet) -> Result<Self> {
        let mut rules = Vec::new();
        let mut warnings = Vec::new();
        for rule in set.rules() {
            match Compiled::new(rule.clone()).and_then(try_foreign) {
                Ok(compiled) => rules.push(compiled),
                Err(error) if rule.builtin => return Err(error),
                Err(error) => warnings.push((rule.id.clone(), error.to_string())),
            }
        }
        for (id, why) in warnings {
            set.remove(&id);
            set.warn(format!("{why}; it is left out"));
        }
        let mut index: BTreeMap<Literal, Vec<User>> = BTreeMap::new();
        for (rule, compiled) in rules.iter().enumerate() {
            for (keyword, literal) in compiled.literals.iter().enumerate() {
                index.entry(literal.clone()).or_default().push(User { rule, keyword });
            }
        }
        let facts = rules.iter().map(|compiled| facts(&compiled.rule)).collect();
        let (literals, users) = index.into_iter().unzip();
        Ok(Self { literals, users, rules, facts, set })
    }

    /// The literals to search for; hits name them by index.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Whether a rule looks for this literal in this encoding.
    pub fn is_sought_in(&self, literal: usize, encoding: Encoding) -> bool {
        self.users_of(literal).any(|(_, compiled)| compiled.rule.is_sought_in(encoding))
    }

    /// How wide a window to cut around a hit of this literal. Worked out at the literal's first hit.
    pub fn reach(&self, literal: usize) -> Reach {
        self.users_of(literal).map(|(user, compiled)| compiled.reach(user.keyword)).fold(
            Reach::default(),
            |widest, reach| Reach {
                before: widest.before.max(reach.before),
                after: widest.after.max(reach.after),
            },
        )
    }

    /// What reports need of the rules, by index.
    pub fn rules(&self) -> &[RuleFacts] {
        &self.facts
    }

    /// The rules as they were loaded, and what of them could not be expressed.
    pub fn rule_set(&self) -> &RuleSet {
        &self.set
    }

    /// Hash over all rules, for the report.
    pub fn digest(&self) -> String {
        self.set.digest()
    }

    /// Whether a narrow hit can be dropped on the bytes around it alone, before its owner is known. `bytes` is
    /// the raw slice, `at` the literal's first byte in it, and `skew` how far the slice's first byte lies
    /// behind a multiple of 512 bytes of the disk or of the content. Never true when a rule could match,
    /// whatever owns the sectors around the hit's own.
    pub fn is_hopeless(&self, literal: usize, bytes: &[u8], at: usize, skew: usize) -> bool {
        let Some(len) = self.literals.get(literal).map(|literal| literal.bytes.len()) else { return true };
        let end = at + len;
        let sector = ((at + skew) / SEAM_LEN * SEAM_LEN).saturating_sub(skew);
        let last_sector = (end + skew).div_ceil(SEAM_LEN) * SEAM_LEN - skew;
        let stop = bytes.len().min(last_sector);
        let (Some(before), Some(from)) = (bytes.get(sector..at), bytes.get(at..stop)) else { return false };
        let ahead = Side::Ahead(from.get(len..).unwrap_or_default());
        self.users_of(literal).all(|(user, compiled)| match &compiled.body {
            Body::Walker(walker) => (walker.refuses)(before, from),
            Body::Vendor(form) => {
                walk::vendor::refuses(from.get(len..).unwrap_or_default(), !form.is_empty())
            }
            Body::Regex(_) => compiled.placement(user.keyword).is_some_and(|placement| {
                placement.ahead.refuses(ahead, false) || placement.behind.refuses(Side::Behind(before), false)
            }),
        })
    }

    /// Runs the rules of `literal` on `window`; emits every match that contains the hit. One match may be
    /// emitted for several hits, once for each literal in it.
    pub fn confirm(
        &self,
        scratch: &mut Scratch,
        literal: usize,
        window: &Window<'_>,
        emit: &mut dyn FnMut(Match),
    ) {
        for (user, compiled) in self.users_of(literal) {
            let run = Run { index: user.rule, compiled, keyword: user.keyword };
            match &compiled.body {
                Body::Walker(walker) => confirm::walker(run, walker, window, emit),
                Body::Vendor(form) => confirm::vendor(run, form, window, emit),
                Body::Regex(_) => {
                    confirm::regex(run, scratch, window, emit);
                }
            }
        }
    }

    fn users_of(&self, literal: usize) -> impl Iterator<Item = (User, &Compiled)> {
        let users = self.users.get(literal).map(Vec::as_slice).unwrap_or_default();
        users.iter().filter_map(|user| Some((*user, self.rules.get(user.rule)?)))
    }
}

/// A team's rules are compiled when they are loaded, so that a wrong one is named at once.
fn try_foreign(compiled: Compiled) -> Result<Compiled> {
    if !compiled.rule.builtin {
        compiled
            .try_all()
            .map_err(|why| Error::new(Kind::Usage, format!("rule `{}`: {why}", compiled.rule.id)))?;
    }
    Ok(compiled)
}

fn facts(rule: &Rule) -> RuleFacts {
    RuleFacts {
        id: rule.id.clone(),
        title: rule.description.clone(),
        category: rule.category,
        remedy: rule.remedy.clone(),
        generic: rule.generic,
        rank: Rank::of(rule),
        pair: rule.pair.clone(),
    }
}
