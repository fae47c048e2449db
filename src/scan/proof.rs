//! Marks findings that are content of unmodified files of packages.

use crate::filesystem::{EntryId, FileSystem};
use crate::finding::{Finding, Secret};
use crate::knowngood::{self, Proof};
use crate::location::State;
use crate::rules::Category;
use crate::sweep::Ground;
use std::collections::BTreeSet;

/// Marks the findings whose file is proven to be a package's. A finding that names a published key already
/// stays as it is.
pub(super) fn mark(findings: &mut [Finding], ground: &Ground) {
    for land in &ground.lands {
        let Some(filesystem) = land.filesystem.as_deref() else { continue };
        let entry_of =
            |finding: &Finding| entry(finding).filter(|_| finding.place.volume == land.volume.name);
        let entries: BTreeSet<EntryId> = findings.iter().filter_map(entry_of).collect();
        if entries.is_empty() {
            continue;
        }
        let proofs = knowngood::prove(filesystem, &entries);
        for finding in findings.iter_mut() {
            let proof = entry_of(finding).and_then(|entry| proofs.get(&entry));
            if let Some(proof) = proof {
                finding.known_good = words(finding, proof, filesystem);
            }
        }
    }
}

/// The entry whose content a finding lies in, where a package could have brought it.
fn entry(finding: &Finding) -> Option<EntryId> {
    let place = &finding.place;
    let is_content = place.state == Some(State::Allocated) && place.stream.is_none();
    let may_be = finding.known_good.is_none();
    // A secret without an offset in the file is none of its content; a leftover may be the file itself.
    let is_inside = place.file_offset.is_some() || finding.category == Category::Leftover;
    place.inode.filter(|_| is_content && may_be && is_inside).map(EntryId)
}

fn words(finding: &Finding, proof: &Proof, filesystem: &dyn FileSystem) -> Option<String> {
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
            let held = knowngood::holds(filesystem, source, secret);
            held.then(|| format!("derived from an unmodified file of {package}"))
        }
    }
}
