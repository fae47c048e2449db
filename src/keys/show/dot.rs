//! The graph in Graphviz's language: who holds a key, and what the key opens.

use super::{place, shown};
use crate::keys::KeyNode;
use crate::location::harmless;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Edges of one key that are drawn.
const EDGES_MAX: usize = 200;

/// Writes the graph; `all` draws keys, too, that no image holds and that open nothing.
///
/// # Errors
/// When `out` cannot be written.
pub fn dot(out: &mut dyn Write, nodes: &[KeyNode], all: bool) -> io::Result<()> {
    let mut accounts: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut edges = Vec::new();
    writeln!(out, "digraph keys {{")?;
    writeln!(
        out,
        "  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=10];\n  edge [fontname=\"sans-serif\", fontsize=9];"
    )?;
    for (number, node) in shown(nodes, all).enumerate() {
        let key = format!("key{number}");
        let colour = if node.is_held() { "#f4a3a3" } else { "#dddddd" };
        let label = format!("{}\n{}", node.algorithm, short(&node.fingerprint));
        writeln!(
            out,
            "  {key} [shape=hexagon, style=filled, fillcolor=\"{colour}\", label={}];",
            quoted(&label)
        )?;
        let mut end = |image: &str, name: String| -> String {
            let next = accounts.values().map(BTreeMap::len).sum::<usize>();
            let image = accounts.entry(image.to_owned()).or_default();
            image.entry(name).or_insert_with(|| format!("end{next}")).clone()
        };
        for fact in node.private.iter().take(EDGES_MAX) {
            let lock = if fact.encrypted == Some(true) { "holds (passphrase)" } else { "holds" };
            edges.push(format!("{} -> {key} [label=\"{lock}\"]", end(&fact.image, place(fact))));
        }
        for opening in node.opens.iter().take(EDGES_MAX) {
            let label = if opening.by_authority.is_some() { "opens (certificate)" } else { "opens" };
            let style = if opening.limits.is_empty() { "" } else { ", style=dashed" };
            let to = end(&opening.image, format!("account {}", opening.account));
            edges.push(format!("{key} -> {to} [label=\"{label}\", color=\"#b3261e\"{style}]"));
        }
        for fact in node.clusters.iter().take(EDGES_MAX) {
            let to = end("clusters", fact.hosts.join(", "));
            edges.push(format!("{key} -> {to} [label=\"opens\", color=\"#b3261e\"]"));
        }
        for fact in node.identifies.iter().take(EDGES_MAX) {
            let host = fact.hosts.first().cloned().unwrap_or_else(|| fact.image.clone());
            edges.push(format!(
                "{key} -> {} [label=\"identity of\"]",
                end(&fact.image, format!("host {host}"))
            ));
        }
        for fact in node.known_by.iter().take(EDGES_MAX) {
            let by = fact.accounts.first().map_or("host", String::as_str);
            let from = end(&fact.image, format!("account {by}"));
            edges.push(format!("{from} -> {key} [label=\"knows\", style=dotted]"));
        }
    }
    for (number, (image, ends)) in accounts.iter().enumerate() {
        writeln!(out, "  subgraph cluster{number} {{\n    label={};", quoted(image))?;
        for (label, name) in ends {
            writeln!(out, "    {name} [shape=box, label={}];", quoted(label))?;
        }
        writeln!(out, "  }}")?;
    }
    edges.sort();
    edges.dedup();
    for edge in edges {
        writeln!(out, "  {edge};")?;
    }
    writeln!(out, "}}")
}

/// The first characters of a fingerprint; enough to tell keys of one picture apart.
fn short(fingerprint: &str) -> String {
    let text: String = fingerprint.chars().take(19).collect();
    if text.len() < fingerprint.len() { format!("{text}…") } else { text }
}

/// A quoted string of the language: quotes and backslashes escaped, line ends as `\n`.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| harmless(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_the_evidence_cannot_end_their_quotes() {
        assert_eq!(quoted("a\"]; x [\\"), "\"a\\\"]; x [\\\\\"");
        assert_eq!(quoted("a\nb\u{202e}"), "\"a\\nb%E2%80%AE\"");
    }
}
