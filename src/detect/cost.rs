//! What each rule costs on given content: how often its literals stand there, how many of those hits its gate
//! lets through, how long its regex or walker runs, and how many matches come of it.

use super::compile::Body;
use super::confirm::{self, Run};
use super::{Detector, Scratch, Window};
use std::time::{Duration, Instant};

/// What one rule cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleCost {
    /// The rule's id.
    pub rule: String,
    /// Places where one of its literals stands.
    pub hits: u64,
    /// Hits that reached its regex or walker.
    pub runs: u64,
    /// Matches that were confirmed.
    pub matches: u64,
    /// Time in its gate, regex or walker, validators and allow-lists.
    pub time: Duration,
}

/// What one literal cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiteralCost {
    /// The literal, as text.
    pub literal: String,
    /// Rules that bring it.
    pub rules: usize,
    /// Places where it stands.
    pub hits: u64,
    /// Hits that no gate of any of its rules refused.
    pub runs: u64,
}

/// Counts what each rule costs, hit by hit.
#[derive(Debug)]
pub struct Meter<'a> {
    detector: &'a Detector,
    scratch: Scratch,
    rules: Vec<RuleCost>,
    literals: Vec<LiteralCost>,
}

impl<'a> Meter<'a> {
    /// Nothing has been counted yet.
    pub fn new(detector: &'a Detector) -> Self {
        let rules = detector
            .rules
            .iter()
            .map(|compiled| RuleCost { rule: compiled.rule.id.clone(), ..RuleCost::default() })
            .collect();
        let literals = detector
            .literals
            .iter()
            .zip(&detector.users)
            .map(|(literal, users)| LiteralCost {
                literal: literal.bytes.escape_ascii().to_string(),
                rules: users.len(),
                ..LiteralCost::default()
            })
            .collect();
        Self { detector, scratch: Scratch::default(), rules, literals }
    }

    /// Counts a narrow hit of `literal` at `at` of `bytes`, which start at a multiple of 512 bytes.
    pub fn hit(&mut self, literal: usize, bytes: &[u8], at: usize) {
        let detector = self.detector;
        let Some(cost) = self.literals.get_mut(literal) else { return };
        cost.hits += 1;
        for (user, _) in detector.users_of(literal) {
            self.rules[user.rule].hits += 1;
        }
        if detector.is_hopeless(literal, bytes, at, 0) {
            return;
        }
        let reach = detector.reach(literal);
        let start = at.saturating_sub(reach.before);
        let end = at.saturating_add(reach.after).min(bytes.len());
        let window = Window {
            bytes: bytes.get(start..end).unwrap_or_default(),
            hit: at - start,
            at_start: start == 0,
            at_end: end == bytes.len(),
            path: &|| None,
        };
        let mut is_run = false;
        for (user, compiled) in detector.users_of(literal) {
            let own = &mut self.rules[user.rule];
            let run = Run { index: user.rule, compiled, keyword: user.keyword };
            let mut matches = 0;
            let begin = Instant::now();
            let is_past_gate = match &compiled.body {
                Body::Walker(walker) => {
                    confirm::walker(run, walker, &window, &mut |_| matches += 1);
                    true
                }
                Body::Vendor(form) => {
                    confirm::vendor(run, form, &window, &mut |_| matches += 1);
                    true
                }
                Body::Regex(_) => confirm::regex(run, &mut self.scratch, &window, &mut |_| matches += 1),
            };
            own.time += begin.elapsed();
            own.runs += u64::from(is_past_gate);
            own.matches += matches;
            is_run |= is_past_gate;
        }
        self.literals[literal].runs += u64::from(is_run);
    }

    /// What was counted: rules by falling time, literals by falling number of hits.
    pub fn finish(mut self) -> (Vec<RuleCost>, Vec<LiteralCost>) {
        self.rules.sort_by(|one, other| other.time.cmp(&one.time).then_with(|| one.rule.cmp(&other.rule)));
        self.literals
            .sort_by(|one, other| other.hits.cmp(&one.hits).then_with(|| one.literal.cmp(&other.literal)));
        (self.rules, self.literals)
    }
}
