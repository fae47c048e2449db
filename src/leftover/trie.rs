//! All patterns of a kind in one tree of components, walked beside the directory tree.

use super::glob::{Part, Pattern, Wild};
use std::collections::{BTreeSet, HashMap};

/// Index of a node.
pub(crate) type NodeId = usize;

/// What a pattern stands for when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Accept {
    /// Index of the check.
    pub(crate) check: usize,
    /// Literal components in front of the first wildcard, which name what is summed up.
    pub(crate) base_depth: usize,
}

/// Patterns by component.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<[u8]>, NodeId>,
    wild: Vec<(Wild, NodeId)>,
    /// The `**` below this node, which is active as soon as the node is.
    deep: Option<NodeId>,
    /// Whether this node is a `**`: it stays active in all directories below.
    stays: bool,
    accepts: Vec<Accept>,
    /// What a `**` at the end of a pattern accepts: every name below.
    everything: Vec<Accept>,
    /// Checks that can still match from here on.
    below: BTreeSet<usize>,
}

impl Trie {
    /// An empty one; its root is node 0.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    /// Adds a pattern of a check.
    pub(crate) fn insert(&mut self, pattern: &Pattern, check: usize) {
        let accept = Accept { check, base_depth: pattern.base_depth() };
        let mut at = 0;
        for (index, part) in pattern.parts.iter().enumerate() {
            self.nodes[at].below.insert(check);
            at = self.child(at, part);
            if *part == Part::AnyDepth && index + 1 == pattern.parts.len() {
                self.nodes[at].everything.push(accept);
            }
        }
        if pattern.parts.last() == Some(&Part::AnyDepth) {
            self.nodes[at].below.insert(check);
        } else {
            self.nodes[at].accepts.push(accept);
        }
    }

    fn child(&mut self, at: NodeId, part: &Part) -> NodeId {
        let fresh = self.nodes.len();
        let node = &mut self.nodes[at];
        let found = match part {
            Part::Literal(name) => *node.literals.entry(name.clone().into_boxed_slice()).or_insert(fresh),
            Part::Wild(wild) => match node.wild.iter().find(|(own, _)| own == wild) {
                Some((_, id)) => *id,
                None => {
                    node.wild.push((wild.clone(), fresh));
                    fresh
                }
            },
            Part::AnyDepth => *node.deep.get_or_insert(fresh),
        };
        if found == fresh {
            self.nodes.push(Node { stays: *part == Part::AnyDepth, ..Node::default() });
        }
        found
    }

    /// Whether a node leads anywhere.
    fn leads_on(&self, id: NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| !node.below.is_empty())
    }

    /// Activates a node and the `**` below it.
    pub(crate) fn enter(&self, id: NodeId, mut activate: impl FnMut(NodeId)) {
        if !self.leads_on(id) {
            return;
        }
        activate(id);
        if let Some(deep) = self.nodes.get(id).and_then(|node| node.deep) {
            activate(deep);
        }
    }

    /// Follows a name out of an active node: `accept` gets what matches the name itself, `step` the nodes
    /// that it leads to by name.
    pub(crate) fn follow(
        &self,
        from: NodeId,
        name: &[u8],
        mut accept: impl FnMut(Accept),
        mut step: impl FnMut(NodeId),
    ) {
        let Some(node) = self.nodes.get(from) else { return };
        node.everything.iter().for_each(|one| accept(*one));
        let mut reach = |to: NodeId| {
            if let Some(node) = self.nodes.get(to) {
                node.accepts.iter().for_each(|one| accept(*one));
                if !node.below.is_empty() {
                    step(to);
                }
            }
        };
        if let Some(&to) = node.literals.get(name) {
            reach(to);
        }
        let (first, last) = (name.first().copied(), name.last().copied());
        for (wild, to) in &node.wild {
            let possible = (wild.first().is_none() || wild.first() == first)
                && (wild.last().is_none() || wild.last() == last);
            if possible && wild.matches(name) {
                reach(*to);
            }
        }
    }

    /// Whether the node is a `**`, which stays active below.
    pub(crate) fn stays(&self, id: NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| node.stays)
    }

    /// Checks that can still match below a node.
    pub(crate) fn below(&self, id: NodeId) -> impl Iterator<Item = usize> + '_ {
        self.nodes.get(id).into_iter().flat_map(|node| node.below.iter().copied())
    }
}
