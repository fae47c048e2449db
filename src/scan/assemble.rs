//! Findings out of folded candidates and leftovers: paths, times, lines, masks, fingerprints, ids.

use super::fold::Place;
use super::remedy;
use super::special::Special;
use super::{Disk, Engine, Options, Outside};
use crate::content::carved::Name;
use crate::detect::RuleFacts;
use crate::filesystem::{Entry, EntryId, EntryNumber, EntryState, FileSystem, Layout, StreamName, named};
use crate::finding::{Finding, Location, Piece, Secret};
use crate::io::{Backing, ReadAt, read_vec};
use crate::leftover::{Leftover, Source};
use crate::location::{State, escape};
use crate::record::{Header, SCHEMA, VolumeFacts};
use crate::rules::{Category, Verdict};
use crate::sweep::{Candidate, Ground, Land};
use std::collections::HashMap;
use std::path::Path;

/// Lines are counted up to this offset of a file.
const LINES_UP_TO: u64 = 64 << 20;
/// Findings this far apart in one content can complete each other.
const PAIR_DISTANCE: u64 = 2048;

/// The name under which an image is reported.
pub(super) fn image_name(path: &Path) -> String {
    escape(path.file_name().unwrap_or(path.as_os_str()).as_encoded_bytes())
}

/// The header record.
pub(super) fn header(name: &str, disk: &Disk, engine: &Engine) -> Header {
    let volumes = disk.volumes.iter().map(|volume| VolumeFacts {
        name: volume.volume.name.clone(),
        kind: volume.volume.kind.clone(),
        label: volume.volume.label.clone(),
        disk_offset: volume.disk_offset(),
        size: volume.volume.size(),
        filesystem: volume.facts().cloned(),
    });
    let digest =
        blake3::hash(format!("{} {}", engine.detector.digest(), engine.catalogue.digest()).as_bytes());
    Header {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        image: name.to_owned(),
        container: disk.image.facts().clone(),
        scheme: disk.tiling.scheme.to_owned(),
        volumes: volumes.collect(),
        rules_digest: digest.to_hex().to_string(),
    }
}

/// Makes findings; keeps what neighbouring ones share.
pub(super) struct Assembler<'a> {
    disk: &'a Disk,
    outside: &'a Outside,
    ground: &'a Ground,
    rules: &'a [RuleFacts],
    show_secrets: bool,
    key: [u8; 32],
    users: HashMap<String, HashMap<u32, String>>,
    entries: HashMap<(usize, EntryId), Known>,
    lines: HashMap<(usize, EntryId, u16), Lines>,
}

/// What is known of an entry with findings.
#[derive(Clone, Default)]
struct Known {
    entry: Option<Entry>,
    path: Option<String>,
    links: Vec<String>,
    special: Option<Special>,
}

/// Line counting in one stream, resumed from finding to finding.
#[derive(Default)]
struct Lines {
    content: Option<std::sync::Arc<dyn ReadAt>>,
    counted: u64,
    line: u64,
}

impl<'a> Assembler<'a> {
    pub(super) fn new(
        (disk, outside): (&'a Disk, &'a Outside),
        ground: &'a Ground,
        engine: &'a Engine,
        options: &Options,
    ) -> Self {
        Self {
            disk,
            outside,
            ground,
            rules: engine.detector.rules(),
            show_secrets: options.show_secrets,
            key: options.key.unwrap_or_else(|| disk_key(disk)),
            users: users(ground),
            entries: HashMap::new(),
            lines: HashMap::new(),
        }
    }

