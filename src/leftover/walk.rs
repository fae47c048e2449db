//! The one walk over a tree that matches all patterns at once.
//!
//! Directories are entered only where a pattern can still match. The walk keeps a list of directories to
//! do instead of the call stack, so that depth costs no stack.

use super::catalogue::{Checks, Tries};
use super::collect::{self, Collector};
use super::conditions::{Found, Whole};
use super::glob::{Part, Pattern};
use super::hit::Hit;
use super::survey::Site;
use super::system::Os;
use super::tree::{Node, Spot, join};
use super::trie::{Accept, NodeId, Trie};
use crate::filesystem::{DirEntry, Entry, EntryKind};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// Directories below one another.
const DEPTH_MAX: usize = 1024;
/// Directories that one walk does behind symbolic links.
const LINKED_MAX: usize = 100_000;
/// What one condition keeps until the end of a walk.
const KEPT_MAX: usize = 200_000;
/// Systems inside of systems that are looked at.
const INNER_MAX: usize = 10_000;
/// Where the roots of systems inside of a system stand: pattern, sort of the outer system, their own sort.
const INNER: &[(&str, Os, Os)] = &[
    ("/var/lib/docker/overlay2/*/diff", Os::Linux, Os::Linux),
    ("/var/lib/docker/vfs/dir/*", Os::Linux, Os::Linux),
    ("/var/lib/containers/storage/overlay/*/diff", Os::Linux, Os::Linux),
    ("/var/lib/containers/storage/vfs/dir/*", Os::Linux, Os::Linux),
    ("/home/*/.local/share/containers/storage/overlay/*/diff", Os::Linux, Os::Linux),
    ("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs", Os::Linux, Os::Linux),
    (
        "/var/lib/rancher/*/agent/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs",
        Os::Linux,
        Os::Linux,
    ),
    ("/var/lib/lxc/*/rootfs", Os::Linux, Os::Linux),
    ("/var/lib/lxd/storage-pools/*/containers/*/rootfs", Os::Linux, Os::Linux),
    ("/var/lib/machines/*", Os::Linux, Os::Linux),
    ("/{srv,var,opt}/chroot", Os::Linux, Os::Linux),
    ("/{srv,var,opt}/chroots/*", Os::Linux, Os::Linux),
    ("/var/lib/schroot/chroots/*", Os::Linux, Os::Linux),
    ("C:/Windows.old", Os::Windows, Os::Windows),
    ("C:/Users/*/AppData/Local/lxss/rootfs", Os::Windows, Os::Linux),
    ("C:/Users/*/AppData/Local/Packages/*/LocalState/rootfs", Os::Windows, Os::Linux),
];

/// Which patterns a state belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Root,
    Home(usize),
    Volume,
    /// The way to the homes.
    Locator,
}

/// A place in the patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    which: Which,
    node: NodeId,
    /// Components of the seen path in front of the pattern's start.
    start: usize,
    /// Whether it was reached by name, not as a `**` that stays.
    named: bool,
}

/// A directory to do.
#[derive(Debug)]
struct Todo {
    spot: Spot,
    seen: Rc<[u8]>,
    depth: usize,
    states: Rc<[State]>,
    /// Directories from the root down to this one.
    trail: Rc<Trail>,
    /// Whether it was reached through a link, so that it may be done twice.
    again: bool,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug)]
struct Reached<'r> {
    spot: &'r Spot,
    entry: &'r Entry,
    seen: &'r [u8],
    /// Target of the link that was followed.
    link: Option<&'r [u8]>,
}

/// The directories above, as a list from the inside out.
#[derive(Debug)]
struct Trail {
    spot: Spot,
    depth: usize,
    above: Option<Rc<Trail>>,
}

impl Trail {
    /// The directory `depth` components below the root, or the nearest one above.
    fn at(&self, depth: usize) -> &Spot {
        let mut here = self;
        while here.depth > depth {
            match &here.above {
                Some(above) => here = above,
                None => break,
            }
        }
        &here.spot
    }
}

