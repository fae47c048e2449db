//! Which strings must stand in every match of a regex.
//!
//! Works on the parsed regex alone, as code search engines do: each part is either a small set of exact
//! strings, or something that brings a set of strings one of which it contains, or nothing useful.

use crate::rules::Literal;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shortest literal that the search takes.
pub(super) const LITERAL_LEN_MIN: usize = 4;
/// Longest literal worth searching for; a longer one is cut, which loses nothing.
const LITERAL_LEN_MAX: usize = 24;
/// Most literals that one rule may bring.
const LITERALS_MAX: usize = 64;

/// The literals of `hir`, the best set that can be had, or none. Each is at least
/// [`LITERAL_LEN_MIN`] bytes long, and each match contains one of them.
pub(super) fn literals(hir: &Hir) -> Option<Vec<Literal>> {
    let mut set = required(hir)?;
    // One that ignores case makes all of them do so: a match is attributed to the first literal in it.
    let ignore_case = set.iter().any(|part| part.ignore_case);
    for part in &mut set {
        part.bytes.truncate(LITERAL_LEN_MAX);
        part.ignore_case = ignore_case;
        if ignore_case {
            part.bytes.make_ascii_lowercase();
        }
    }
    set.sort();
    set.dedup();
    Some(set)
}

/// Shortest word that is worth looking for in a window.
const WORD_LEN_MIN: usize = 3;

/// Sets of words, each from another part of the regex, so that every match contains one word of each set.
pub(super) fn in_parts(hir: &Hir) -> Vec<Vec<Literal>> {
    let mut out = Vec::new();
    let mut stack = vec![hir];
    while let Some(hir) = stack.pop() {
        match hir.kind() {
            HirKind::Capture(capture) => stack.push(&capture.sub),
            HirKind::Concat(parts) => {
                let mut run = nothing();
                for part in parts {
                    let joined = exact(part).and_then(|set| join(&run, &set));
                    if joined.is_none() {
                        stack.push(part);
                        out.push(std::mem::replace(&mut run, nothing()));
                    }
                    run = joined.unwrap_or(run);
                }
                out.push(run);
            }
            HirKind::Repetition(repetition) if repetition.min > 0 => stack.push(&repetition.sub),
            HirKind::Alternation(branches) => {
                out.extend(
                    branches.iter().map(word_of).collect::<Option<Vec<_>>>().map(|sets| sets.concat()),
                );
            }
            _ => out.extend(exact(hir)),
        }
    }
    out.retain(|set| is_long(set) && set.len() <= LITERALS_MAX);
    out
}

fn nothing() -> Vec<Literal> {
    vec![Literal { bytes: Vec::new(), ignore_case: false }]
}

/// Whether every string is long enough to be looked for.
fn is_long(set: &[Literal]) -> bool {
    !set.is_empty() && set.iter().all(|one| one.bytes.len() >= WORD_LEN_MIN)
}

/// Words one of which stands in every match of a branch: the strings it is, or those that it starts with.
fn word_of(hir: &Hir) -> Option<Vec<Literal>> {
    if let Some(set) = exact(hir).filter(|set| is_long(set)) {
        return Some(set);
    }
    match hir.kind() {
        HirKind::Capture(capture) => word_of(&capture.sub),
        HirKind::Concat(parts) => {
            let mut run = nothing();
            let mut best = None;
            for part in parts {
                match exact(part).and_then(|set| join(&run, &set)) {
                    Some(joined) => run = joined,
                    None => run = nothing(),
                }
                if is_long(&run) {
                    best = Some(run.clone());
                }
            }
            best
        }
        _ => None,
    }
}

/// How good a set is: rare literals first, then few of them.
fn worth(set: &[Literal]) -> Option<f64> {
    let rarest = set.iter().map(|one| rarity(&one.bytes)).fold(f64::INFINITY, f64::min);
    let fits = set.iter().all(|one| one.bytes.len() >= LITERAL_LEN_MIN) && set.len() <= LITERALS_MAX;
    let count = f64::from(u32::try_from(set.len()).unwrap_or(u32::MAX));
    (fits && !set.is_empty()).then(|| rarest - 2.0 * count.log2())
}

/// Bits of surprise in a string on the content of disks: letters in words say little, digits, upper case
/// and punctuation say more.
fn rarity(bytes: &[u8]) -> f64 {
    let bits = |&byte: &u8| match byte {
        0 | b' ' => 1.0,
        b'a'..=b'z' => 3.5,
        b'A'..=b'Z' | b'0'..=b'9' => 5.0,
        _ => 5.5,
    };
    bytes.iter().take(10).map(bits).sum()
}

/// A set of strings one of which stands in every match.
fn required(hir: &Hir) -> Option<Vec<Literal>> {
    let mut best = Best::default();
    best.offer(exact(hir));
    match hir.kind() {
        HirKind::Capture(capture) => best.offer(required(&capture.sub)),
        HirKind::Repetition(repetition) if repetition.min > 0 => best.offer(required(&repetition.sub)),
        HirKind::Alternation(branches) => {
            best.offer(branches.iter().map(required).collect::<Option<Vec<_>>>().map(|sets| sets.concat()));
        }
        HirKind::Concat(parts) => required_in_sequence(parts, &mut best),
        _ => {}
    }
    best.set
}

