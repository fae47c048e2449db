//! `residue rules cost`: what rules and their keywords cost on given content.

use super::exit::Exit;
use super::input::Input;
use super::output::{self, unwritable};
use crate::detect::{Detector, Meter};
use crate::error::Result;
use crate::io::{Backing, ReadAt, is_zero};
use crate::location::harmless;
use crate::rules::Encoding;
use crate::scan;
use crate::sweep::prefilter::Prefilter;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Bytes that are looked at in one go.
const PIECE: u64 = 1 << 20;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Image or other file whose stored bytes are searched
    image: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Further rules, in TOML
    #[arg(long = "rules", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Look at one piece of 1 MiB in so many
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: u64,
    /// Rules and keywords to list
    #[arg(long, value_name = "N", default_value_t = 40)]
    top: usize,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let disk = scan::open(&args.image, &args.input.options())?;
    let mut rules = scan::rules(&args.files)?;
    rules.leave_out_personal_data();
    let detector = Detector::new(rules)?;
    let prefilter = Prefilter::new(detector.literals())?;
    let mut meter = Meter::new(&detector);
    let searched = feed(disk.image.as_ref(), &prefilter, args.every.max(1), &mut meter);
    let text = table(meter, searched, args.top);
    let mut out = output::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(Exit::Clean)
}

/// Searches the written pieces; returns the bytes searched.
fn feed(disk: &dyn ReadAt, prefilter: &Prefilter, every: u64, meter: &mut Meter<'_>) -> u64 {
    let (mut at, mut searched, mut pieces) = (0_u64, 0_u64, 0_u64);
    let mut hits = Vec::new();
    let mut buffer = Vec::new();
    while at < disk.size() {
        let Ok(extent) = disk.map(at, disk.size().saturating_sub(at)) else { break };
        let end = at.saturating_add(extent.length.max(1));
        if !matches!(extent.backing, Backing::Stored { .. } | Backing::Encoded { .. }) {
            at = end;
            continue;
        }
        let next = end.min((at / PIECE).saturating_add(1).saturating_mul(PIECE));
        pieces = pieces.saturating_add(1);
        buffer.resize(usize::try_from(next.saturating_sub(at)).unwrap_or_default(), 0);
        if pieces.is_multiple_of(every) && disk.read_at(at, &mut buffer).is_ok() && !is_zero(&buffer) {
            prefilter.scan(&buffer, &mut hits);
            hits.sort_unstable();
            for hit in hits.drain(..).filter(|hit| hit.encoding == Encoding::Narrow) {
                meter.hit(hit.literal, &buffer, hit.offset);
            }
            searched = searched.saturating_add(next.saturating_sub(at));
            disk.release(at, next.saturating_sub(at));
        }
        at = next;
    }
    searched
}

#[expect(clippy::cast_precision_loss, reason = "rates are for people")]
fn table(meter: Meter<'_>, searched: u64, top: usize) -> String {
    let (rules, literals) = meter.finish();
    let per_mb = |count: u64| count as f64 * 1e6 / (searched.max(1) as f64);
    let mut text = format!("{:.1} MB searched\n\n", searched as f64 / 1e6);
    let line = |text: std::fmt::Arguments<'_>, out: &mut String| {
        out.write_fmt(text).unwrap_or_default();
        out.push('\n');
    };
    line(format_args!("{:>9} {:>9} {:>9} {:>9}  rule", "ns/MB", "hits/MB", "runs/MB", "matches"), &mut text);
    for rule in rules.iter().take(top) {
        let nanos = u64::try_from(rule.time.as_nanos()).unwrap_or(u64::MAX);
        let (time, hits, runs) = (per_mb(nanos), per_mb(rule.hits), per_mb(rule.runs));
        let name = harmless(&rule.rule);
        line(format_args!("{time:>9.0} {hits:>9.2} {runs:>9.2} {:>9}  {name}", rule.matches), &mut text);
    }
    line(format_args!("\n{:>9} {:>9} {:>5}  keyword", "hits/MB", "runs/MB", "rules"), &mut text);
    for one in literals.iter().take(top) {
        let (hits, runs) = (per_mb(one.hits), per_mb(one.runs));
        line(format_args!("{hits:>9.2} {runs:>9.2} {:>5}  {}", one.rules, harmless(&one.literal)), &mut text);
    }
    let sum = |each: fn(&crate::detect::LiteralCost) -> u64| per_mb(literals.iter().map(each).sum());
    let time: u128 = rules.iter().map(|rule| rule.time.as_nanos()).sum();
    let time = per_mb(u64::try_from(time).unwrap_or(u64::MAX));
    line(
        format_args!(
            "\n{:.2} hits/MB of {} keywords, {:.2} runs/MB, {time:.0} ns/MB in {} rules",
            sum(|one| one.hits),
            literals.len(),
            sum(|one| one.runs),
            rules.len(),
        ),
        &mut text,
    );
    text
}