    /// The finding of a folded candidate.
    pub(super) fn secret(&mut self, place: &Place) -> Finding {
        let candidate = &place.candidate;
        let rule = self.rules.get(candidate.rule);
        let known = candidate.entry.map(|(entry, _)| self.known(candidate.land, entry));
        let land = self.ground.lands.get(candidate.land);
        let special = known.as_ref().and_then(|known| known.special);
        let in_use = matches!(candidate.state, Some(State::Allocated));
        let carved = candidate.member.as_deref().filter(|_| candidate.entry.is_none()).and_then(Name::split);
        let start = candidate.disk_offset.or(carved.map(|(name, _)| name.at));
        let (disk_offset, inside) = land.map_or((None, None), |land| land.shown_place(start));
        let (disk_offset, inside) = self.on_disk(disk_offset, inside);
        let described = land.zip(inside).and_then(|(land, at)| self.outside.describe(&land.volume.name, at));
        let location = Location {
            volume: land.map(|land| land.volume.name.clone()).unwrap_or_default(),
            fs: land.and_then(fs_kind),
            path: known.as_ref().and_then(|known| known.path.clone()),
            inode: candidate.entry.and_then(|(entry, _)| Some(number(land?, entry).number)),
            version: candidate.entry.and_then(|(entry, _)| number(land?, entry).version),
            state: special.filter(|_| in_use).and_then(state_in).or(candidate.state),
            stream: candidate
                .entry
                .and_then(|(_, stream)| stream_name(known.as_ref()?.entry.as_ref()?, stream)),
            member: match (carved, inside) {
                // Where the disk is not what counts, the place in the volume is.
                (Some((name, path)), Some(at)) => Some(Name { at, ..name }.before(path)),
                _ => candidate.member.clone(),
            },
            file_offset: candidate.file_offset.or(inside),
            line: self.line(place),
            disk_offset,
            image_offset: match &described {
                Some(described) => described.host,
                None => disk_offset.and_then(|offset| self.image_offset(offset)),
            },
            pieces: if disk_offset.is_some() { pieces(candidate) } else { Vec::new() },
            image: String::new(),
        };
        let mut evidence = candidate.evidence.clone();
        let links = known.as_ref().map(|known| known.links.as_slice()).unwrap_or_default();
        evidence.extend(links.iter().map(|link| format!("also named {link}")));
        evidence
            .extend(carved.map(|(name, _)| format!("in {} content that belongs to no file", name.format)));
        evidence.extend(special.map(|special| format!("lies in {}", special.phrase())));
        if location.state == Some(State::Unallocated) && !location.pieces.is_empty() {
            let count = location.pieces.len();
            evidence
                .push(format!("put together from {count} ranges of free space: what lies between is in use"));
        }
        let entry = known.as_ref().and_then(|known| known.entry.as_ref());
        if let Some(entry) = entry.filter(|entry| entry.state == EntryState::Deleted) {
            evidence.extend(entry.notes.iter().map(|note| escape(note.as_bytes())));
        }
        evidence.extend(land.and_then(|land| about(land, candidate, known.as_ref()?)));
        let rule_remedy = rule.map(|rule| rule.remedy.as_str()).unwrap_or_default();
        let stream = candidate.entry.and_then(|(_, stream)| entry?.streams.get(usize::from(stream)));
        let in_record = stream.is_some_and(|stream| matches!(stream.layout, Layout::Resident { .. }));
        let mut remedy = joined(rule_remedy, remedy::of(location.state, location.fs, special, in_record));
        if let Some(described) = described {
            evidence.push(described.evidence);
            remedy = format!("{} {rule_remedy}", described.remedy).trim_end().to_owned();
        }
        self.finding(Draft {
            rule: rule.map(|rule| rule.id.clone()).unwrap_or_default(),
            category: rule.map_or(Category::Generic, |rule| rule.category),
            severity: candidate.severity,
            verdict: candidate.verdict,
            title: rule.map(|rule| rule.title.clone()).unwrap_or_default(),
            remedy,
            location,
            secret: Some(candidate.secret.clone()),
            length: Some(candidate.length),
            evidence,
            known_good: candidate.known_good.clone(),
            copies: place.copies.clone(),
            entry: known.and_then(|known| known.entry),
        })
    }

    /// A place of a disk image in a file that exists only decoded is shown within its volume.
    fn on_disk(&self, disk: Option<u64>, inside: Option<u64>) -> (Option<u64>, Option<u64>) {
        match disk {
            Some(offset) if offset >= self.disk.image.size() => {
                (None, self.ground.to_volume(offset).map(|(_, offset)| offset))
            }
            _ => (disk, inside),
        }
    }

    /// The finding of a leftover; `None` when its source is not one of ours.
    pub(super) fn leftover(&mut self, sources: &[Source], leftover: &Leftover) -> Option<Finding> {
        let source = sources.get(leftover.source)?;
        let land = self.ground.lands.iter().position(|land| land.volume.name == source.volume)?;
        let known = self.known(land, leftover.entry);
        let location = Location {
            volume: source.volume.clone(),
            fs: Some(source.filesystem.facts().kind),
            path: Some(escape(&leftover.path)),
            inode: Some(leftover.entry.0),
            state: Some(State::Allocated),
            file_offset: leftover.place.map(|(offset, _)| offset),
            line: leftover.place.map(|(_, line)| line),
            ..Location::default()
        };
        let secret = leftover.secret.clone().map(Secret::new);
        Some(self.finding(Draft {
            rule: leftover.check.clone(),
            category: Category::Leftover,
            severity: leftover.severity,
            verdict: Verdict::Likely,
            title: leftover.title.clone(),
            remedy: leftover.remedy.clone(),
            location,
            length: secret.as_ref().map(|secret| u64::try_from(secret.expose().len()).unwrap_or(u64::MAX)),
            secret,
            evidence: leftover.evidence.clone(),
            known_good: None,
            copies: Vec::new(),
            entry: known.entry,
        }))
    }

