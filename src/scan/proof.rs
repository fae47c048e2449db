//! Marks findings that are content of unmodified files of packages.

use crate::coverage::{Gap, GapKind};
use crate::filesystem::EntryId;
use crate::finding::{Finding, Secret};
use crate::knowngood::{self, Node, Proof, Trouble, Volumes};
use crate::leftover::{self, Source};
use crate::location::{State, escape};
use crate::rules::Category;
use std::collections::{BTreeSet, HashMap};

/// Marks the findings whose file is proven to be a package's, and says which package databases could not be
/// read. A finding that names a published credential already stays as it is, but for private keys in use.
pub(super) fn mark(findings: &mut [Finding], sources: &[Source]) -> Vec<Gap> {
    let by_name: HashMap<&str, usize> =
        sources.iter().enumerate().map(|(index, source)| (source.volume.as_str(), index)).collect();
    let place_of = |finding: &Finding| {
        let entry = content(finding)?;
        by_name.get(finding.place.volume.as_str()).map(|&volume| Node { volume, entry })
    };
    let node_of = |finding: &Finding| place_of(finding).filter(|_| may_be_brought(finding));
    let published =
        |finding: &Finding| finding.known_good.is_some() && finding.category == Category::PrivateKey;
    let nodes: BTreeSet<Node> = findings.iter().filter_map(node_of).collect();
    let published_nodes = findings.iter().filter(|finding| published(finding)).filter_map(place_of);
    let published_nodes: BTreeSet<Node> = published_nodes.collect();
    if nodes.is_empty() && published_nodes.is_empty() {
        return Vec::new();
    }
    let volumes = leftover::volumes(sources);
    // A key that everybody has, where a server or a user would use it, is worse than one that only leaks.
    let in_use = knowngood::in_use(&volumes, &published_nodes);
    for finding in findings.iter_mut().filter(|finding| published(finding)) {
        if place_of(finding).is_some_and(|node| in_use.contains(&node)) {
            finding.evidence.extend(finding.known_good.take().map(|name| format!("published: {name}")));
        }
    }
    let (proofs, troubles) = knowngood::prove(&volumes, &nodes);
    for finding in findings.iter_mut() {
        let proof = node_of(finding).and_then(|node| proofs.get(&node));
        if let Some(proof) = proof {
            finding.known_good = words(finding, proof, &volumes);
        }
    }
    troubles.into_iter().map(|trouble| gap(trouble, sources)).collect()
}

/// Files of packages may be reported that could have been told.
fn gap(trouble: Trouble, sources: &[Source]) -> Gap {
    let Trouble { volume, root, error } = trouble;
    Gap {
        kind: GapKind::Limited,
        volume: sources.get(volume).map(|source| source.volume.clone()).unwrap_or_default(),
        disk_offset: None,
        length: None,
        path: (!root.is_empty()).then(|| escape(&root)),
        reason: format!("a package database proves nothing of some files: {error}"),
    }
}

/// The entry in use whose content a finding lies in.
fn content(finding: &Finding) -> Option<EntryId> {
    let place = &finding.place;
    let is_content = place.state == Some(State::Allocated) && place.stream.is_none();
    place.inode.filter(|_| is_content).map(EntryId)
}

/// Whether a package could have brought what was found.
fn may_be_brought(finding: &Finding) -> bool {
    let may_be = finding.known_good.is_none();
    // A secret without an offset in the file is none of its content; a leftover may be the file itself.
    let is_inside = finding.place.file_offset.is_some() || finding.category == Category::Leftover;
    may_be && is_inside
}

fn words(finding: &Finding, proof: &Proof, volumes: &Volumes<'_>) -> Option<String> {
    // A key or leftover where configuration and data live is in use, whoever brought it.
    let is_live = matches!(finding.category, Category::PrivateKey | Category::Leftover) && proof.in_use;
    if is_live || !finding.checks.is_empty() && proof.in_use {
        return None;
    }
    let package = &proof.package;
    match proof.source {
        None => Some(format!("unmodified file of {package}")),
        Some(source) => {
            let secret = finding.secret.as_ref().map(Secret::expose)?;
            let held = knowngood::holds(volumes, source, secret);
            held.then(|| format!("derived from an unmodified file of {package}"))
        }
    }
}
