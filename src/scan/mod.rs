//! One run over one image: wires the layers, from the file on this machine to records in stable order.

mod answers;
mod assemble;
mod disk;
mod fold;
mod layer;
mod map;
mod nested;
mod options;
mod outside;
mod proof;
mod remedy;
mod special;
mod traces;
mod twins;
mod verify;

use outside::Outside;

pub use disk::{Disk, OpenVolume, open, open_outer};
pub use nested::{Decoded, Unpacked};
pub use options::{Observer, Options, Silent};

use crate::content::carved::Name;
use crate::coverage::{Coverage, Gap, GapKind};
use crate::detect::Detector;
use crate::error::{Error, Kind, Result};
use crate::filesystem::Recognised;
use crate::finding::Finding;
use crate::io::ReadAt;
use crate::keys::KeyFact;
use crate::leftover::{self, Catalogue, CheckOutcome, Members, Source, is_watched};
use crate::ownership::{self, OwnerMap, Resident};
use crate::record::{DiskMap, ExitReason, Header, HistoryLine, Record, Summary};
use crate::redact::Redactor;
use crate::rules::{RuleSet, Verdict};
use crate::sweep::prefilter::Prefilter;
use crate::sweep::{self, Ahead, Candidate, Contents, Encoded, Event, Ground, Job, ResidentSweep};
use map::{Count, MapBuilder};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rules and checks, loaded and compiled once for any number of images.
#[derive(Debug)]
pub struct Engine {
    /// Secret rules.
    pub detector: Detector,
    /// Their literals.
    pub prefilter: Prefilter,
    /// Leftover checks.
    pub catalogue: Catalogue,
}

impl Engine {
    /// Loads what comes with the program and what `options` adds.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a rule or check is wrong.
    pub fn new(options: &Options) -> Result<Self> {
        let search = || {
            let mut rules = rules(&options.rule_files)?;
            if !options.pii {
                rules.leave_out_personal_data();
            }
            let detector = Detector::new(rules)?;
            let prefilter = Prefilter::new(&sweep::literals(&detector))?;
            Ok((detector, prefilter))
        };
        let (search, catalogue) = rayon::join(search, || Catalogue::of(options.profile));
        let (detector, prefilter) = search?;
        Ok(Self { detector, prefilter, catalogue: catalogue? })
    }
}

/// The rules that come with the program, and those of `files`.
///
/// # Errors
/// [`Kind::Usage`] when a rule is wrong, [`Kind::Io`] when a file cannot be read.
pub fn rules(files: &[PathBuf]) -> Result<RuleSet> {
    let mut set = RuleSet::builtin()?;
    for path in files {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::io("cannot read the rules", source).in_file(path))?;
        set.add_foreign(&crate::location::escape(path.as_os_str().as_encoded_bytes()), &text)?;
    }
    Ok(set)
}

/// Scans the image at `path` and hands on its records: header, findings, gaps, summary. An image that does
/// not open gives a summary alone, with the error in it.
///
/// # Errors
/// Only what `emit` returns, and a thread pool that cannot be made.
pub fn run(
    engine: &Engine,
    path: &Path,
    options: &Options,
    observer: &dyn Observer,
    emit: &mut dyn FnMut(Record<'_>) -> Result<()>,
) -> Result<Summary> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|source| Error::new(Kind::Io, "cannot start threads").with_source(source))?;
    let name = options.name.clone().unwrap_or_else(|| assemble::image_name(path));
    let mut disk = match disk::open_outer(path, options) {
        Ok(disk) => disk,
        Err(error) => {
            let reason = ExitReason::Unreadable;
            let error = Some(error.to_string());
            let summary = Summary { image: name, exit_reason: reason, error, ..Summary::default() };
            emit(Record::Summary(&summary))?;
            return Ok(summary);
        }
    };
    let ahead = pool.install(|| begin(engine, &mut disk, options));
    let (examined, verified) = std::thread::scope(|threads| {
        let verifier = options.verify.then(|| threads.spawn(|| verify::verify(&disk)));
        let examined = pool.install(|| examine(engine, &disk, ahead, options, observer));
        (examined, verifier.map(|verifier| verifier.join()))
    });
    let mut outcome = examined?;
    if let Some(verified) = verified {
        let stopped = |_| Error::new(Kind::Io, "the thread that verifies the image stopped");
        let verified = verified.map_err(stopped)?;
        outcome.notes.extend(verified.notes);
        outcome.gaps.extend(verified.gaps);
        outcome.gaps.sort();
    }
    outcome.name(&name);
    let mut header = assemble::header(&name, &disk, engine);
    let redactor = outcome.clean(&mut header, options);
    emit(Record::Scan(&header))?;
    outcome.hand_on(emit)?;
    let summary = Summary { redactor, ..summarise(name, &outcome, options) };
    emit(Record::Summary(&summary))?;
    Ok(summary)
}

