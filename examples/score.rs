use residue::detect::*;
use residue::rules::*;
use residue::sweep::prefilter::Prefilter;
use std::io::BufRead as _;
use std::io::Read as _;
fn main() {
    let t = std::time::Instant::now();
    let d = Detector::builtin().unwrap();
    eprintln!("start-up {:?} {} literals {} rules", t.elapsed(), d.literals().len(), d.rules().len());
    let p = Prefilter::new(d.literals()).unwrap();
    let args: Vec<String> = std::env::args().collect();
    let cat = args.get(2).cloned().unwrap_or_default();
    let mut s = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(&args[1]).unwrap()).read_to_string(&mut s).unwrap();
    let mut sc = Scratch::default();
    let (mut n, mut hit, mut neg, mut flag) = (0, 0, 0, 0);
    for l in s.lines() {
        let c: serde_json::Value = serde_json::from_str(l).unwrap();
        if !cat.is_empty() && c["category"].as_str() != Some(&cat) {
            continue;
        }
        let text = c["text"].as_str().unwrap().as_bytes();
        let pos = c["positive"].as_bool().unwrap();
        let mut out = vec![];
        let path = || c["filename"].as_str().map(|x| x.as_bytes().to_vec());
        let mut hits = vec![];
        p.scan(text, &mut hits);
        hits.sort();
        for h in hits {
            if h.encoding != Encoding::Narrow || d.is_hopeless(h.literal, text, h.offset) {
                continue;
            }
            let r = d.reach(h.literal);
            let a = h.offset.saturating_sub(r.before);
            let b = (h.offset + r.after).min(text.len());
            let w = Window {
                bytes: &text[a..b],
                hit: h.offset - a,
                at_start: a == 0,
                at_end: b == text.len(),
                path: &path,
            };
            d.confirm(&mut sc, h.literal, &w, &mut |m| {
                out.push((
                    d.rules()[m.rule].id.clone(),
                    String::from_utf8_lossy(&w.bytes[m.secret.clone()]).into_owned(),
                    m,
                ))
            });
        }
        if pos {
            n += 1;
            if out.is_empty() {
                println!(
                    "MISS {} {} {:?}",
                    c["id"],
                    c["rule"],
                    String::from_utf8_lossy(&text[..text.len().min(200)])
                )
            } else {
                hit += 1;
                for o in &out {
                    if args.len() > 3 {
                        println!("{} {} {:?} {:?}", c["id"], o.0, o.2.verdict, o.2.evidence)
                    }
                }
            }
        } else {
            neg += 1;
            if !out.is_empty() {
                flag += 1;
                println!("FLAG {} {:?} {:?}", c["id"], out[0].0, &out[0].1[..out[0].1.len().min(60)])
            }
        }
    }
    println!("{hit} of {n}; {flag} flagged of {neg}");
    let _ = std::io::stdin().lock().lines();
}
