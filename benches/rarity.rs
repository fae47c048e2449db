//! Makes `src/sweep/prefilter/rarity.bin` from samples of disk content.
//!
//! `cargo bench --bench rarity -- OUT FILE…` counts byte pairs, by class, in every eighth block of 4 KiB
//! with anything but zeros in it, each file with the same weight, and writes `-8 * log2(p)` for each pair.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a tool that cannot go on should say so and stop"
)]

#[path = "../src/sweep/prefilter/rarity.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "only the classes are of interest here")]
mod rarity;

use rarity::{CLASSES, class};
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// Bytes taken at a time, and distance of the samples.
const BLOCK: usize = 4096;
const STRIDE: usize = 8 * BLOCK;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some((out, files)) = arguments.split_first().filter(|(_, files)| !files.is_empty()) else {
        eprintln!("usage: rarity OUT FILE…");
        return;
    };
    let mut sum = vec![0.0; CLASSES * CLASSES];
    for path in files {
        let (counts, total) = count(&File::open(path).unwrap());
        eprintln!("{path}: {total} pairs");
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += (f64::from(count) + 0.05) / f64::from(total.max(1));
        }
    }
    let all: f64 = sum.iter().sum();
    let table: Vec<u8> = sum.iter().map(|pair| level(pair / all)).collect();
    fs::write(out, table).unwrap();
}

/// `-8 * log2(probability)`, rounded, as far as a byte goes.
fn level(probability: f64) -> u8 {
    let level = (-8.0 * probability.log2()).round().clamp(0.0, 255.0);
    (0..=255).rev().find(|&step| f64::from(step) <= level).unwrap_or(0)
}

/// Pairs of each class in the samples of a file, and all of them.
fn count(file: &File) -> (Vec<u32>, u32) {
    let (mut counts, mut total) = (vec![0_u32; CLASSES * CLASSES], 0_u32);
    let mut block = [0; BLOCK];
    let length = file.metadata().unwrap().len();
    for offset in (0..length.saturating_sub(BLOCK as u64)).step_by(STRIDE) {
        file.read_exact_at(&mut block, offset).unwrap();
        if block.iter().all(|&byte| byte == 0) {
            continue;
        }
        for pair in block.array_windows::<2>() {
            let [first, second] = pair.map(class);
            counts[first * CLASSES + second] += 1;
            total += 1;
        }
    }
    (counts, total)
}