    fn finding(&self, draft: Draft) -> Finding {
        let shown = draft.secret.as_ref().filter(|_| self.show_secrets);
        let entry = draft.entry.as_ref();
        let mut evidence = draft.evidence;
        evidence.extend(draft.location.path.as_deref().and_then(super::layer::evidence));
        let users = self.users.get(system(&draft.location.volume));
        let owner = entry.and_then(|entry| users?.get(&entry.owner.uid?)).cloned();
        Finding {
            id: id(&draft.rule, &draft.location),
            rule: draft.rule,
            category: draft.category,
            severity: draft.severity,
            verdict: draft.verdict,
            title: draft.title,
            place: draft.location,
            length: draft.length,
            secret_masked: draft.secret.as_ref().map(Secret::masked),
            secret_shown: shown.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned()),
            fingerprint: draft.secret.as_ref().map(|secret| self.fingerprint(secret)),
            mtime: entry.and_then(|entry| entry.times.modified).map(|time| format!("{time:.9}")),
            owner_uid: entry.and_then(|entry| entry.owner.uid),
            owner,
            pair: None,
            copies: draft.copies,
            evidence,
            known_good: draft.known_good,
            checks: Vec::new(),
            allowed: None,
            baseline: None,
            remedy: draft.remedy,
            secret: draft.secret,
        }
    }

    fn known(&mut self, land: usize, entry: EntryId) -> Known {
        let filesystem = self.ground.lands.get(land).and_then(|land| land.filesystem.as_deref());
        let known = self.entries.entry((land, entry));
        known
            .or_insert_with(|| filesystem.map(|filesystem| look_up(filesystem, entry)).unwrap_or_default())
            .clone()
    }

    /// The line of a candidate in a file that is in use; candidates come in file order within each file.
    fn line(&mut self, place: &Place) -> Option<u64> {
        let candidate = &place.candidate;
        let (entry, stream) = candidate.entry?;
        let counts = matches!(candidate.state, Some(State::Allocated | State::Orphan | State::Deleted));
        let offset = candidate.file_offset.filter(|&offset| counts && offset <= LINES_UP_TO)?;
        if candidate.member.is_some() {
            return None;
        }
        let known = self.known(candidate.land, entry);
        let filesystem = self.ground.lands.get(candidate.land)?.filesystem.as_ref()?;
        let lines = self.lines.entry((candidate.land, entry, stream)).or_insert_with(|| {
            let entry = known.entry.as_ref();
            let name = entry.and_then(|entry| Some((entry, &entry.streams.get(usize::from(stream))?.name)));
            // Without content there is no line; the gap itself is reported where it is found.
            let content = name.and_then(|(entry, name)| filesystem.open(entry, name).ok());
            Lines { content, ..Lines::default() }
        });
        lines.advance(offset)
    }

    /// Where a byte of the disk lies in the image file, if it is stored there as it is.
    fn image_offset(&self, disk_offset: u64) -> Option<u64> {
        match self.disk.image.map(disk_offset, 1).map_or(Backing::Hole, |extent| extent.backing) {
            Backing::Stored { host } => Some(host),
            _ => None,
        }
    }

    fn fingerprint(&self, secret: &Secret) -> String {
        short_hex(&blake3::keyed_hash(&self.key, secret.expose()))
    }
}

impl Lines {
    /// Counts on to `offset`; `None` where the content cannot be read or an earlier offset is asked for.
    fn advance(&mut self, offset: u64) -> Option<u64> {
        let content = self.content.as_ref()?;
        if offset < self.counted {
            (self.counted, self.line) = (0, 0);
        }
        let mut buffer = vec![0; 64 << 10];
        while self.counted < offset {
            let length =
                usize::try_from(offset.saturating_sub(self.counted)).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..length)?;
            if content.read_at(self.counted, part).is_err() {
                self.content = None;
                return None;
            }
            let breaks = part.iter().filter(|&&byte| byte == b'\n').count();
            self.line = self.line.saturating_add(u64::try_from(breaks).unwrap_or(0));
            self.counted = self.counted.saturating_add(u64::try_from(length).unwrap_or(0));
        }
        Some(self.line.saturating_add(1))
    }
}

