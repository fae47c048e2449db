//! The graph as text: a block a key, the worst first.

use super::{place, shown};
use crate::keys::{KeyFact, KeyNode, Opening};
use crate::location::{State, harmless};
use std::io::{self, Write};

/// Lines of one sort that are shown of a key; the rest is counted.
const LINES_MAX: usize = 50;
/// Width of the words before each line.
const LABEL: usize = 13;

/// Writes the graph; `all` shows keys, too, that no image holds and that open nothing.
///
/// # Errors
/// When `out` cannot be written.
pub fn text(out: &mut dyn Write, images: usize, nodes: &[KeyNode], all: bool) -> io::Result<()> {
    let count = |is: fn(&KeyNode) -> bool| nodes.iter().filter(|node| is(node)).count();
    let held = count(KeyNode::is_held);
    let both = count(|node| node.is_held() && node.opens_something());
    writeln!(
        out,
        "{}, {}; of {held} an image holds the private key, {both} of these open something",
        plural(images, "image"),
        plural(nodes.len(), "key")
    )?;
    for node in shown(nodes, all) {
        block(out, node)?;
    }
    let hidden = nodes.len().saturating_sub(shown(nodes, all).count());
    if hidden > 0 {
        let verb = if hidden == 1 { "opens" } else { "open" };
        writeln!(
            out,
            "\n{} that no image holds and that {verb} nothing here; --all shows them",
            plural(hidden, "key")
        )?;
    }
    Ok(())
}

fn block(out: &mut dyn Write, node: &KeyNode) -> io::Result<()> {
    writeln!(out, "\n{}  {}", harmless(&node.fingerprint), harmless(&node.algorithm))?;
    section(out, "private key", &node.private, |fact| {
        let state = match fact.state {
            None | Some(State::Allocated) => String::new(),
            Some(state) => format!(", {}", format!("{state:?}").to_lowercase()),
        };
        let lock = match fact.encrypted {
            Some(true) => ", behind a passphrase",
            Some(false) => ", not encrypted",
            None => "",
        };
        let owner = fact.accounts.first().map(|owner| format!(", of {owner}")).unwrap_or_default();
        format!("{} {}{state}{owner}{lock}{}", fact.image, place(fact), limits(&fact.limits))
    })?;
    section(out, "opens", &node.opens, opening)?;
    section(out, "opens", &node.clusters, |fact| {
        let subject = fact.subject.as_deref().map(|subject| format!(" as {subject}")).unwrap_or_default();
        let until = until(fact);
        format!("cluster {}{subject}{until}  ({} {})", fact.hosts.join(", "), fact.image, place(fact))
    })?;
    section(out, "identity of", &node.identifies, |fact| {
        let host = fact.hosts.first().map(|host| format!(" ({host})")).unwrap_or_default();
        format!("{}{host}  {}", fact.image, place(fact))
    })?;
    section(out, "known as", &node.known_by, |fact| {
        let by = fact.accounts.first().map(|account| format!("{account} on ")).unwrap_or_default();
        format!("{} to {by}{}  {}", fact.hosts.join(", "), fact.image, place(fact))
    })?;
    section(out, "certificate", &node.certificates, |fact| {
        let names =
            [&fact.principals, &fact.hosts].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { names } else { format!(" for {names}") };
        let subject = fact.subject.as_deref().unwrap_or_default();
        format!("{subject}{names}{}  ({} {})", until(fact), fact.image, place(fact))
    })?;
    section(out, "authority in", &node.authority_in, |fact| format!("{} {}", fact.image, place(fact)))?;
    section(out, "public key", &node.public, |fact| format!("{} {}", fact.image, place(fact)))?;
    if node.more > 0 {
        writeln!(out, "  and {} more places", node.more)?;
    }
    Ok(())
}

fn section<T>(out: &mut dyn Write, label: &str, items: &[T], line: impl Fn(&T) -> String) -> io::Result<()> {
    let mut label = label;
    for item in items.iter().take(LINES_MAX) {
        writeln!(out, "  {label:<LABEL$} {}", harmless(&line(item)))?;
        label = "";
    }
    let more = items.len().saturating_sub(LINES_MAX);
    if more > 0 {
        writeln!(out, "  {:<LABEL$} and {more} more", "")?;
    }
    Ok(())
}

fn opening(opening: &Opening) -> String {
    let line = opening.line.map(|line| format!(" line {line}")).unwrap_or_default();
    let comment = opening.comment.as_deref().map(|comment| format!("; {comment}")).unwrap_or_default();
    let by =
        opening.by_authority.as_deref().map(|key| format!(", by a certificate of {key}")).unwrap_or_default();
    let limits = limits(&opening.limits);
    format!("{} on {}{by}{limits}  ({}{line}{comment})", opening.account, opening.image, opening.place)
}

fn limits(limits: &[String]) -> String {
    if limits.is_empty() { String::new() } else { format!(" [{}]", limits.join(", ")) }
}

fn until(fact: &KeyFact) -> String {
    fact.valid_until.as_deref().map(|until| format!(", until {until}")).unwrap_or_default()
}

fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