/// A system found inside of the one walked.
#[derive(Debug)]
pub(crate) struct Inner {
    /// Its root.
    pub(crate) spot: Spot,
    /// Its sort.
    pub(crate) os: Os,
}

/// A walk over one site.
#[derive(Debug)]
pub(crate) struct Walk<'w, 'c> {
    checks: &'w Checks,
    site: &'w Site<'w>,
    collector: &'w mut Collector<'c>,
    locator: Trie,
    todo: Vec<Todo>,
    done: HashSet<(usize, u64)>,
    linked: usize,
    /// Homes by the name that the system knows them by, sorted.
    homes: Vec<(Vec<u8>, usize)>,
    hits: BTreeMap<usize, u64>,
    /// What conditions want to decide on together.
    kept: BTreeMap<usize, Vec<(Spot, Found)>>,
    /// What is kept already: a link may lead to an entry a second time.
    kept_nodes: HashSet<(usize, Node)>,
    inner: Vec<Inner>,
}

impl<'w, 'c> Walk<'w, 'c> {
    /// Walks a site; gives the systems found inside of it.
    pub(crate) fn run(
        checks: &'w Checks,
        site: &'w Site<'w>,
        collector: &'w mut Collector<'c>,
    ) -> Vec<Inner> {
        let mut walk = Self {
            checks,
            site,
            collector,
            locator: locator(site),
            todo: Vec::new(),
            done: HashSet::new(),
            linked: 0,
            homes: homes(site),
            hits: BTreeMap::new(),
            kept: BTreeMap::new(),
            kept_nodes: HashSet::new(),
            inner: Vec::new(),
        };
        walk.start();
        while let Some(todo) = walk.todo.pop() {
            walk.directory(&todo);
        }
        walk.conclude();
        walk.collector.end_site();
        walk.inner
    }

