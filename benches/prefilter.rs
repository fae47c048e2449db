//! Rates of the prefilter's engines, by the clock on the wall, on generated content and, with
//! `RESIDUE_BENCH_IMAGE`, on a part of a real image.
//!
//! The floor and an Aho-Corasick automaton run beside them. On a busy machine `benches/floor.rs`, which
//! counts CPU time and lets all take turns, says more.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say so and stop")]

mod common;

use common::{SLICE, Source, automaton, generated, keywords, sum};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use residue::sweep::prefilter::{Engine, Prefilter};
use std::cell::RefCell;

/// Bytes of each content.
const LENGTH: usize = 16 << 20;

fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let mut contents = vec![("generated", generated(LENGTH))];
    let source = Source::from_env(LENGTH);
    if matches!(source, Source::Image { .. }) {
        let image = RefCell::new(Vec::new());
        source.turn(true, 1, &|slice| {
            image.borrow_mut().extend_from_slice(slice);
            0
        });
        contents.push(("image", image.into_inner()));
    }
    contents
}

fn prefilter(criterion: &mut Criterion) {
    for (name, content) in contents() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(content.len() as u64)).sample_size(10);
        group.bench_function("floor before", |bencher| bencher.iter(|| sum(&content)));
        for count in [50, 200, 800] {
            let literals = keywords(count);
            let engines = Engine::ALL.into_iter().filter(|engine| engine.is_available());
            for engine in engines.filter(|&engine| engine != Engine::Automaton) {
                let prefilter = Prefilter::with_engine(&literals, engine).unwrap();
                let mut hits = Vec::new();
                group.bench_function(BenchmarkId::new(engine.to_string(), count), |bencher| {
                    bencher.iter(|| {
                        for slice in content.chunks(SLICE) {
                            hits.clear();
                            prefilter.scan(slice, &mut hits);
                        }
                    });
                });
            }
            let automaton = automaton(&literals);
            group.bench_function(BenchmarkId::new("aho-corasick DFA", count), |bencher| {
                bencher.iter(|| automaton.find_overlapping_iter(&content).count());
            });
        }
        group.bench_function("floor after", |bencher| bencher.iter(|| sum(&content)));
        group.finish();
    }
}

fn compile(criterion: &mut Criterion) {
    let literals = keywords(800);
    let mut group = criterion.benchmark_group("compile 800");
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_available()) {
        group.bench_function(engine.to_string(), |bencher| {
            bencher.iter(|| Prefilter::with_engine(&literals, engine).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, prefilter, compile);
criterion_main!(benches);