/// Everything that a run finds out about a disk.
#[derive(Debug, Default)]
struct Outcome {
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
    checks: Vec<CheckOutcome>,
    keys: Vec<KeyFact>,
    history: Vec<HistoryLine>,
    map: DiskMap,
    sources: Vec<Source>,
    coverage: Coverage,
    /// What the container holds besides the disk.
    container: Coverage,
    possible: u64,
    counted_only: u64,
    notes: Vec<String>,
}

impl Outcome {
    /// Puts the name of the image into every record.
    fn name(&mut self, name: &str) {
        self.findings.iter_mut().for_each(|finding| name.clone_into(&mut finding.place.image));
        self.keys.iter_mut().for_each(|fact| name.clone_into(&mut fact.image));
        self.history.iter_mut().for_each(|line| name.clone_into(&mut line.image));
        name.clone_into(&mut self.map.image);
    }

    /// Takes the secrets that were found out of all texts of the evidence, unless they are to be shown. Returns
    /// what does so for further texts.
    fn clean(&mut self, header: &mut Header, options: &Options) -> Redactor {
        if options.show_secrets {
            return Redactor::default();
        }
        let secrets = self.findings.iter().filter_map(|finding| finding.secret.as_ref());
        let redactor = Redactor::new(secrets.map(crate::finding::Secret::expose));
        traces::clean_header(header, &redactor);
        self.findings.iter_mut().for_each(|finding| traces::clean_finding(finding, &redactor));
        self.gaps.iter_mut().for_each(|gap| traces::clean_gap(gap, &redactor));
        self.keys.iter_mut().for_each(|fact| traces::clean_key(fact, &redactor));
        self.history.iter_mut().for_each(|line| traces::clean_line(line, &redactor));
        self.checks.iter_mut().for_each(|check| traces::clean_check(check, &redactor));
        redactor.texts(&mut self.notes);
        redactor
    }

