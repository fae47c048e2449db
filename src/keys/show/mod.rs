//! The graph of keys for people, for programs and for Graphviz.

mod dot;
mod text;

pub use dot::dot;
pub use text::text;

use super::{KeyFact, KeyNode};
use crate::location::harmless;

/// Volume and file of a fact, with its line; its place on the disk where it has no file.
fn place(fact: &KeyFact) -> String {
    let at = match (&fact.path, fact.disk_offset) {
        (Some(path), _) => path.clone(),
        (None, Some(offset)) => format!("disk @ {offset}"),
        (None, None) => format!("inode:{}", fact.inode.unwrap_or(0)),
    };
    let line = fact.line.map(|line| format!(" line {line}")).unwrap_or_default();
    harmless(&format!("{}:{at}{line}", fact.volume)).into_owned()
}

/// Keys that are shown: those that an image holds or that open something; all where everything is asked for.
fn shown(nodes: &[KeyNode], all: bool) -> impl Iterator<Item = &KeyNode> {
    nodes.iter().filter(move |node| all || node.is_held() || node.opens_something())
}
