//! One block of the text report: a finding, the same secret's other places, and the finding that completes it.

use super::paint::Paint;
use crate::error::Result;
use crate::finding::Finding;
use crate::location::harmless;
use crate::report::spool::{Group, Spool};
use crate::report::words;
use std::fmt::Write as _;

/// Places of one secret that are listed; the rest is counted.
const PLACES_SHOWN: usize = 8;

/// Different remedies of one secret that are shown.
const REMEDIES_SHOWN: usize = 4;

/// Width of the names before values.
const LABEL: usize = 12;

/// The lines of a group of findings.
pub(super) fn group(paint: Paint, spool: &mut Spool, group: &Group) -> Result<String> {
    let Some((&first, others)) = group.places.split_first() else { return Ok(String::new()) };
    let first = spool.get(first)?;
    let mut text = String::from("\n");
    head(paint, &first, &mut text);
    circumstances(paint, &first, &mut text);
    details(&first, &mut text);
    if let Some(pair) = group.pair {
        let pair = spool.get(pair)?;
        let title = format!("{} ({})", harmless(&pair.title), harmless(&pair.rule));
        line(&mut text, "completed by", &title);
        line(&mut text, "", &words::place(&pair.place));
        details(&pair, &mut text);
    }
    let remedies = also(spool, &first, others, &mut text)?;
    for note in [&first.known_good].into_iter().flatten() {
        line(&mut text, "known good", &harmless(note));
    }
    let mut label = "remedy";
    for remedy in remedies.iter().filter(|remedy| !remedy.is_empty()) {
        line(&mut text, label, &harmless(remedy));
        label = "";
    }
    Ok(text)
}

fn head(paint: Paint, finding: &Finding, text: &mut String) {
    let title = paint.bold(&harmless(&finding.title));
    let rule = paint.dim(&format!("{}, {}", harmless(&finding.rule), words::verdict(finding.verdict)));
    writeln!(text, "  {title}  {rule}").unwrap_or_default();
    writeln!(text, "    {}", harmless(&words::place(&finding.place))).unwrap_or_default();
}

fn circumstances(paint: Paint, finding: &Finding, text: &mut String) {
    let facts = words::circumstances(finding).join(" · ");
    if !facts.is_empty() {
        writeln!(text, "    {}", paint.dim(&harmless(&facts))).unwrap_or_default();
    }
}

fn details(finding: &Finding, text: &mut String) {
    if let Some(shown) = &finding.secret_shown {
        let mut label = "secret";
        for part in shown.lines() {
            line(text, label, &harmless(part));
            label = "";
        }
    } else if let Some(masked) = &finding.secret_masked {
        line(text, "secret", &harmless(masked));
    }
    if let Some(fingerprint) = &finding.fingerprint {
        line(text, "fingerprint", &harmless(fingerprint));
    }
    let mut label = "evidence";
    for fact in &finding.evidence {
        line(text, label, &harmless(fact));
        label = "";
    }
    if !finding.copies.is_empty() {
        let places: Vec<_> = finding.copies.iter().take(PLACES_SHOWN).map(u64::to_string).collect();
        let more = finding.copies.len().saturating_sub(PLACES_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        line(text, "copies", &format!("at disk offset {}{more}", places.join(", ")));
    }
}

/// The other places of the same secret, or of the same leftover. Returns the remedies of all that is shown.
fn also(spool: &mut Spool, first: &Finding, others: &[usize], text: &mut String) -> Result<Vec<String>> {
    let mut remedies = vec![first.remedy.clone()];
    let mut label = "also at";
    for &other in others.iter().take(PLACES_SHOWN) {
        let finding = spool.get(other)?;
        let state = finding.place.state.map(words::state_phrase).unwrap_or_default();
        let place = words::place(&finding.place);
        let detail = match (&finding.fingerprint, finding.evidence.first()) {
            _ if finding.rule != first.rule => format!("{}, {}", finding.title, finding.rule),
            (None, Some(fact)) => fact.clone(),
            _ if finding.place.path.is_some() && state == "in a file" => String::new(),
            _ => state.to_owned(),
        };
        let detail = if detail.is_empty() { detail } else { format!("  ({})", harmless(&detail)) };
        line(text, label, &format!("{}{detail}", harmless(&place)));
        label = "";
        if !remedies.contains(&finding.remedy) && remedies.len() < REMEDIES_SHOWN {
            remedies.push(finding.remedy);
        }
    }
    let more = others.len().saturating_sub(PLACES_SHOWN);
    if more > 0 {
        let more = words::count(u64::try_from(more).unwrap_or(u64::MAX), "more place");
        line(text, "", &format!("and {more} (the JSON lines name each)"));
    }
    Ok(remedies)
}

fn line(text: &mut String, label: &str, value: &str) {
    writeln!(text, "    {label:<LABEL$} {value}").unwrap_or_default();
}
