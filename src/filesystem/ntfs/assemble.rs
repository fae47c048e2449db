//! Puts an entry together from its base record and the extension records that belong to it.

use super::attribute::{self, Attribute, COMPRESSED, ENCRYPTED, Extents, Form, code};
use super::boot::Geometry;
use super::mft::data_runs;
use super::name::{self, FileName};
use super::record::Record;
use super::reparse::{Elsewhere, ReparsePoint};
use super::run_list::{self, ClusterRun};
use super::standard_information::StandardInformation;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{Entry, EntryId, EntryKind, Layout, RECORD_SLACK, Stream, StreamName};
use std::collections::BTreeMap;

/// Runs of one entry; Windows itself stops at about 1.5 million.
const RUNS_MAX: usize = 1 << 21;

/// The record of `$BadClus`.
const BAD_CLUSTERS: EntryId = EntryId(8);

/// An entry with what its streams alone do not say.
#[derive(Debug, Default)]
pub(super) struct Assembled {
    /// The entry, without what depends on other entries (orphaned or not, role).
    pub(super) entry: Entry,
    /// Its names, long and short.
    pub(super) names: Vec<FileName>,
    /// The attribute list, if it has one, as its bytes' place in an attribute.
    pub(super) has_list: bool,
    /// Length of a compression unit, for the encoded streams.
    pub(super) units: Vec<(StreamName, u64)>,
    /// Where the unnamed stream's content is kept, if elsewhere.
    pub(super) elsewhere: Option<Elsewhere>,
    /// What was found wrong.
    pub(super) problems: Vec<Error>,
}

impl Assembled {
    /// Whether nothing says that this ever was a file: a record that was only made ready, or reserved.
    pub(super) fn is_blank(&self) -> bool {
        let has_content = |stream: &Stream| stream.size > 0 || !stream.runs().is_empty();
        self.names.is_empty() && self.problems.is_empty() && !self.entry.streams.iter().any(has_content)
    }
}

/// An entry while its records are added.
#[derive(Debug)]
pub(super) struct Assembly<'g> {
    geometry: &'g Geometry,
    parts: BTreeMap<(u32, Vec<[u8; 2]>), Part>,
    standard: StandardInformation,
    reparse: Option<ReparsePoint>,
    slack: Vec<Stream>,
    runs: usize,
    out: Assembled,
}

/// An attribute while its pieces are collected.
#[derive(Debug, Default)]
struct Part {
    flags: u16,
    unit_exponent: u8,
    /// Size and initialised size, from the piece that starts at cluster 0.
    sizes: Option<(u64, u64)>,
    resident: Option<(Vec<u8>, Option<u64>)>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    lowest_vcn: u64,
    lsn: u64,
    runs: Vec<ClusterRun>,
}

impl<'g> Assembly<'g> {
    /// Starts with the base record.
    pub(super) fn new(geometry: &'g Geometry, base: &Record<'_>) -> Self {
        let mut out = Assembled::default();
        out.entry.id = EntryId(base.number);
        out.entry.generation = u64::from(base.sequence);
        out.entry.links = u32::from(base.links);
        out.entry.kind = if base.directory { EntryKind::Directory } else { EntryKind::File };
        if let Some(stored) = base.stored_number.filter(|&stored| u64::from(stored) != base.number) {
            out.entry.notes.push(format!("the record calls itself number {stored}"));
        }
        let standard = StandardInformation::default();
        let mut assembly = Self {
            geometry,
            parts: BTreeMap::new(),
            standard,
            reparse: None,
            slack: Vec::new(),
            runs: 0,
            out,
        };
        assembly.add(base);
        assembly
    }

