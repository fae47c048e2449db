//! Whether rules keep what they promise: for the tests, and for teams that write their own.

use super::compile::Compiled;
use super::placement::Analysis;
use super::{Detector, Match, Rank, Scratch, Window, quiet};
use crate::rules::{Example, Verdict};
use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::meta;
use std::fmt;

/// Something wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The rule's id.
    pub rule: String,
    /// What is wrong, in a sentence.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// A finding in a text.
#[derive(Clone, Debug)]
pub struct Found {
    /// The rule's id.
    pub rule: String,
    /// The secret's bytes.
    pub secret: Vec<u8>,
    /// The match; its range is that of the secret in the whole text.
    pub found: Match,
}

/// Runs every rule of a detector on whole texts, through the same stages as a scan.
#[derive(Debug)]
pub struct Trial<'a> {
    detector: &'a Detector,
    search: AhoCorasick,
    scratch: Scratch,
}

impl<'a> Trial<'a> {
    /// Builds the search for the detector's literals. None when there are too many.
    pub fn new(detector: &'a Detector) -> Option<Self> {
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(detector.literals().iter().map(|literal| &literal.bytes))
            .ok()?;
        Some(Self { detector, search, scratch: Scratch::default() })
    }

    /// Everything that the rules find in a file of this content and path, each match once.
    pub fn run(&mut self, text: &[u8], path: Option<&str>) -> Vec<Found> {
        let mut out: Vec<Found> = Vec::new();
        let path = || path.map(|path| path.as_bytes().to_vec());
        for hit in self.search.find_overlapping_iter(text) {
            let (literal, at) = (hit.pattern().as_usize(), hit.start());
            let Some(wanted) = self.detector.literals().get(literal) else { continue };
            let is_exact = wanted.ignore_case || text.get(hit.range()) == Some(&wanted.bytes);
            if !is_exact || self.detector.is_hopeless(literal, text, at, 0) {
                continue;
            }
            let reach = self.detector.reach(literal);
            let start = at.saturating_sub(reach.before);
            let end = at.saturating_add(reach.after).min(text.len());
            let Some(bytes) = text.get(start..end) else { continue };
            let window = Window {
                bytes,
                hit: at - start,
                at_start: start == 0,
                at_end: end == text.len(),
                path: &path,
            };
            let detector = self.detector;
            detector.confirm(&mut self.scratch, literal, &window, &mut |mut found| {
                let secret = bytes.get(found.secret.clone()).unwrap_or_default().to_vec();
                found.secret = found.secret.start + start..found.secret.end + start;
                let is_known = out
                    .iter()
                    .any(|other| other.found.rule == found.rule && other.found.secret == found.secret);
                if let (false, Some(facts)) = (is_known, detector.rules().get(found.rule)) {
                    out.push(Found { rule: facts.id.clone(), secret, found });
                }
            });
        }
        out
    }
}

/// Everything that is wrong with the rules of `detector`, in their order.
pub fn check(detector: &Detector) -> Vec<Problem> {
    let Some(mut trial) = Trial::new(detector) else {
        return vec![Problem { rule: "all".to_owned(), what: "there are too many keywords".to_owned() }];
    };
    let mut problems = Vec::new();
    for (name, text) in quiet::TEXTS {
        let found = trial.run(text.as_bytes(), None);
        problems.extend(found.iter().filter(|found| found.found.verdict > Verdict::Possible).map(|found| {
            Problem {
                rule: found.rule.clone(),
                what: format!(
                    "it finds {:?} in the quiet text {name}",
                    String::from_utf8_lossy(&found.secret)
                ),
            }
        }));
    }
    for compiled in &detector.rules {
        let mut report = |what: String| problems.push(Problem { rule: compiled.rule.id.clone(), what });
        check_form(detector, compiled, &mut report);
        check_examples(&mut trial, compiled, &mut report);
    }
    problems
}

fn check_form(detector: &Detector, compiled: &Compiled, report: &mut dyn FnMut(String)) {
    let rule = &compiled.rule;
    if let Err(why) = compiled.try_all() {
        report(format!("a regex does not compile: {why}"));
        return;
    }
    if let Some(engine) = compiled.engine() {
        check_keywords(compiled, &engine.analysis, report);
        let groups = engine.regex().map_or(1, meta::Regex::captures_len);
        if rule.secret_group.is_some_and(|group| group >= groups) {
            report(format!("`secret_group` is beyond the {} groups of its regex", groups - 1));
        }
        if rule.builtin && rule.matches.is_empty() {
            report("it has no `matches`".to_owned());
        }
    }
    if rule.pair.as_ref().is_some_and(|pair| detector.set.get(pair).is_none()) {
        report("`pair` names no rule".to_owned());
    }
    for (name, value) in [("source", &rule.source), ("remedy", &rule.remedy)] {
        if rule.builtin && value.is_empty() {
            report(format!("it has no `{name}`"));
        }
    }
}

fn check_keywords(compiled: &Compiled, analysis: &Analysis, report: &mut dyn FnMut(String)) {
    if analysis.has_bare_match {
        report("a match need not contain one of the keywords".to_owned());
    }
    for (literal, placement) in compiled.literals.iter().zip(&analysis.placements) {
        let keyword = String::from_utf8_lossy(&literal.bytes);
        if placement.is_clipped {
            report(format!("a match around `{keyword}` can be longer than 4096 bytes"));
        }
        if placement.after == 0 && !analysis.has_bare_match {
            report(format!("no match contains `{keyword}` first; it can go"));
        }
    }
}

fn check_examples(trial: &mut Trial<'_>, compiled: &Compiled, report: &mut dyn FnMut(String)) {
    let rule = &compiled.rule;
    for example in &rule.matches {
        let found = trial.run(example.text.as_bytes(), example.path.as_deref());
        let mine: Vec<&Found> = found.iter().filter(|found| found.rule == rule.id).collect();
        check_match(example, &mine, report);
        for other in found.iter().filter(|other| other.rule != rule.id) {
            let is_same = mine.iter().any(|one| one.found.secret == other.found.secret);
            // Of two ranks the higher reports; one vendor's word may stand in another's.
            let rank = trial.detector.rules().get(other.found.rule).map(|facts| facts.rank);
            let is_explained = rank.is_none_or(|rank| rank != Rank::of(rule) || rank <= Rank::Vendor);
            if is_same && !is_explained {
                report(format!("rule `{}` finds the same secret in {:?}", other.rule, example.text));
            }
        }
    }
    for example in &rule.near_misses {
        let found = trial.run(example.text.as_bytes(), example.path.as_deref());
        if found.iter().any(|found| found.rule == rule.id) {
            report(format!("it finds something in the near miss {:?}", example.text));
        }
    }
}

fn check_match(example: &Example, mine: &[&Found], report: &mut dyn FnMut(String)) {
    let text = &example.text;
    if mine.is_empty() {
        report(format!("it finds nothing in {text:?}"));
    } else if let Some(secret) = &example.secret
        && !mine.iter().any(|found| found.secret == secret.as_bytes())
    {
        let seen: Vec<_> = mine.iter().map(|found| String::from_utf8_lossy(&found.secret)).collect();
        report(format!("it finds {seen:?} and not {secret:?} in {text:?}"));
    } else if let Some(verdict) = example.verdict
        && !mine.iter().any(|found| found.found.verdict == verdict)
    {
        let seen: Vec<_> = mine.iter().map(|found| found.found.verdict).collect();
        report(format!("its verdict is {seen:?} and not {verdict:?} in {text:?}"));
    }
}
