//! Runs a rule on a window: finds its matches around the hit, and the secret in each.

use super::compile::{Compiled, Lazy};
use super::placement::Placement;
use super::{Scratch, Window, judge, walk};
use crate::detect::Match;
use regex_automata::meta::{Cache, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};
use std::ops::Range;

/// A match and the secret in it, as ranges of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) matched: Range<usize>,
    pub(super) secret: Range<usize>,
}

/// The rule that is run, and the keyword that was hit.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) index: usize,
    pub(super) compiled: &'a Compiled,
    pub(super) keyword: usize,
}

/// Emits every match of a rule with a regex that contains the hit; says whether the hit passed the gate.
pub(super) fn regex(
    run: Run<'_>,
    scratch: &mut Scratch,
    window: &Window<'_>,
    emit: &mut dyn FnMut(Match),
) -> bool {
    let Some(engine) = run.compiled.engine() else { return false };
    let Some(placement) = run.compiled.placement(run.keyword) else { return false };
    let Some(literal) = run.compiled.literals.get(run.keyword) else { return false };
    let keyword_end = window.hit.saturating_add(literal.bytes.len());
    let (Some(behind), Some(ahead)) = (window.bytes.get(..window.hit), window.bytes.get(keyword_end..))
    else {
        return false;
    };
    if placement.refuses(behind, ahead) {
        return false;
    }
    let first = window.hit.saturating_sub(placement.before);
    let last = window.hit.saturating_add(placement.after).min(window.bytes.len());
    if engine.companions.are_missing(window.bytes.get(first..last).unwrap_or_default()) {
        return false;
    }
    let Some(regex) = engine.regex() else { return false };
    let search = Search { regex, placement, window, keyword_end, group: run.compiled.rule.secret_group };
    search.run(scratch.cache(run.index, regex), &mut |span| {
        let is_cut = span.matched.end == window.bytes.len() && !window.at_end && placement.is_clipped;
        if let Some(mut found) = judge::judge(run.compiled, window, &span) {
            found.rule = run.index;
            found.cut |= is_cut;
            emit(found);
        }
    });
    true
}

/// Emits the match of a rule with a walker.
pub(super) fn walker(run: Run<'_>, walker: &walk::Walker, window: &Window<'_>, emit: &mut dyn FnMut(Match)) {
    let Some(literal) = run.compiled.literals.get(run.keyword) else { return };
    if let Some(found) = (walker.walk)(window, literal.bytes.len())
        && let Some(mut outcome) = judge::judge(run.compiled, window, &found.span)
    {
        outcome.rule = run.index;
        outcome.cut |= found.is_cut;
        judge::apply(&mut outcome, found.change);
        emit(outcome);
    }
}

/// Emits the values beside a vendor's word.
pub(super) fn vendor(run: Run<'_>, form: &Lazy, window: &Window<'_>, emit: &mut dyn FnMut(Match)) {
    let Some(literal) = run.compiled.literals.get(run.keyword) else { return };
    walk::vendor::walk(window, literal.bytes.len(), form.get(), &mut |span| {
        if let Some(mut found) = judge::judge(run.compiled, window, &span) {
            found.rule = run.index;
            emit(found);
        }
    });
}

struct Search<'a> {
    regex: &'a Regex,
    placement: &'a Placement,
    window: &'a Window<'a>,
    keyword_end: usize,
    group: Option<usize>,
}