/// A finding before its derived fields.
struct Draft {
    rule: String,
    category: Category,
    severity: crate::rules::Severity,
    verdict: Verdict,
    title: String,
    remedy: String,
    location: Location,
    secret: Option<Secret>,
    length: Option<u64>,
    evidence: Vec<String>,
    known_good: Option<String>,
    copies: Vec<u64>,
    entry: Option<Entry>,
}

fn look_up(filesystem: &dyn FileSystem, id: EntryId) -> Known {
    // What cannot be read here was reported by the walk.
    let entry = filesystem.entry(id).ok();
    let mut names = filesystem.paths(id).unwrap_or_default().all.into_iter().map(|path| escape(&path));
    let path = names.next();
    let special = entry.as_ref().and_then(|entry| Special::of(filesystem, entry, path.as_deref()));
    Known { entry, path, links: names.collect(), special }
}

/// What a place in the file system's own files is about.
fn about(land: &Land, candidate: &Candidate, known: &Known) -> Option<String> {
    let is_own = matches!(candidate.state, Some(State::Journal | State::Metadata));
    let (id, stream) = candidate.entry.filter(|_| is_own && candidate.member.is_none())?;
    let name = &known.entry.as_ref()?.streams.get(usize::from(stream))?.name;
    let filesystem = land.filesystem.as_deref()?;
    let offset = candidate.file_offset?;
    filesystem.about(id, name, offset).or_else(|| copy_of(land, filesystem.home(id, name, offset)?))
}

/// The block that the journal holds a copy of, by who has it now: that may be another than then.
fn copy_of(land: &Land, home: u64) -> Option<String> {
    let filesystem = land.filesystem.as_deref()?;
    let block = home.checked_div(filesystem.facts().block_size)?;
    let hold = land.map.as_ref()?.hold(home);
    let owner = match hold.owner.map(|owner| owner.entry()) {
        Some(id) => {
            let verb = if hold.state == State::Deleted { "had last" } else { "has now" };
            format!("which {} {verb}", named(filesystem, id))
        }
        None if hold.state == State::Unallocated => "which is free now".to_owned(),
        None => "which holds tables of the file system now".to_owned(),
    };
    Some(format!("in the journal's copy of block {block}, {owner}"))
}

/// The ranges of the disk that a candidate lies in, where there are several.
fn pieces(candidate: &Candidate) -> Vec<Piece> {
    let piece = |range: &std::ops::Range<u64>| Piece {
        disk_offset: range.start,
        length: range.end.saturating_sub(range.start),
    };
    candidate.pieces.iter().map(piece).collect()
}

/// How reports call an entry.
fn number(land: &Land, entry: EntryId) -> EntryNumber {
    let plain = EntryNumber { number: entry.0, version: None };
    land.filesystem.as_ref().map_or(plain, |filesystem| filesystem.number(entry))
}

/// The state of content in a special file, where it is not simply that of a file.
fn state_in(special: Special) -> Option<State> {
    special.is_swap().then_some(State::Swap)
}