    fn tries(&self) -> &'w Tries {
        self.checks.tries(self.site.patterns)
    }

    fn trie(&self, which: Which) -> &Trie {
        match which {
            Which::Root => &self.tries().root,
            Which::Home(_) => &self.tries().home,
            Which::Volume => &self.tries().volume,
            Which::Locator => &self.locator,
        }
    }

    fn start(&mut self) {
        let mut states = Vec::new();
        let mut seen = b"/".to_vec();
        let depth = self.site.prefix.len();
        if self.site.rooted {
            let mut at = Vec::new();
            self.activate(Which::Root, 0, 0, &mut at);
            self.activate(Which::Locator, 0, 0, &mut at);
            for name in &self.site.prefix {
                seen = join(&seen, name);
                at = self.advance(&at, name, true).1;
            }
            states.append(&mut at);
        }
        if self.site.whole_volume {
            self.activate(Which::Volume, 0, depth, &mut states);
        }
        self.enter_homes(&seen, depth, &mut states);
        self.note_looked();
        let spot = self.site.tree.root().clone();
        let trail = Rc::new(Trail { spot: spot.clone(), depth, above: None });
        let todo = Todo { spot, seen: seen.into(), depth, states: states.into(), trail, again: false };
        self.push(todo);
    }

    /// Says which looks this site answers, and passes on what could not be read so far.
    fn note_looked(&mut self) {
        for (index, look) in self.checks.looks.iter().enumerate() {
            if !look.on.contains(&self.site.patterns) {
                continue;
            }
            let in_volume = self.site.whole_volume && self.tries().volume.below(0).any(|look| look == index);
            if self.site.system.os.is_some() || in_volume {
                self.collector.looked(index);
            }
            if let Some(problem) = &self.site.system.problem {
                self.collector.problem(index, problem);
            }
        }
    }

    fn activate(&self, which: Which, node: NodeId, start: usize, into: &mut Vec<State>) {
        self.trie(which).enter(node, |node| into.push(State { which, node, start, named: true }));
    }

    /// Adds the patterns for homes when `seen` is one.
    fn enter_homes(&self, seen: &[u8], depth: usize, into: &mut Vec<State>) {
        let key = fold(self.site.patterns, seen);
        let at = self.homes.binary_search_by(|(home, _)| home.as_slice().cmp(&key));
        if let Some((_, home)) = at.ok().and_then(|at| self.homes.get(at)) {
            self.activate(Which::Home(*home), 0, depth, into);
        }
    }

    /// What a name leads to: accepted patterns and states inside of it.
    fn advance(
        &self,
        states: &[State],
        name: &[u8],
        may_be_directory: bool,
    ) -> (Vec<(Accept, State)>, Vec<State>) {
        let mut accepts = Vec::new();
        let mut next = Vec::new();
        for state in states {
            let trie = self.trie(state.which);
            let mut reached = Vec::new();
            trie.follow(state.node, name, |accept| accepts.push((accept, *state)), |node| reached.push(node));
            if !may_be_directory {
                continue;
            }
            for node in reached {
                self.activate(state.which, node, state.start, &mut next);
            }
            if trie.stays(state.node) {
                next.push(State { named: false, ..*state });
            }
        }
        accepts.sort();
        accepts.dedup_by_key(|(accept, _)| accept.check);
        next.sort();
        next.dedup_by(|one, other| {
            (one.which, one.node, one.start) == (other.which, other.node, other.start) && {
                other.named |= one.named;
                true
            }
        });
        (accepts, next)
    }

    fn push(&mut self, todo: Todo) {
        if let Some(what) = self.site.missing.get(&todo.spot.node) {
            self.problem_below(&todo.states, what);
        }
        if let Some(spot) = self.site.tree.mounted(todo.spot.node) {
            let trail =
                Rc::new(Trail { spot: spot.clone(), depth: todo.depth, above: Some(Rc::clone(&todo.trail)) });
            self.todo.push(Todo {
                spot,
                seen: Rc::clone(&todo.seen),
                depth: todo.depth,
                states: Rc::clone(&todo.states),
                trail,
                again: todo.again,
            });
        }
        self.todo.push(todo);
    }

    fn problem_below(&mut self, states: &[State], what: &str) {
        let mut looks: Vec<usize> = Vec::new();
        for state in states.iter().filter(|state| state.which != Which::Locator) {
            looks.extend(self.trie(state.which).below(state.node));
        }
        if states.iter().any(|state| state.which == Which::Locator) {
            looks.extend(self.tries().home.below(0));
        }
        looks.sort_unstable();
        looks.dedup();
        for look in looks {
            self.collector.problem(look, what);
        }
    }

    fn directory(&mut self, todo: &Todo) {
        if todo.again {
            self.linked += 1;
            if self.linked > LINKED_MAX {
                self.problem_below(&todo.states, "too many directories behind symbolic links");
                return;
            }
        } else if !self.done.insert((todo.spot.node.source, todo.spot.node.id.0)) {
            return;
        }
        if todo.depth > DEPTH_MAX {
            self.problem_below(&todo.states, "directories nested too deeply");
            return;
        }
        let tree = &self.site.tree;
        let listed = tree.list(todo.spot.node, &mut |entry| self.name(todo, &entry));
        if let Err(error) = listed {
            let shown = crate::location::escape(&todo.seen);
            self.problem_below(&todo.states, &format!("{shown}: {error}"));
        }
    }

    /// Looks at a name of a directory.
    fn name(&mut self, todo: &Todo, child: &DirEntry) {
        let key = fold(self.site.patterns, &child.name);
        let may_be_directory = !matches!(child.kind, EntryKind::File | EntryKind::Special);
        let (accepts, next) = self.advance(&todo.states, &key, may_be_directory);
        // A link is followed only where a pattern names it; one on the way of a `**` leads nowhere.
        let is_link = child.kind == EntryKind::Symlink;
        if accepts.is_empty() && (next.is_empty() || is_link && !next.iter().any(|state| state.named)) {
            return;
        }
        let seen = join(&todo.seen, &child.name);
        let spot = todo.spot.child(&child.name, child.id);
        let (ways, accepts): (Vec<_>, Vec<_>) =
            accepts.into_iter().partition(|(_, state)| state.which == Which::Locator);
        for (way, _) in ways {
            self.note_inner(&spot, way.check);
        }
        if accepts.is_empty() && child.kind == EntryKind::Directory {
            self.descend(todo, spot, seen, next);
            return;
        }
        match self.site.tree.entry(spot.node) {
            Ok(entry) => {
                let reached = Reached { spot: &spot, entry: &entry, seen: &seen, link: None };
                if entry.kind == EntryKind::Symlink {
                    self.link(todo, reached, &accepts, next);
                    return;
                }
                self.judge(todo, reached, &accepts);
                if entry.kind == EntryKind::Directory {
                    self.descend(todo, spot, seen, next);
                }
            }
            Err(error) => {
                for (accept, _) in &accepts {
                    self.collector.unreadable(accept.check, &seen, &error);
                }
                if may_be_directory {
                    self.problem_below(&next, &format!("{}: {error}", crate::location::escape(&seen)));
                }
            }
        }
    }

    fn descend(&mut self, todo: &Todo, spot: Spot, seen: Vec<u8>, mut states: Vec<State>) {
        let depth = todo.depth + 1;
        self.enter_homes(&seen, depth, &mut states);
        if states.is_empty() {
            return;
        }
        let trail = Rc::new(Trail { spot: spot.clone(), depth, above: Some(Rc::clone(&todo.trail)) });
        let states = if *states == *todo.states { Rc::clone(&todo.states) } else { states.into() };
        self.push(Todo { spot, seen: seen.into(), depth, states, trail, again: todo.again });
    }

    /// A symbolic link: what it leads to is judged under the link's name; a directory behind it is walked
    /// for patterns that name the link, not for those that take in everything.
    fn link(&mut self, todo: &Todo, at: Reached<'_>, accepts: &[(Accept, State)], next: Vec<State>) {
        let tree = &self.site.tree;
        let outcome = tree.target(at.spot.node, at.entry).and_then(|target| {
            let behind = tree.resolve_from(&todo.seen, &target)?;
            let behind = behind.map(|spot| tree.entry(spot.node).map(|entry| (spot, entry))).transpose()?;
            Ok((target, behind))
        });
        let named: Vec<State> = next.into_iter().filter(|state| state.named).collect();
        match outcome {
            Ok((target, Some((spot, entry)))) => {
                let reached = Reached { spot: &spot, entry: &entry, seen: at.seen, link: Some(&target) };
                self.judge(todo, reached, accepts);
                if entry.kind == EntryKind::Directory && !named.is_empty() {
                    self.follow_link(todo, spot, at.seen, named);
                }
            }
            // A link to nowhere is judged as the link that it is.
            Ok((target, None)) => self.judge(todo, Reached { link: Some(&target), ..at }, accepts),
            Err(error) => {
                for (accept, _) in accepts {
                    self.collector.unreadable(accept.check, at.seen, &error);
                }
                self.problem_below(&named, &format!("{}: {error}", crate::location::escape(at.seen)));
            }
        }
    }

    fn follow_link(&mut self, todo: &Todo, spot: Spot, seen: &[u8], mut states: Vec<State>) {
        let depth = todo.depth + 1;
        self.enter_homes(seen, depth, &mut states);
        let trail = Rc::new(Trail { spot: spot.clone(), depth, above: Some(Rc::clone(&todo.trail)) });
        self.push(Todo { spot, seen: seen.into(), depth, states: states.into(), trail, again: true });
    }

    /// Puts an entry before all conditions whose patterns its path matched.
    fn judge(&mut self, todo: &Todo, at: Reached<'_>, accepts: &[(Accept, State)]) {
        let name = at.seen.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let mut hit = Hit {
            tree: &self.site.tree,
            system: &self.site.system,
            spot: at.spot,
            seen: at.seen,
            entry: at.entry,
            link: at.link,
            home: None,
            content: OnceCell::new(),
            hive: OnceCell::new(),
        };
        for (accept, state) in accepts {
            let look = accept.check;
            let Some(place) = self.checks.looks.get(look) else { continue };
            let Some(condition) = &place.condition else { continue };
            if place.except.iter().any(|except| except.matches(name)) {
                continue;
            }
            hit.home = match state.which {
                Which::Home(index) => self.site.system.homes.get(index),
                _ => None,
            };
            let count = self.hits.entry(look).or_default();
            *count = count.saturating_add(1);
            let mut found = Vec::new();
            if let Err(error) = condition.judge(&hit, &mut found) {
                self.collector.unreadable(look, at.seen, &error);
            }
            if condition.keeps() {
                self.keep(look, &hit, found);
                continue;
            }
            let base = todo.trail.at(state.start + accept.base_depth);
            self.collector.take(look, base, &hit, found);
        }
    }

    fn keep(&mut self, look: usize, hit: &Hit<'_>, found: Vec<Found>) {
        if found.is_empty() || !self.kept_nodes.insert((look, hit.spot.node)) {
            return;
        }
        let kept = self.kept.entry(look).or_default();
        if kept.len() >= KEPT_MAX {
            self.collector.problem(look, "too many entries to judge together");
            return;
        }
        kept.extend(found.into_iter().map(|mut found| {
            found.evidence.extend(collect::circumstances(hit));
            (hit.spot.clone(), found)
        }));
    }

    /// Remembers the root of another system, which stands at the way of this index.
    fn note_inner(&mut self, spot: &Spot, way: usize) {
        let inner = INNER.get(usize::MAX - way).filter(|(_, on, _)| *on == self.site.patterns);
        let os = inner.map(|(_, _, os)| *os);
        if let (Some(os), true) = (os, self.inner.len() < INNER_MAX) {
            self.inner.push(Inner { spot: spot.clone(), os });
        }
    }

    fn conclude(&mut self) {
        if self.site.system.os.is_none() {
            return;
        }
        for (index, look) in self.checks.looks.iter().enumerate() {
            let Some(condition) = &look.condition else { continue };
            // A layer may lack what the whole system has; what was kept in it is judged all the same.
            let counts = self.site.whole_volume || condition.keeps();
            if !look.on.contains(&self.site.patterns) || !counts {
                continue;
            }
            let hits = self.hits.get(&index).copied().unwrap_or(0);
            let root = self.site.tree.root();
            let kept = self.kept.remove(&index).unwrap_or_default();
            let whole = Whole { tree: &self.site.tree, system: &self.site.system, hits, kept };
            let mut found = Vec::new();
            if let Err(error) = condition.conclude(whole, &mut found) {
                self.collector.unreadable(index, b"/", &error);
            }
            for (spot, found) in found {
                self.collector.take_whole(index, spot.as_ref().unwrap_or(root), found);
            }
        }
    }
}