impl Search<'_> {
    /// Every match that starts at or before the hit and ends behind the keyword, one for each secret.
    ///
    /// A search over the whole content may start a match at any of these places, depending on what came
    /// before; all of them are tried, so that none it would find is lost.
    fn run(&self, cache: &mut Cache, each: &mut dyn FnMut(Span)) {
        let window = self.window;
        let end = window.bytes.len();
        let mut start = window.hit.saturating_sub(self.placement.before);
        let mut last: Option<Range<usize>> = None;
        let anchored = if self.placement.before == 0 { Anchored::Yes } else { Anchored::No };
        while start <= window.hit {
            let input = Input::new(window.bytes).range(start..end).anchored(anchored);
            let Some(found) = self.regex.search_with(cache, &input) else { return };
            if found.start() > window.hit {
                return;
            }
            start = found.start() + 1;
            if found.end() < self.keyword_end {
                continue;
            }
            let Some(secret) = self.secret(cache, found.range()) else { continue };
            if last.as_ref() == Some(&secret) {
                continue;
            }
            last = Some(secret.clone());
            each(Span { matched: found.range(), secret });
        }
    }

    /// The secret in a match: the group that the rule names, else the first one that took part, else all.
    fn secret(&self, cache: &mut Cache, matched: Range<usize>) -> Option<Range<usize>> {
        let regex = self.regex;
        if self.group == Some(0) || regex.captures_len() == 1 {
            return Some(matched).filter(|range| !range.is_empty());
        }
        let mut captures: Captures = regex.create_captures();
        let input = Input::new(self.window.bytes).range(matched.clone()).anchored(Anchored::Yes);
        regex.search_captures_with(cache, &input, &mut captures);
        let group = |index| captures.get_group(index).map(|span| span.range());
        let chosen = match self.group {
            Some(index) => group(index),
            None => {
                (1..captures.group_len()).filter_map(group).find(|range| !range.is_empty()).or(Some(matched))
            }
        };
        chosen.filter(|range| !range.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::{Detector, Window};
    use aho_corasick::{AhoCorasick, MatchKind};
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Matches of every rule as the sweep finds them, before any is judged: rule, start, end, secret.
    fn windowed(detector: &Detector, text: &[u8]) -> BTreeSet<(usize, usize, usize)> {
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(detector.literals().iter().map(|literal| &literal.bytes))
            .unwrap();
        let mut scratch = Scratch::default();
        let mut out = BTreeSet::new();
        for hit in search.find_overlapping_iter(text) {
            let (literal, at) = (hit.pattern().as_usize(), hit.start());
            let wanted = &detector.literals()[literal];
            let is_exact = wanted.ignore_case || text[hit.range()] == wanted.bytes;
            if !is_exact || detector.is_hopeless(literal, text, at, 0) {
                continue;
            }
            let reach = detector.reach(literal);
            let (start, end) = (at.saturating_sub(reach.before), (at + reach.after).min(text.len()));
            let window = Window {
                bytes: &text[start..end],
                hit: at - start,
                at_start: start == 0,
                at_end: end == text.len(),
                path: &|| None,
            };
            for (user, compiled) in detector.users_of(literal) {
                let (Some(engine), Some(placement)) = (compiled.engine(), compiled.placement(user.keyword))
                else {
                    continue;
                };
                let keyword_end = window.hit + wanted.bytes.len();
                if placement.refuses(&window.bytes[..window.hit], &window.bytes[keyword_end..]) {
                    continue;
                }
                let group = compiled.rule.secret_group;
                let matched = &window.bytes[window.hit.saturating_sub(placement.before)
                    ..window.bytes.len().min(window.hit + placement.after)];
                if engine.companions.are_missing(matched) {
                    continue;
                }
                let regex = engine.regex().unwrap();
                let search = Search { regex, placement, window: &window, keyword_end, group };
                search.run(scratch.cache(user.rule, regex), &mut |span| {
                    out.insert((user.rule, span.secret.start + start, span.secret.end + start));
                });
            }
        }
        out
    }

    /// Matches of every rule whose regex runs over all of the text.
    fn whole(detector: &Detector, text: &[u8]) -> BTreeSet<(usize, usize, usize)> {
        let mut out = BTreeSet::new();
        for (rule, compiled) in detector.rules.iter().enumerate() {
            // A rule whose keywords do not cover its regex is wrong, which is what checking rules says.
            let Some(engine) = compiled.engine().filter(|engine| !engine.analysis.has_bare_match) else {
                continue;
            };
            let placement = Placement::default();
            let window = Window { bytes: text, hit: 0, at_start: true, at_end: true, path: &|| None };
            let group = compiled.rule.secret_group;
            let regex = engine.regex().unwrap();
            let search = Search { regex, placement: &placement, window: &window, keyword_end: 0, group };
            let mut cache = regex.create_cache();
            for found in regex.find_iter(text) {
                if let Some(secret) = search.secret(&mut cache, found.range()) {
                    out.insert((rule, secret.start, secret.end));
                }
            }
        }
        out
    }

    fn compare(detector: &Detector, name: &str, text: &[u8]) -> usize {
        let (windowed, whole) = (windowed(detector, text), whole(detector, text));
        let lost: Vec<_> = whole
            .difference(&windowed)
            .map(|&(rule, start, end)| {
                (&detector.rules[rule].rule.id, String::from_utf8_lossy(&text[start..end]))
            })
            .collect();
        assert!(lost.is_empty(), "{name}: {lost:?}");
        whole.len()
    }

    #[test]
    fn no_match_is_lost_against_each_regex_on_the_whole_text() {
        let detector = Detector::builtin().unwrap();
        let mut text = Vec::new();
        for compiled in &detector.rules {
            let examples = compiled.rule.matches.iter().chain(&compiled.rule.near_misses);
            for example in examples {
                text.extend_from_slice(example.text.as_bytes());
                text.push(b'\n');
            }
        }
        assert!(compare(&detector, "examples", &text) >= detector.rules.len() / 2);
    }

    #[test]
    fn no_match_is_lost_in_files_of_a_real_system() {
        let detector = Detector::builtin().unwrap();
        let mut files = 0;
        let roots = ["/etc", "/usr/share/perl5", "/usr/lib/python3", "/usr/share/doc"];
        let folders = roots.iter().filter_map(|root| Path::new(root).read_dir().ok());
        for entry in folders.flat_map(|folder| folder.flatten().take(40)) {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let Some(mut text) = std::fs::read(entry.path()).ok().filter(|_| is_file) else { continue };
            text.truncate(32 << 10);
            compare(&detector, &entry.path().display().to_string(), &text);
            files += 1;
        }
        println!("{files} files compared");
    }
}
