//! Prints what each engine of the prefilter reaches of the floor: the rate at which one core of this machine
//! sums mapped bytes.
//!
//! `RESIDUE_BENCH_IMAGE=disk.raw cargo bench --bench floor -- [MIB]` maps the image, takes its written
//! parts up to that many MiB (512 unless told), and measures CPU time of the thread: the floor, each engine
//! and the automaton take turns, over several rounds; medians are printed. Each turn maps the file anew, so
//! that the cost of touching pages is in every number. Without an image, generated content is measured.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on should say so and stop"
)]

mod common;

use common::{Source, automaton, keywords, sum};
use residue::sweep::prefilter::{Engine, Prefilter};
use std::env;

/// Times that everything takes its turn.
const ROUNDS: usize = 5;

/// Something that is measured.
type Work = Box<dyn Fn(&[u8]) -> u64>;

fn main() {
    let mib = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(512);
    let source = Source::from_env(mib << 20);
    println!("{source}; CPU time of one thread, medians of {ROUNDS}");
    for count in [800, 200, 50] {
        measure(&source, count);
    }
}

fn measure(source: &Source, count: usize) {
    let literals = keywords(count);
    let mut works: Vec<(String, Work)> = vec![("floor before".into(), Box::new(sum))];
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_available()) {
        // Three automata; what stands beside the engines is one DFA that looks for narrow text only.
        if engine == Engine::Automaton {
            continue;
        }
        let prefilter = Prefilter::with_engine(&literals, engine).unwrap();
        let scan = move |bytes: &[u8]| {
            let mut hits = Vec::new();
            prefilter.scan(bytes, &mut hits);
            hits.len() as u64
        };
        works.push((engine.to_string(), Box::new(scan)));
    }
    let dfa = automaton(&literals);
    works.push((
        "aho-corasick DFA".into(),
        Box::new(move |bytes| dfa.find_overlapping_iter(bytes).count() as u64),
    ));
    works.push(("floor after".into(), Box::new(sum)));
    for mapped in [true, false] {
        let mut times = vec![Vec::new(); works.len()];
        let mut results = vec![0; works.len()];
        for _ in 0..ROUNDS {
            for (index, (name, work)) in works.iter().enumerate() {
                // The automaton's rate does not depend on much: a part is enough.
                let part = if name.starts_with("aho") { 8 } else { 1 };
                let (time, result, bytes) = source.turn(mapped, part, work);
                times[index].push(bytes as f64 / time / 1e9);
                results[index] = result;
            }
        }
        let rates: Vec<f64> = times.into_iter().map(median).collect();
        let floor = f64::midpoint(rates[0], *rates.last().unwrap());
        println!("{count} keywords, {}", if mapped { "mapped anew" } else { "in memory" });
        for ((name, _), (rate, result)) in works.iter().zip(rates.iter().zip(results)) {
            println!("  {name:18} {rate:7.2} GB/s  {:5.3} of the floor  ({result})", rate / floor);
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