    /// Adds what a record holds.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        self.add_slack(record);
        for attribute in record.attributes() {
            if let Err(error) = attribute.and_then(|attribute| self.add_attribute(record, &attribute)) {
                self.problem(error);
            }
        }
    }

    /// Keeps what is behind the used part of a record: often attributes of before, resident content included.
    fn add_slack(&mut self, record: &Record<'_>) {
        let bytes = record.bytes.get(record.used..).unwrap_or_default();
        if bytes.iter().all(|&byte| byte == 0) {
            return;
        }
        let mut name = RECORD_SLACK.to_vec();
        if record.number != self.out.entry.id.0 {
            name.extend_from_slice(format!(":{}", record.number).as_bytes());
        }
        let place = u64::try_from(record.used).ok().and_then(|used| record.place?.checked_add(used));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let layout = Layout::Resident { bytes: bytes.to_vec(), place };
        self.slack.push(Stream { name: StreamName::Attribute(name), size, initialised: size, layout });
    }

    /// Notes something wrong.
    pub(super) fn problem(&mut self, error: Error) {
        self.out.problems.push(error);
    }

    /// Adds a note.
    pub(super) fn note(&mut self, note: String) {
        self.out.entry.notes.push(note);
    }

    /// Whether the records added have an attribute list, so that there are more.
    pub(super) fn has_list(&self) -> bool {
        self.out.has_list
    }

    fn add_attribute(&mut self, record: &Record<'_>, attribute: &Attribute<'_>) -> Result<()> {
        match (&attribute.form, attribute.code) {
            (Form::Resident { value, .. }, code::STANDARD_INFORMATION) => {
                self.standard = StandardInformation::parse(value, attribute.at)?;
            }
            (Form::Resident { value, .. }, code::FILE_NAME) => {
                self.out.names.push(FileName::parse(value, attribute.at)?);
            }
            (Form::Resident { .. }, code::ATTRIBUTE_LIST) => self.out.has_list = true,
            (
                Form::Resident { value, value_at },
                code::DATA | code::EA | code::REPARSE_POINT | code::LOGGED_UTILITY_STREAM,
            ) => {
                if attribute.code == code::REPARSE_POINT {
                    self.reparse = ReparsePoint::parse(value, attribute.at);
                }
                let place = u64::try_from(*value_at).ok().and_then(|at| record.place?.checked_add(at));
                self.add_resident(attribute, value, place)?;
            }
            (Form::Resident { .. }, _) => {}
            (Form::NonResident(extents), _) => {
                self.out.has_list |= attribute.code == code::ATTRIBUTE_LIST;
                self.add_piece(record, attribute, extents)?;
            }
        }
        Ok(())
    }

    fn part(&mut self, attribute: &Attribute<'_>) -> &mut Part {
        self.parts.entry((attribute.code, attribute.name.to_vec())).or_default()
    }

    fn add_resident(&mut self, attribute: &Attribute<'_>, value: &[u8], place: Option<u64>) -> Result<()> {
        let part = self.part(attribute);
        if part.resident.is_some() || !part.pieces.is_empty() {
            return Err(two_of(attribute));
        }
        part.flags = attribute.flags;
        part.resident = Some((value.to_vec(), place));
        Ok(())
    }

    fn add_piece(
        &mut self,
        record: &Record<'_>,
        attribute: &Attribute<'_>,
        extents: &Extents<'_>,
    ) -> Result<()> {
        let mut runs = Vec::new();
        let decoded = run_list::decode(
            extents.pairs,
            extents.lowest_vcn,
            self.geometry.clusters,
            attribute.at,
            &mut runs,
        );
        let decoded = decoded.and_then(|()| check_end(extents, &runs, attribute.at));
        self.runs = self.runs.saturating_add(runs.len());
        if self.runs > RUNS_MAX {
            let message = format!("record {}: more than {RUNS_MAX} runs", record.number);
            return Err(Error::new(Kind::LimitExceeded, message));
        }
        let lsn = record.lsn;
        let part = self.part(attribute);
        if part.resident.is_some() {
            return Err(two_of(attribute));
        }
        if extents.lowest_vcn == 0 {
            part.flags = attribute.flags;
            part.unit_exponent = extents.unit_exponent;
            part.sizes = Some((extents.size, extents.initialised));
        }
        part.pieces.push(Piece { lowest_vcn: extents.lowest_vcn, lsn, runs });
        let name = || display(attribute.code, attribute.name);
        decoded.map_err(|error| error.context(name()))
    }

    /// The entry, when all records have been added.
    pub(super) fn finish(mut self) -> Assembled {
        self.out.entry.times = self.standard.times;
        self.out.entry.notes.extend(self.standard.notes());
        if let Some(reparse) = &self.reparse {
            self.out.entry.notes.push(reparse.note());
            self.out.entry.kind = reparse.kind().unwrap_or(self.out.entry.kind);
            self.out.elsewhere = reparse.content_elsewhere();
        }
        for ((code, name), part) in std::mem::take(&mut self.parts) {
            self.finish_part(code, &name, part);
        }
        self.out.entry.streams.append(&mut self.slack);
        // The unnamed stream comes first; the map's order stays otherwise.
        self.out.entry.streams.sort_by_key(|stream| stream.name != StreamName::Data);
        self.out
    }

    fn finish_part(&mut self, type_code: u32, stored_name: &[[u8; 2]], mut part: Part) {
        let name = stream_name(type_code, stored_name);
        if let Some((bytes, place)) = part.resident {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            // What the record holds of a file whose content is elsewhere is zeros.
            let layout = match self.out.elsewhere {
                Some(_) if name == StreamName::Data && size > 0 => Layout::Encoded(Vec::new()),
                _ => Layout::Resident { bytes, place },
            };
            self.out.entry.streams.push(Stream { name, size, initialised: size, layout });
            return;
        }
        let shown = display(type_code, stored_name);
        let (runs, end) = self.join(&shown, &mut part.pieces);
        let runs = data_runs(&runs, self.geometry.cluster_size);
        let reach = end.saturating_mul(self.geometry.cluster_size);
        let (size, initialised) = part.sizes.unwrap_or_else(|| {
            self.out.problems.push(Error::new(Kind::Corrupt, format!("{shown}: its first piece is missing")));
            (reach, reach)
        });
        // $BadClus:$Bad is as long as the volume and marks the clusters not to be used: it has no content.
        let marks = self.out.entry.id == BAD_CLUSTERS && name != StreamName::Data;
        let (size, initialised) = if marks { (0, 0) } else { (size, initialised) };
        if reach < size {
            let message = format!("{shown}: runs end at byte {reach}, the size is {size}");
            self.out.problems.push(Error::new(Kind::Corrupt, message));
        }
        let elsewhere = name == StreamName::Data && self.out.elsewhere.is_some();
        let layout = if part.flags & ENCRYPTED != 0 {
            self.out.entry.notes.push(format!("{shown} is encrypted (EFS)"));
            Layout::Encrypted(runs)
        } else if part.flags & COMPRESSED != 0 || elsewhere {
            let unit = self.geometry.cluster_size.checked_shl(u32::from(part.unit_exponent)).unwrap_or(0);
            self.out.units.push((name.clone(), unit));
            Layout::Encoded(runs)
        } else {
            Layout::Runs(runs)
        };
        self.out.entry.streams.push(Stream { name, size, initialised, layout });
    }

    /// The runs of all pieces in order, and the virtual cluster where they end. Of two pieces for one place,
    /// the one written last counts.
    fn join(&mut self, shown: &str, pieces: &mut Vec<Piece>) -> (Vec<ClusterRun>, u64) {
        pieces.sort_by_key(|piece| (piece.lowest_vcn, std::cmp::Reverse(piece.lsn)));
        let mut runs: Vec<ClusterRun> = Vec::new();
        let mut end = 0_u64;
        for piece in pieces.drain(..) {
            if piece.lowest_vcn != end {
                let (lowest, what) =
                    (piece.lowest_vcn, if piece.lowest_vcn < end { "two pieces" } else { "no piece" });
                let message =
                    format!("{shown}: {what} for clusters {} to {}", lowest.min(end), lowest.max(end));
                self.out.problems.push(Error::new(Kind::Corrupt, message));
            }
            if piece.lowest_vcn < end {
                continue;
            }
            end = piece.runs.last().map_or(end, |last| last.vcn.saturating_add(last.clusters));
            runs.extend(piece.runs);
        }
        (runs, end)
    }
}