/// Two sentences, or one.
fn joined(one: &str, other: Option<&str>) -> String {
    let parts = [one, other.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The machine that a volume belongs to: what comes before the volume's own name within it.
fn system(volume: &str) -> &str {
    volume.rsplit_once("!/").map_or("", |(system, _)| system)
}

/// User names by uid, for each machine from its first `/etc/passwd`.
fn users(ground: &Ground) -> HashMap<String, HashMap<u32, String>> {
    let mut users: HashMap<String, HashMap<u32, String>> = HashMap::new();
    for land in &ground.lands {
        let system = system(&land.volume.name);
        if !users.contains_key(system)
            && let Some(names) = land.filesystem.as_deref().and_then(passwd)
        {
            users.insert(system.to_owned(), names);
        }
    }
    users
}

fn passwd(filesystem: &dyn FileSystem) -> Option<HashMap<u32, String>> {
    /// More of the file is not read.
    const LENGTH_MAX: u64 = 1 << 20;
    let entry = filesystem.entry(filesystem.find(b"/etc/passwd").ok()?).ok()?;
    let content = filesystem.open(&entry, &StreamName::Data).ok()?;
    let text = read_vec(content.as_ref(), 0, usize::try_from(content.size().min(LENGTH_MAX)).ok()?).ok()?;
    let user = |line: &[u8]| {
        let mut fields = line.split(|&byte| byte == b':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        Some((std::str::from_utf8(uid).ok()?.parse().ok()?, escape(name)))
    };
    // The first of several names for one number is the one that tools print.
    Some(text.split(|&byte| byte == b'\n').rev().filter_map(user).collect())
}

fn fs_kind(land: &Land) -> Option<&'static str> {
    land.filesystem.as_ref().map(|filesystem| filesystem.facts().kind)
}

fn stream_name(entry: &Entry, index: u16) -> Option<String> {
    match &entry.streams.get(usize::from(index))?.name {
        StreamName::Data => None,
        StreamName::Named(name) => Some(escape(name)),
        StreamName::Xattr(name) => Some(format!("xattr:{}", escape(name))),
        StreamName::Attribute(name) => Some(format!("attribute:{}", escape(name))),
    }
}

/// A hash of the place and the rule, without the image's name, so that it is the same in any container.
fn id(rule: &str, place: &Location) -> String {
    let mut text = format!(
        "{rule}\0{}\0{:?}\0{:?}\0{:?}\0{:?}\0{:?}\0{:?}",
        place.volume,
        place.path,
        place.inode,
        place.stream,
        place.member,
        place.file_offset,
        place.disk_offset
    );
    if let Some(version) = place.version {
        text.push_str(&format!("\0{version}"));
    }
    short_hex(&blake3::hash(text.as_bytes()))
}

/// The first 16 hexadecimal digits.
fn short_hex(hash: &blake3::Hash) -> String {
    hash.to_hex().chars().take(16).collect()
}

/// A key from the disk's own identifiers: equal for one disk in any container. The disk's size is none of them as
/// long as there are others: a VHD made of it rounds the size up to whole cylinders.
fn disk_key(disk: &Disk) -> [u8; 32] {
    let mut text = disk.tiling.scheme.to_string();
    let known = disk.volumes.iter().filter_map(|volume| Some((volume, volume.facts()?.uuid.clone()?)));
    for (volume, uuid) in known {
        text.push_str(&format!("\0{}\0{}\0{uuid}", volume.volume.name, volume.volume.disk_start()));
    }
    if !text.contains('\0') {
        text.push_str(&format!("\0{}", disk.image.size()));
    }
    blake3::derive_key("residue fingerprint key of a disk, version 1", text.as_bytes())
}

/// Joins findings that complete each other: an access key id and its secret, a user and a password.
pub(super) fn join_pairs(findings: &mut [Finding], rules: &[RuleFacts]) {
    let partner: HashMap<&str, &str> =
        rules.iter().filter_map(|rule| Some((rule.id.as_str(), rule.pair.as_deref()?))).collect();
    let mut joined = Vec::new();
    for (index, finding) in findings.iter().enumerate() {
        let Some(wanted) = partner.get(finding.rule.as_str()) else { continue };
        let near = findings
            .iter()
            .enumerate()
            .filter(|(_, other)| other.rule == *wanted && same_content(&finding.place, &other.place));
        let distance = |other: &Finding| offset(&other.place).abs_diff(offset(&finding.place));
        let best =
            near.map(|(at, other)| (distance(other), at)).filter(|(far, _)| *far <= PAIR_DISTANCE).min();
        joined.extend(best.map(|(_, at)| (index, at)));
    }
    for (one, other) in joined {
        let ids = (findings.get(one).map(|f| f.id.clone()), findings.get(other).map(|f| f.id.clone()));
        for (at, id) in [(one, ids.1), (other, ids.0)] {
            if let Some(finding) = findings.get_mut(at).filter(|finding| finding.pair.is_none()) {
                finding.pair = id;
            }
        }
    }
}

fn same_content(one: &Location, other: &Location) -> bool {
    one.volume == other.volume
        && one.inode == other.inode
        && one.stream == other.stream
        && one.member == other.member
}

fn offset(place: &Location) -> u64 {
    place.file_offset.or(place.disk_offset).unwrap_or(0)
}

/// Volume, disk offset, file offset, rule; what has no disk offset comes first within its volume.
pub(super) fn sort(findings: &mut [Finding], ground: &Ground) {
    let volumes: HashMap<&str, usize> =
        ground.lands.iter().enumerate().map(|(index, land)| (land.volume.name.as_str(), index)).collect();
    findings.sort_by_cached_key(|finding| {
        let place = &finding.place;
        (
            volumes.get(place.volume.as_str()).copied(),
            place.disk_offset,
            place.path.clone(),
            place.file_offset,
            finding.rule.clone(),
            finding.id.clone(),
        )
    });
}