/// Patterns that lead to the homes of a system and to the systems inside of it.
fn locator(site: &Site<'_>) -> Trie {
    let mut trie = Trie::new();
    for (index, home) in site.system.homes.iter().enumerate() {
        let names = home.path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        let mut parts: Vec<Part> =
            names.map(|name| Part::Literal(fold(site.patterns, name).into_owned())).collect();
        // What follows keeps the home itself on the way.
        parts.push(Part::Literal(Vec::new()));
        trie.insert(&Pattern { anchor: super::glob::Anchor::Root, parts }, index);
    }
    if site.whole_volume {
        for (way, (text, on, _)) in INNER.iter().enumerate().filter(|(_, (_, on, _))| *on == site.patterns) {
            for pattern in super::glob::parse(text, *on == Os::Windows).unwrap_or_default() {
                trie.insert(&pattern, usize::MAX - way);
            }
        }
    }
    trie
}

/// The homes of a system by folded path.
fn homes(site: &Site<'_>) -> Vec<(Vec<u8>, usize)> {
    let homes = site.system.homes.iter().zip(0..);
    let mut homes: Vec<_> =
        homes.map(|(home, index)| (fold(site.patterns, &home.path).into_owned(), index)).collect();
    homes.sort();
    homes
}

/// The form of a name in which a system compares it.
fn fold(os: Os, name: &[u8]) -> Cow<'_, [u8]> {
    match os {
        Os::Windows => Cow::Owned(String::from_utf8_lossy(name).to_lowercase().into_bytes()),
        Os::Linux => Cow::Borrowed(name),
    }
}