    /// All records between the header and the summary.
    fn hand_on(&self, emit: &mut dyn FnMut(Record<'_>) -> Result<()>) -> Result<()> {
        self.findings.iter().try_for_each(|finding| emit(Record::Finding(finding)))?;
        self.gaps.iter().try_for_each(|gap| emit(Record::Gap(gap)))?;
        self.keys.iter().try_for_each(|fact| emit(Record::Key(fact)))?;
        self.history.iter().try_for_each(|line| emit(Record::History(line)))?;
        emit(Record::Map(&self.map))
    }
}

/// What the walk over one land's file system gives.
#[derive(Default)]
struct Indexed {
    map: Option<OwnerMap>,
    candidates: Vec<Candidate>,
    encoded: Vec<Encoded>,
    gaps: Vec<Gap>,
    decoded: u64,
}

/// Opens the disk images in files; what the threads that are not needed for it find in the disk meanwhile is
/// returned.
fn begin(engine: &Engine, disk: &mut Disk, options: &Options) -> Ahead {
    let bytes = disk.image.clone();
    let (is_open, mut ahead) = (AtomicBool::new(false), Ahead::default());
    rayon::join(
        || {
            nested::open(disk, options);
            is_open.store(true, Ordering::Relaxed);
        },
        || sweep::ahead(bytes.as_ref(), options.unit, &engine.prefilter, &is_open, &mut ahead),
    );
    ahead
}

fn examine(
    engine: &Engine,
    disk: &Disk,
    mut ahead: Ahead,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome> {
    observer.planned(disk.image.size());
    let outside = Outside::of(disk, options.snapshots);
    let mut lands = disk.lands();
    let first_outside = lands.len();
    lands.extend(outside.lands());
    let mut ground = Ground::new(lands);
    let bytes: Arc<dyn ReadAt> = disk.image.clone();
    let is_indexed = AtomicBool::new(false);
    let (indexed, ()) = rayon::join(
        || {
            let lands = (0..ground.lands.len()).into_par_iter();
            let indexed: Vec<Indexed> = lands.map(|land| index(engine, &ground, land)).collect();
            is_indexed.store(true, Ordering::Relaxed);
            indexed
        },
        || sweep::ahead(bytes.as_ref(), options.unit, &engine.prefilter, &is_indexed, &mut ahead),
    );
    let (mut candidates, mut encoded) = (Vec::new(), Vec::new());
    let mut outcome = Outcome { gaps: disk.opaque_gaps(), ..Outcome::default() };
    outcome.gaps.extend(outside.gaps.iter().cloned());
    outcome.gaps.extend(disk.nested_gaps.iter().cloned());
    let mut decoded = 0_u64;
    for (land, part) in ground.lands.iter_mut().zip(indexed) {
        land.map = part.map;
        candidates.extend(part.candidates);
        encoded.extend(part.encoded);
        outcome.gaps.extend(part.gaps);
        decoded = decoded.saturating_add(part.decoded);
    }
    let mut map = MapBuilder::new(disk.image.size());
    let mut members: Vec<Members> = vec![Members::default(); ground.lands.len()];
    let tools = (&engine.prefilter, &engine.detector);
    let mut event = |event| {
        match event {
            Event::Candidates(more) => {
                observer.found(u64::try_from(more.len()).unwrap_or(0));
                candidates.extend(more);
            }
            Event::Gap(gap) => {
                count_unread(&mut map, &ground, &gap);
                outcome.gaps.push(gap);
            }
            Event::Written(ranges) => {
                ranges.iter().for_each(|(range, state)| map.add(Count::Scanned, *state, range));
            }
            Event::Decoded(contents) => note(&mut members, &contents),
            Event::Progress(bytes) => observer.swept(bytes),
        }
        Ok(())
    };
    let budget = disk.budget();
    let job = Job {
        disk: &bytes,
        ground: &ground,
        encoded: &encoded,
        unit: options.unit,
        start: 0,
        budget,
        ahead: &ahead,
        watch: is_watched,
    };
    let coverage = sweep::sweep(&job, tools, &mut event)?;
    let (mut container, nothing) = (Coverage::default(), Ahead::default());
    for area in &outside.areas {
        let job = Job { disk: &area.bytes, encoded: &[], start: area.base, ahead: &nothing, ..job };
        container.add(&area.counted(sweep::sweep(&job, tools, &mut event)?));
    }
    for area in &disk.nested {
        let Decoded { bytes, base: start, budget } = area;
        let job = Job { disk: bytes, encoded: &[], start: *start, budget: *budget, ahead: &nothing, ..job };
        let swept = sweep::sweep(&job, tools, &mut event)?;
        decoded = decoded.saturating_add(swept.scanned).saturating_add(swept.decoded);
    }
    outcome.coverage = Coverage { decoded: coverage.decoded.saturating_add(decoded), ..coverage };
    outcome.coverage.opaque = disk.opaque_bytes();
    ground.states(&(0..disk.image.size()), &mut |range, state| map.add(Count::Held, state, &range));
    outcome.map = map.finish("");
    outcome.container = container;
    let padding = disk.image.padding();
    outcome.coverage.size = outcome.coverage.size.saturating_sub(padding);
    outcome.coverage.blank = outcome.coverage.blank.saturating_sub(padding);
    outcome.gaps.extend(disk.image.disturbances().into_iter().map(unread));
    // Addresses behind the disk's end mean nothing to a reader of the report.
    let end = disk.image.size();
    let nested = outcome.gaps.iter_mut().filter(|gap| gap.volume.contains("!/"));
    nested.for_each(|gap| {
        gap.disk_offset = gap.disk_offset.filter(|&offset| offset < end);
        if let Some((name, inside)) =
            gap.path.as_deref().and_then(Name::split).filter(|(name, _)| name.at >= end)
            && let Some((_, at)) = ground.to_volume(name.at)
        {
            gap.path = Some(Name { at, ..name }.before(inside));
        }
    });
    outside.drop_twins(&mut candidates, first_outside);
    for (land, members) in ground.lands.iter().zip(members) {
        let Some(filesystem) = land.filesystem.clone() else { continue };
        outcome.sources.push(Source { volume: land.volume.name.clone(), filesystem, members });
    }
    conclude(engine, (disk, &outside), &ground, options, candidates, &mut outcome);
    Ok(outcome)
}

/// Counts a range of the disk that could not be read in the map.
fn count_unread(map: &mut MapBuilder, ground: &Ground, gap: &Gap) {
    if let (GapKind::Unread, Some(start), Some(length)) = (gap.kind, gap.disk_offset, gap.length) {
        let range = start..start.saturating_add(length);
        ground.states(&range, &mut |range, state| map.add(Count::Unread, state, &range));
    }
}

/// Keeps what was met in a decoded file, for the checks.
fn note(members: &mut [Members], contents: &Contents) {
    let Some(members) = members.get_mut(contents.land) else { return };
    members.decoded(contents.entry);
    contents.members.iter().for_each(|path| members.note(contents.entry, path));
    contents.cut.iter().for_each(|reason| members.cut(contents.entry, reason));
}

fn index(engine: &Engine, ground: &Ground, index: usize) -> Indexed {
    let mut out = Indexed::default();
    let Some(land) = ground.lands.get(index) else { return out };
    let Some(filesystem) = land.filesystem.as_deref() else { return out };
    let mut residents = ResidentSweep::new(ground, index, &engine.prefilter, &engine.detector);
    let (encoded, gaps) = (&mut out.encoded, &mut out.gaps);
    let damaged = |entry: Option<crate::filesystem::EntryId>, error: &Error| Gap {
        kind: GapKind::Damaged,
        volume: land.volume.name.clone(),
        disk_offset: error.offset().and_then(|offset| land.volume.to_disk(offset)),
        length: None,
        path: entry.map(|entry| ground.shown(index, entry)),
        reason: error.to_string(),
    };
    let map = ownership::index(filesystem, land.volume.size(), &mut |other| match other {
        Resident::Bytes { entry, stream, state } => residents.add(entry, stream, state),
        Resident::Encoded { entry, stream, state } => {
            let size = entry.streams.get(usize::from(stream)).map_or(0, |stream| stream.size);
            encoded.push(Encoded { land: index, entry: entry.id, stream, state, size, at: 0, decoder: None });
        }
        Resident::Problem { entry, error } => gaps.push(damaged(entry, &error)),
    });
    match map {
        Ok(map) => out.map = Some(map),
        Err(error) => out.gaps.push(damaged(None, &error)),
    }
    let containers;
    (out.candidates, out.decoded, containers) = residents.finish();
    out.encoded.extend(containers);
    out
}

/// Turns candidates into findings, evaluates the leftover checks, and puts everything in order.
fn conclude(
    engine: &Engine,
    (disk, outside): (&Disk, &Outside),
    ground: &Ground,
    options: &Options,
    candidates: Vec<Candidate>,
    outcome: &mut Outcome,
) {
    let wanted = |rule: &str, category: crate::rules::Category| options.wants(rule, &category.to_string());
    let rules = engine.detector.rules();
    let candidates: Vec<Candidate> = candidates
        .into_iter()
        .filter(|candidate| rules.get(candidate.rule).is_some_and(|rule| wanted(&rule.id, rule.category)))
        .collect();
    let possible = |verdict| verdict == Verdict::Possible && !options.all_verdicts;
    let secrets = || {
        let folded = fold::fold(candidates, rules, ground, options.per_file_max);
        let mut assembler = assemble::Assembler::new((disk, outside), ground, engine, options);
        let sure = folded.places.iter().filter(|place| !possible(place.candidate.verdict));
        let mut findings: Vec<Finding> = sure.map(|place| assembler.secret(place)).collect();
        assemble::join_pairs(&mut findings, rules);
        (folded, findings, assembler)
    };
    let sources = std::mem::take(&mut outcome.sources);
    // The checks do not need the secrets.
    let ((folded, findings, mut assembler), (leftovers, checks)) =
        rayon::join(secrets, || engine.catalogue.evaluate(&sources));
    outcome.possible = u64::try_from(folded.places.len().saturating_sub(findings.len())).unwrap_or(u64::MAX);
    outcome.counted_only = folded.counted_only;
    outcome.gaps.extend(folded.gaps);
    outcome.checks = checks;
    let mut twins = twins::Twins::new(findings);
    for leftover in leftovers {
        if wanted(&leftover.check, crate::rules::Category::Leftover)
            && let Some(finding) = assembler.leftover(&sources, &leftover)
        {
            twins.add(finding, leftover.is_about_file);
        }
    }
    let mut findings = twins.finish();
    outcome.gaps.extend(proof::mark(&mut findings, &sources));
    answers::excuse(outcome, &findings);
    answers::give(&engine.catalogue, options, outcome, &findings);
    assemble::sort(&mut findings, ground);
    let traces = leftover::traces(&sources, &traces::private_files(&findings, &sources));
    outcome.keys = traces::keys(&findings, traces.keys, &sources);
    let history = traces.commands.into_iter();
    outcome.history =
        history.map(|command| traces::history(command, &sources, options.show_secrets)).collect();
    outcome.gaps.extend(traces.problems.into_iter().map(|(source, path, reason)| Gap {
        kind: GapKind::Limited,
        volume: sources.get(source).map(|source| source.volume.clone()).unwrap_or_default(),
        disk_offset: None,
        length: None,
        path: (!path.is_empty()).then(|| crate::location::escape(&path)),
        reason,
    }));
    outcome.findings = findings;
    outcome.gaps.sort();
    outcome.gaps.dedup();
}

fn summarise(image: String, outcome: &Outcome, options: &Options) -> Summary {
    let mut summary = Summary {
        image,
        possible: outcome.possible,
        counted_only: outcome.counted_only,
        coverage: outcome.coverage,
        notes: outcome.notes.clone(),
        container: (outcome.container.size > 0).then_some(outcome.container),
        checks: outcome.checks.clone(),
        ..Summary::default()
    };
    let mut failing = false;
    for finding in &outcome.findings {
        let count = |counts: &mut std::collections::BTreeMap<String, u64>, name: String| {
            let entry = counts.entry(name).or_default();
            *entry = entry.saturating_add(1);
        };
        count(&mut summary.by_severity, finding.severity.to_string());
        count(&mut summary.by_category, finding.category.to_string());
        if finding.known_good.is_some() {
            summary.known_good = summary.known_good.saturating_add(1);
        } else {
            failing |= finding.severity >= options.fail_on;
        }
    }
    for gap in &outcome.gaps {
        let entry = summary.gaps.entry(gap.kind.to_string()).or_default();
        *entry = entry.saturating_add(1);
    }
    let read = outcome.coverage.scanned.saturating_add(outcome.coverage.blank);
    let incomplete = outcome.gaps.iter().any(|gap| match gap.kind {
        GapKind::Unread | GapKind::Opaque | GapKind::Damaged => !options.accept_gaps,
        GapKind::Limited => options.strict,
    });
    let (missing, not_made) = summary.missing_checks();
    summary.unchecked = missing;
    let incomplete = incomplete || (missing > 0 && !options.accept_gaps) || (not_made > 0 && options.strict);
    summary.exit_reason = if read == 0 {
        ExitReason::Unreadable
    } else if incomplete || !outcome.coverage.is_whole() || !outcome.container.is_whole() {
        ExitReason::Incomplete
    } else if failing {
        ExitReason::Findings
    } else {
        ExitReason::Clean
    };
    summary
}

/// What could not be had, without a place.
fn unread(reason: String) -> Gap {
    Gap { kind: GapKind::Unread, volume: String::new(), disk_offset: None, length: None, path: None, reason }
}

impl Disk {
    /// Gaps for volumes whose content is not understood, and for what the container could not deliver.
    fn opaque_gaps(&self) -> Vec<Gap> {
        let opaque = self.volumes.iter().filter_map(|volume| {
            let reason = volume.opaque()?;
            Some(Gap {
                kind: GapKind::Opaque,
                volume: volume.volume.name.clone(),
                disk_offset: Some(volume.volume.disk_start()),
                length: Some(volume.volume.size()),
                path: None,
                reason,
            })
        });
        let notes = self.volumes.iter().filter_map(|volume| match &volume.content {
            Recognised::Opened(filesystem) => Some((volume, filesystem)),
            _ => None,
        });
        // A file system that claims more than its volume holds is cut off: the rest cannot be there.
        let cut = notes.filter(|(volume, filesystem)| filesystem.facts().size > volume.volume.size()).map(
            |(volume, filesystem)| Gap {
                kind: GapKind::Unread,
                volume: volume.volume.name.clone(),
                disk_offset: None,
                length: Some(filesystem.facts().size.saturating_sub(volume.volume.size())),
                path: None,
                reason: format!(
                    "truncated: the file system claims {} bytes, the volume ends at byte {}",
                    filesystem.facts().size,
                    volume.volume.size()
                ),
            },
        );
        let unread = self.image.facts().unread.iter().cloned().map(unread);
        let absent = self.volumes.iter().filter_map(|volume| {
            Some(Gap {
                kind: GapKind::Unread,
                volume: volume.volume.name.clone(),
                disk_offset: None,
                length: Some(volume.absent()?),
                path: None,
                reason: "this part of the volume lies on a device that is not in the image".to_owned(),
            })
        });
        opaque.chain(cut).chain(absent).chain(unread).collect()
    }

    /// Bytes that may be swept. Compression makes of a byte at most some 1,000; tables that show much more than
    /// that show the same bytes again and again.
    fn budget(&self) -> u64 {
        const RATIO_MAX: u64 = 2048;
        /// Small images may repeat themselves as much as they like.
        const LEAST: u64 = 4 << 30;
        self.stored_size.saturating_mul(RATIO_MAX).max(LEAST)
    }

    fn opaque_bytes(&self) -> u64 {
        let opaque = self.volumes.iter().filter(|volume| volume.opaque().is_some());
        // What exists only decoded is no part of the disk.
        let size = self.image.size();
        let on_disk = opaque.flat_map(|volume| &volume.volume.segments).filter(|s| s.disk_offset < size);
        on_disk.map(|segment| segment.length).fold(0, u64::saturating_add)
    }
}
