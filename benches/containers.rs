//! Prints what one disk costs in different containers, beside its raw image, in one run.
//!
//! `RESIDUE_BENCH_IMAGE=disk.raw RESIDUE_BENCH_VARIANTS=disk.qcow2:disk.vhd cargo bench --bench containers` scans
//! the raw image and each variant as the program does, with one thread and with two, and decodes each variant
//! alone: opening it (which unpacks what is wrapped) and reading once what is stored in another form. Everything
//! takes turns; medians of five rounds (`RESIDUE_BENCH_ROUNDS`), CPU time of the process, user and system. The
//! ratio is that of the variant's scan to the raw scan and the decoding together. Without images it says so and
//! stops.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on should say so and stop"
)]

use residue::container::{OpenOptions, open_with};
use residue::io::{Access, Backing, open};
use residue::scan::{self, Engine, Options, Silent};
use rustix::time::{ClockId, clock_gettime};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes decoded at a time, as the sweep does.
const READ: u64 = 1 << 20;

/// What one piece of work took.
#[derive(Clone, Copy, Default)]
struct Cost {
    cpu: f64,
    wall: f64,
    peak_mib: f64,
}

/// The costs of one image, one entry a round.
struct Costs {
    path: PathBuf,
    decoding: Vec<Cost>,
    one: Vec<Cost>,
    two: Vec<Cost>,
}

fn main() {
    let raw = std::env::var_os("RESIDUE_BENCH_IMAGE").map(PathBuf::from);
    let variants = std::env::var("RESIDUE_BENCH_VARIANTS").unwrap_or_default();
    let variants = variants.split(':').filter(|name| !name.is_empty()).map(PathBuf::from);
    let Some(raw) = raw else {
        println!("RESIDUE_BENCH_IMAGE names no image: nothing to measure");
        return;
    };
    let rounds = std::env::var("RESIDUE_BENCH_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let engine = Engine::new(&Options::default()).unwrap();
    let costs = |path| Costs { path, decoding: Vec::new(), one: Vec::new(), two: Vec::new() };
    let mut all: Vec<_> = std::iter::once(raw).chain(variants).map(costs).collect();
    for _ in 0..rounds {
        for costs in &mut all {
            costs.decoding.push(measure(|| decode(&costs.path)));
            costs.one.push(measure(|| scan(&engine, &costs.path, 1)));
            costs.two.push(measure(|| scan(&engine, &costs.path, 2)));
        }
    }
    println!("medians of {rounds} rounds; seconds of CPU time");
    println!("{:<28} decode  1 thread  ratio  2 threads  ratio  by the clock  peak MiB", "image");
    let base = median(&all[0].one).cpu;
    let base_two = median(&all[0].two).cpu;
    for costs in &all {
        let (decoding, one, two) = (median(&costs.decoding).cpu, median(&costs.one), median(&costs.two));
        println!(
            "{:<28} {decoding:>6.2} {:>9.2} {:>6.2} {:>10.2} {:>6.2} {:>13.2} {:>9.0}",
            costs.path.file_name().unwrap_or_default().display(),
            one.cpu,
            one.cpu / (base + decoding),
            two.cpu,
            two.cpu / (base_two + decoding),
            two.wall,
            two.peak_mib,
        );
    }
}

fn scan(engine: &Engine, path: &Path, threads: usize) {
    let options = Options { threads, ..Options::default() };
    scan::run(engine, path, &options, &Silent, &mut |_| Ok(())).unwrap();
}

/// Opens the image and reads once what is stored in another form.
fn decode(path: &Path) {
    let source = open(path, Access::Auto).unwrap();
    let options = OpenOptions { path: Some(path.to_path_buf()), ..OpenOptions::default() };
    let image = open_with(source, &options).unwrap();
    let mut buffer = vec![0; usize::try_from(READ).unwrap()];
    let mut at = 0;
    while at < image.size() {
        let extent = image.map(at, image.size() - at).unwrap();
        let end = at + extent.length;
        while matches!(extent.backing, Backing::Encoded { .. }) && at < end {
            let length = usize::try_from(READ.min(end - at)).unwrap();
            image.read_at(at, &mut buffer[..length]).unwrap();
            at += READ;
        }
        at = end;
    }
}

fn measure(work: impl FnOnce()) -> Cost {
    // Resets the peak that the kernel keeps of the process (proc_pid_clear_refs(5)).
    let _reset = std::fs::write("/proc/self/clear_refs", "5");
    let (cpu, wall) = (process_time(), Instant::now());
    work();
    Cost { cpu: process_time() - cpu, wall: wall.elapsed().as_secs_f64(), peak_mib: peak_mib() }
}

/// The largest resident set of the process since it was reset.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn median(costs: &[Cost]) -> Cost {
    let mut sorted = costs.to_vec();
    sorted.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
    sorted[sorted.len() / 2]
}

/// CPU time of the process in seconds.
fn process_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