/// Every run of neighbouring parts that are exact strings, and every part on its own.
fn required_in_sequence(parts: &[Hir], best: &mut Best) {
    let exacts: Vec<Option<Vec<Literal>>> = parts.iter().map(exact).collect();
    for (first, part) in parts.iter().enumerate() {
        best.offer(required(part));
        let mut run = vec![Literal { bytes: Vec::new(), ignore_case: false }];
        for (next, set) in parts.iter().zip(&exacts).skip(first) {
            let joined = match set {
                Some(set) => join(&run, set),
                // The first characters of a longer part still follow the run in every match.
                None if is_short(&run) => heads(next).and_then(|set| join(&run, &set)),
                None => None,
            };
            let Some(joined) = joined else { break };
            run = joined;
            best.offer(Some(run.clone()));
            if set.is_none() {
                break;
            }
        }
    }
}

fn is_short(set: &[Literal]) -> bool {
    set.iter().any(|one| one.bytes.len() < LITERAL_LEN_MIN)
}

/// The first character of something that is not an exact string.
fn heads(hir: &Hir) -> Option<Vec<Literal>> {
    match hir.kind() {
        HirKind::Capture(capture) => heads(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            exact(&repetition.sub).or_else(|| heads(&repetition.sub))
        }
        HirKind::Concat(parts) => parts.first().and_then(|part| exact(part).or_else(|| heads(part))),
        _ => None,
    }
}

#[derive(Default)]
struct Best {
    set: Option<Vec<Literal>>,
    worth: f64,
}

impl Best {
    fn offer(&mut self, set: Option<Vec<Literal>>) {
        let Some(set) = set else { return };
        if let Some(worth) = worth(&set)
            && (self.set.is_none() || worth > self.worth)
        {
            self.worth = worth;
            self.set = Some(set);
        }
    }
}

/// The strings that `hir` matches, where they are few.
fn exact(hir: &Hir) -> Option<Vec<Literal>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(nothing()),
        HirKind::Literal(literal) => Some(vec![Literal { bytes: literal.0.to_vec(), ignore_case: false }]),
        HirKind::Class(class) => exact_class(class),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => parts.iter().try_fold(nothing(), |sets, part| join(&sets, &exact(part)?)),
        HirKind::Alternation(branches) => {
            let sets = branches.iter().map(exact).collect::<Option<Vec<_>>>()?.concat();
            (sets.len() <= LITERALS_MAX).then_some(sets)
        }
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (0, Some(1)) => {
                let mut sets = exact(&repetition.sub)?;
                sets.push(Literal { bytes: Vec::new(), ignore_case: false });
                (sets.len() <= 8).then_some(sets)
            }
            (min, Some(max)) if min == max && min <= 16 => {
                let one = exact(&repetition.sub)?;
                (0..min).try_fold(nothing(), |sets, _| join(&sets, &one))
            }
            _ => None,
        },
    }
}

fn exact_class(class: &Class) -> Option<Vec<Literal>> {
    let mut bytes = Vec::new();
    match class {
        Class::Bytes(class) => {
            for range in class.iter() {
                bytes.extend(range.start()..=range.end());
            }
        }
        Class::Unicode(class) => {
            for range in class.iter() {
                let (start, end) = (u8::try_from(range.start()).ok()?, u8::try_from(range.end()).ok()?);
                bytes.extend(start..=end);
            }
            if !bytes.is_ascii() {
                return None;
            }
        }
    }
    if bytes.is_empty() || bytes.len() > LITERALS_MAX {
        return None;
    }
    // A letter in both its cases is one string that ignores case.
    if let [upper, lower] = bytes[..]
        && upper.is_ascii_uppercase()
        && lower == upper.to_ascii_lowercase()
    {
        return Some(vec![Literal { bytes: vec![lower], ignore_case: true }]);
    }
    Some(bytes.into_iter().map(|byte| Literal { bytes: vec![byte], ignore_case: false }).collect())
}

/// Every string of one set followed by every string of the other, where they are not too many.
fn join(heads: &[Literal], tails: &[Literal]) -> Option<Vec<Literal>> {
    if heads.len().saturating_mul(tails.len()) > LITERALS_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(heads.len() * tails.len());
    for head in heads {
        for tail in tails {
            let bytes = [head.bytes.as_slice(), &tail.bytes].concat();
            out.push(Literal { bytes, ignore_case: head.ignore_case || tail.ignore_case });
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        let set = literals(&hir.unwrap())?;
        let show = |one: &Literal| {
            let case = if one.ignore_case { "i:" } else { "" };
            format!("{case}{}", String::from_utf8_lossy(&one.bytes))
        };
        Some(set.iter().map(show).collect())
    }

    #[test]
    fn the_rarest_strings_that_every_match_contains_are_chosen() {
        let cases: [(&str, Option<&[&str]>); 8] = [
            (r"\b(ghp_[A-Za-z0-9]{36})\b", Some(&["ghp_"])),
            (r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", Some(&["AKIA", "ASIA"])),
            (r"(?i)password\s*=\s*\S{8,40}", Some(&["i:password"])),
            (r"[a-z]{8}\.example\.com", Some(&[".example.com"])),
            (r"gh[pous]_[0-9]{5}", Some(&["gho_", "ghp_", "ghs_", "ghu_"])),
            (
                r"sk-[0-9]{20}",
                Some(&["sk-0", "sk-1", "sk-2", "sk-3", "sk-4", "sk-5", "sk-6", "sk-7", "sk-8", "sk-9"]),
            ),
            (r"[A-Za-z0-9]{40}", None),
            (r"(?:abcdef)?x{3}", None),
        ];
        for (pattern, expected) in cases {
            let expected = expected.map(|list| list.iter().map(|&one| one.to_owned()).collect());
            assert_eq!(of(pattern), expected, "{pattern}");
        }
    }
}