/// Whether the runs end where the attribute says.
fn check_end(extents: &Extents<'_>, runs: &[ClusterRun], at: u64) -> Result<()> {
    let end = runs.last().map_or(extents.lowest_vcn, |last| last.vcn.saturating_add(last.clusters));
    let expected = extents.highest_vcn.checked_add(1).and_then(|end| u64::try_from(end).ok());
    // A piece with all of an empty stream has zero in both fields on some volumes.
    if expected == Some(end) || runs.is_empty() && extents.highest_vcn <= 0 {
        return Ok(());
    }
    Err(Error::corrupt(at, "last cluster of run list", extents.highest_vcn, end.wrapping_sub(1)))
}

fn stream_name(type_code: u32, stored: &[[u8; 2]]) -> StreamName {
    match (type_code, stored.is_empty()) {
        (code::DATA, true) => StreamName::Data,
        (code::DATA, false) => StreamName::Named(name::wtf8(stored)),
        (other, true) => StreamName::Attribute(attribute::type_name(other).into_bytes()),
        (other, false) => {
            let mut full = attribute::type_name(other).into_bytes();
            full.push(b':');
            full.extend(name::wtf8(stored));
            StreamName::Attribute(full)
        }
    }
}

/// An attribute's type and name for messages.
fn display(type_code: u32, stored: &[[u8; 2]]) -> String {
    let name = crate::location::escape(&name::wtf8(stored));
    let separator = if stored.is_empty() { "" } else { ":" };
    format!("{}{separator}{name}", attribute::type_name(type_code))
}

/// The error for an attribute of whose type and name the record has one already that cannot be joined with it.
fn two_of(attribute: &Attribute<'_>) -> Error {
    let name = display(attribute.code, attribute.name);
    Error::corrupt(attribute.at, "attribute", "one of a type and name", format!("two {name}"))
}
