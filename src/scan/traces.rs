//! What reports join beyond findings: public keys with the private keys that were found, histories, and that
//! no text of the evidence shows a secret.

use crate::container;
use crate::coverage::Gap;
use crate::finding::Finding;
use crate::keys::{KeyFact, Role};
use crate::leftover::{CheckOutcome, CheckState, Command, Origin, Sighting, Source};
use crate::location::{State, escape, unescape};
use crate::record::{Header, HistoryLine};
use crate::redact::Redactor;
use crate::rules::Category;

/// Files in use that hold a private key: the volume's index and the path.
pub(super) fn private_files(findings: &[Finding], sources: &[Source]) -> Vec<(usize, Vec<u8>)> {
    let keys = findings.iter().filter(|finding| {
        finding.category == Category::PrivateKey && finding.place.state == Some(State::Allocated)
    });
    keys.filter_map(|finding| {
        let source = sources.iter().position(|source| source.volume == finding.place.volume)?;
        Some((source, unescape(finding.place.path.as_deref()?)))
    })
    .collect()
}

/// Key facts: of the private keys found, then of what files say.
pub(super) fn keys(findings: &[Finding], sightings: Vec<Sighting>, sources: &[Source]) -> Vec<KeyFact> {
    let seen: Vec<KeyFact> = sightings.into_iter().map(|sighting| placed(sighting, sources)).collect();
    let mut facts: Vec<KeyFact> = Vec::new();
    let private = findings.iter().filter(|finding| finding.category == Category::PrivateKey);
    for fact in private.filter_map(|finding| held(finding, &seen)) {
        let is_same = |other: &KeyFact| {
            (&other.fingerprint, &other.volume, &other.path, other.state)
                == (&fact.fingerprint, &fact.volume, &fact.path, fact.state)
                && (fact.path.is_some() || other.disk_offset == fact.disk_offset)
        };
        // Findings come in the order of the disk, and several rules find the same key.
        if !facts.iter().rev().take(64).any(is_same) {
            facts.push(fact);
        }
    }
    facts.extend(seen);
    facts
}

/// The fact that a finding holds a private key whose public key is known: it says so itself, or the file of
/// the same name with `.pub` behind it does.
fn held(finding: &Finding, seen: &[KeyFact]) -> Option<KeyFact> {
    let said = |name: &str| finding.evidence.iter().find_map(|fact| fact.strip_prefix(name));
    let place = &finding.place;
    let mut limits = Vec::new();
    let (fingerprint, algorithm) = match said("public key: ") {
        Some(fingerprint) => (fingerprint.to_owned(), algorithm(said("type: ").unwrap_or_default())),
        None => {
            let name = format!("{}.pub", place.path.as_deref()?);
            let is_beside = |fact: &&KeyFact| {
                fact.volume == place.volume
                    && fact.path.as_ref() == Some(&name)
                    && fact.role != Role::Authorized
            };
            let fact = seen.iter().find(is_beside)?;
            limits.push("public key taken from the file beside it".to_owned());
            (fact.fingerprint.clone(), fact.algorithm.clone())
        }
    };
    Some(KeyFact {
        role: Role::Private,
        fingerprint,
        algorithm,
        volume: place.volume.clone(),
        path: place.path.clone(),
        inode: place.inode,
        state: place.state,
        line: place.line,
        disk_offset: place.disk_offset,
        finding: Some(finding.id.clone()),
        encrypted: said("encrypted: ").map(|cipher| cipher != "no"),
        accounts: finding.owner.clone().into_iter().collect(),
        comment: said("comment: ").map(str::to_owned),
        limits,
        ..KeyFact::default()
    })
}

/// The name in SSH of a type as findings give it.
fn algorithm(kind: &str) -> String {
    match kind {
        "RSA" => "ssh-rsa".to_owned(),
        "DSA" => "ssh-dss".to_owned(),
        "Ed25519" => "ssh-ed25519".to_owned(),
        _ => match kind.strip_prefix("EC P-") {
            Some(curve) => format!("ecdsa-sha2-nistp{curve}"),
            None => kind.to_owned(),
        },
    }
}

fn volume(origin: &Origin, sources: &[Source]) -> String {
    sources.get(origin.source).map(|source| source.volume.clone()).unwrap_or_default()
}

fn placed(sighting: Sighting, sources: &[Source]) -> KeyFact {
    let Sighting { origin, fact } = sighting;
    KeyFact {
        volume: volume(&origin, sources),
        path: Some(escape(&origin.path)),
        inode: Some(origin.entry.0),
        line: origin.line,
        ..fact
    }
}

/// The record of a command.
pub(super) fn history(command: Command, sources: &[Source], show: bool) -> HistoryLine {
    HistoryLine {
        time: format!("{:.9}", command.time),
        shell: command.shell.to_owned(),
        account: command.account.as_deref().map(escape),
        command: command.masked,
        shown: show.then(|| escape(&command.line)),
        image: String::new(),
        volume: volume(&command.origin, sources),
        path: escape(&command.origin.path),
        inode: command.origin.entry.0,
        line: command.origin.line,
    }
}

/// Takes known secrets out of the header.
pub(super) fn clean_header(header: &mut Header, redactor: &Redactor) {
    let container::Facts { version, creator, identifiers, snapshots, parent, notes, unread, .. } =
        &mut header.container;
    redactor.texts(version.iter_mut().chain(creator).chain(parent).chain(notes).chain(unread));
    redactor.texts(snapshots.iter_mut().chain(identifiers.iter_mut().map(|(_, value)| value)));
    for volume in &mut header.volumes {
        redactor.texts(volume.label.iter_mut());
        if let Some(filesystem) = &mut volume.filesystem {
            redactor.texts(filesystem.label.iter_mut().chain(&mut filesystem.notes));
        }
    }
}

/// Takes known secrets out of everything that findings show beside them.
pub(super) fn clean_finding(finding: &mut Finding, redactor: &Redactor) {
    let place = &mut finding.place;
    let named = redactor.texts(place.path.iter_mut().chain(&mut place.member).chain(&mut place.stream));
    redactor.texts([&mut finding.title]);
    redactor.texts(finding.evidence.iter_mut().chain(&mut finding.owner).chain(&mut finding.known_good));
    if named && let Some(inode) = finding.place.inode {
        finding.evidence.push(format!("its name holds a secret and is masked; it opens as inode:{inode}"));
    }
}

/// Takes known secrets out of a gap.
pub(super) fn clean_gap(gap: &mut Gap, redactor: &Redactor) {
    redactor.texts(gap.path.iter_mut().chain([&mut gap.reason]));
}

/// Takes known secrets out of the reason why a check was not made.
pub(super) fn clean_check(check: &mut CheckOutcome, redactor: &Redactor) {
    if let CheckState::NotEvaluated { reason, .. } = &mut check.state {
        redactor.text(reason);
    }
}

/// Takes known secrets out of a key fact.
pub(super) fn clean_key(fact: &mut KeyFact, redactor: &Redactor) {
    let single = [&mut fact.path, &mut fact.subject, &mut fact.issuer, &mut fact.comment];
    redactor.texts(single.into_iter().flatten());
    redactor.texts(fact.accounts.iter_mut().chain(&mut fact.hosts).chain(&mut fact.principals));
    redactor.texts(fact.limits.iter_mut());
}

/// Takes known secrets out of a line of a history.
pub(super) fn clean_line(line: &mut HistoryLine, redactor: &Redactor) {
    redactor.texts(line.account.iter_mut().chain([&mut line.path, &mut line.command]));
}
