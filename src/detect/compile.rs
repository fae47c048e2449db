//! Rules made ready to run: regexes and what follows from them are worked out at the first hit.

use super::companions::Companions;
use super::placement::{self, Analysis, Placement};
use super::validate::{self, Validator};
use super::walk::{self, Walker};
use super::{Reach, required};
use crate::error::{Error, Kind, Result};
use crate::rules::{Literal, Rule, Target};
use regex_automata::meta;
use regex_automata::nfa::thompson;
use regex_syntax::hir::Hir;
use std::sync::OnceLock;

/// Most bytes that a compiled regex may take.
const REGEX_SIZE_MAX: usize = 16 << 20;
/// Bytes around a match that assertions such as `\b` and `$` may look at.
pub(super) const CONTEXT_LEN: usize = 4;
/// Bytes before a match that rules see which judge by the line around it.
const LINE_CONTEXT_LEN: usize = 80;

/// A rule with everything that runs it.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) rule: Rule,
    pub(super) literals: Vec<Literal>,
    pub(super) validators: Vec<&'static Validator>,
    pub(super) body: Body,
    pub(super) path: Lazy,
    pub(super) allowlists: Vec<Allow>,
}

/// What finds the match.
#[derive(Debug)]
pub(super) enum Body {
    /// A regex.
    Regex(OnceLock<Option<Engine>>),
    /// A hand-written walker.
    Walker(&'static Walker),
    /// The walker for values beside a vendor's word, and the form of the value.
    Vendor(Lazy),
}

/// What is known of a regex before it runs, and the regex itself, compiled when a hit passes all that.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) analysis: Analysis,
    pub(super) companions: Companions,
    hir: Hir,
    regex: OnceLock<Option<meta::Regex>>,
}

impl Engine {
    /// The regex. None when it does not compile, which loading and checking a rule file both refuse.
    pub(super) fn regex(&self) -> Option<&meta::Regex> {
        self.regex.get_or_init(|| build(std::slice::from_ref(&self.hir)).ok()).as_ref()
    }
}

/// The regexes of an allowlist.
#[derive(Debug)]
pub(super) struct Allow {
    pub(super) regexes: Lazy,
    pub(super) paths: Lazy,
}

/// Several regexes as one, compiled at the first use.
#[derive(Debug, Default)]
pub(super) struct Lazy {
    patterns: Vec<String>,
    regex: OnceLock<Option<meta::Regex>>,
}

impl Lazy {
    fn new(patterns: &[String]) -> Self {
        Self { patterns: patterns.to_vec(), regex: OnceLock::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The compiled regex; none where there are no patterns.
    pub(super) fn get(&self) -> Option<&meta::Regex> {
        let compiled = || self.regex.get_or_init(|| self.compile().ok()).as_ref();
        if self.is_empty() { None } else { compiled() }
    }

    pub(super) fn is_match(&self, bytes: &[u8]) -> bool {
        self.get().is_some_and(|one| one.is_match(bytes))
    }

    pub(super) fn compile(&self) -> Result<meta::Regex, String> {
        let hirs = self.patterns.iter().map(|one| parse(one)).collect::<Result<Vec<_>, _>>()?;
        build(&hirs)
    }
}

impl Compiled {
    /// Looks up what the rule names and finds its literals.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an unknown validator or walker, for keywords shorter than four bytes, and for a
    /// regex that brings none.
    pub(super) fn new(rule: Rule) -> Result<Self> {
        let refuse = |why: String| Error::new(Kind::Usage, format!("rule `{}`: {why}", rule.id));
        let validators = rule
            .validators
            .iter()
            .map(|name| validate::get(name).ok_or_else(|| refuse(format!("no validator is named `{name}`"))))
            .collect::<Result<Vec<_>>>()?;
        let body = match rule.walker.as_deref() {
            Some("vendor") => Body::Vendor(Lazy::new(rule.value.as_slice())),
            Some(name) => {
                Body::Walker(walk::get(name).ok_or_else(|| refuse(format!("no walker is named `{name}`")))?)
            }
            None => Body::Regex(OnceLock::new()),
        };
        let literals = literals(&rule).map_err(refuse)?;
        let path = Lazy::new(rule.path.as_slice());
        let allowlists = rule
            .allowlists
            .iter()
            .map(|list| Allow { regexes: Lazy::new(&list.regexes), paths: Lazy::new(&list.paths) })
            .collect();
        Ok(Self { rule, literals, validators, body, path, allowlists })
    }

    /// The engine of a rule with a regex. None for a regex that does not compile; loading and checking a
    /// rule file both refuse those.
    pub(super) fn engine(&self) -> Option<&Engine> {
        match &self.body {
            Body::Regex(cell) => cell.get_or_init(|| self.compile().ok()).as_ref(),
            Body::Walker(_) | Body::Vendor(_) => None,
        }
    }

    /// Places the keywords in the regex.
    pub(super) fn compile(&self) -> Result<Engine, String> {
        let hir = parse(&self.rule.regex)?;
        let analysis = self.analyse(&hir)?;
        let companions = Companions::new(&hir, &self.literals);
        Ok(Engine { analysis, companions, hir, regex: OnceLock::new() })
    }

    /// Compiles everything that is otherwise compiled at its first use.
    ///
    /// # Errors
    /// A sentence that says which regex is wrong.
    pub(super) fn try_all(&self) -> Result<(), String> {
        if let Body::Regex(cell) = &self.body {
            if cell.get().is_none_or(Option::is_none) {
                let engine = self.compile()?;
                cell.get_or_init(|| Some(engine));
            }
            build(&[parse(&self.rule.regex)?])?;
        }
        if let Body::Vendor(form) = &self.body
            && !form.is_empty()
        {
            form.compile()?;
        }
        let lists = self.allowlists.iter().flat_map(|list| [&list.regexes, &list.paths]);
        for lazy in lists.chain([&self.path]).filter(|lazy| !lazy.is_empty()) {
            lazy.compile()?;
        }
        Ok(())
    }

    fn analyse(&self, hir: &Hir) -> Result<Analysis, String> {
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(REGEX_SIZE_MAX))
                    .which_captures(thompson::WhichCaptures::None),
            )
            .build_from_hir(hir)
            .map_err(|error| error.to_string())?;
        let keywords: Vec<Vec<u8>> = self.literals.iter().map(|literal| literal.bytes.clone()).collect();
        let ignore_case = self.literals.iter().any(|literal| literal.ignore_case);
        placement::analyse(&nfa, &keywords, ignore_case)
    }

    /// Where the keyword of this index stands.
    pub(super) fn placement(&self, keyword: usize) -> Option<&Placement> {
        self.engine()?.analysis.placements.get(keyword)
    }

    /// How much content before a match the rule looks at: for assertions, or for the line and the name that
    /// the match stands in.
    fn context_len(&self) -> usize {
        let looks_at_line = self.rule.allowlists.iter().any(|list| list.regex_target == Target::Line);
        let looks_at_name = self.rule.validators.iter().any(|name| name == "generic");
        if looks_at_line || looks_at_name { LINE_CONTEXT_LEN } else { CONTEXT_LEN }
    }

    /// How much content the rule wants to see around its keyword.
    pub(super) fn reach(&self, keyword: usize) -> Reach {
        match &self.body {
            Body::Walker(walker) => walker.reach,
            Body::Vendor(_) => walk::vendor::REACH,
            Body::Regex(_) => self.placement(keyword).map_or_else(Reach::default, |placement| Reach {
                before: placement.before + self.context_len(),
                after: placement.after + CONTEXT_LEN,
            }),
        }
    }
}

/// Parses a regex in bytes mode; Unicode is off unless the regex turns it on.
pub(super) fn parse(pattern: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(250)
        .build()
        .parse(pattern)
        .map_err(|error| error.to_string())
}

/// Memory of one regex's lazy automaton in each thread. The default of 2 MiB is made for long haystacks.
const LAZY_DFA_SIZE_MAX: usize = 256 << 10;

fn build(hirs: &[Hir]) -> Result<meta::Regex, String> {
    meta::Builder::new()
        .configure(
            meta::Config::new()
                .utf8_empty(false)
                .nfa_size_limit(Some(REGEX_SIZE_MAX))
                // Windows are short and hold a keyword for certain: a search ahead of the search is lost work.
                .auto_prefilter(false)
                .hybrid_cache_capacity(LAZY_DFA_SIZE_MAX),
        )
        .build_many_from_hir(hirs)
        .map_err(|error| error.to_string())
}

/// The literals that stand in every match of `rule`.
fn literals(rule: &Rule) -> Result<Vec<Literal>, String> {
    if rule.keywords.is_empty() || (!rule.builtin && rule.walker.is_none()) {
        if rule.walker.is_some() {
            return Err("a rule with a walker names its keywords".to_owned());
        }
        // Others' keywords are words of the whole file; what must stand in the match follows from the regex.
        match required::literals(&parse(&rule.regex)?) {
            Some(literals) => return Ok(literals),
            None if rule.keywords.is_empty() => {
                return Err("no string of four bytes or more stands in every match".to_owned());
            }
            None => {}
        }
    }
    let ignore_case = ignores_case(&rule.regex) || rule.walker.as_deref() == Some("vendor");
    let mut literals = Vec::new();
    for keyword in &rule.keywords {
        if keyword.len() < required::LITERAL_LEN_MIN {
            return Err(format!("keyword `{keyword}` is shorter than four bytes"));
        }
        let bytes = if ignore_case { keyword.to_ascii_lowercase() } else { keyword.clone() };
        let literal = Literal { bytes: bytes.into_bytes(), ignore_case };
        if !literals.contains(&literal) {
            literals.push(literal);
        }
    }
    Ok(literals)
}

/// Whether a group of flags such as `(?i)` or `(?i-s:` turns case off somewhere.
fn ignores_case(pattern: &str) -> bool {
    pattern.match_indices("(?").any(|(at, _)| {
        let flags = pattern.get(at + 2..).unwrap_or_default();
        flags.chars().take_while(char::is_ascii_alphabetic).any(|flag| flag == 'i')
    })
}
