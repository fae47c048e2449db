use residue::detect::*;
use residue::rules::*;
fn main() {
    let t = std::time::Instant::now();
    let files: Vec<(String, String)> =
        std::env::args().skip(1).map(|f| (f.clone(), std::fs::read_to_string(&f).unwrap())).collect();
    let refs: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    let s = RuleSet::from_own(&refs).unwrap();
    println!("parse {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let d = match Detector::new(s) {
        Ok(d) => d,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    println!("build {:?} rules {} literals {}", t.elapsed(), d.rules().len(), d.literals().len());
    let t = std::time::Instant::now();
    let mut v: Vec<(std::time::Duration, usize)> = vec![];
    for l in 0..d.literals().len() {
        let t = std::time::Instant::now();
        d.reach(l);
        v.push((t.elapsed(), l))
    }
    println!("compile all {:?}", t.elapsed());
    v.sort();
    for (t, l) in v.iter().rev().take(12) {
        println!("{t:?} {:?}", String::from_utf8_lossy(&d.literals()[*l].bytes))
    }
    let rss = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", rss.lines().find(|l| l.starts_with("VmRSS")).unwrap());
    let t = std::time::Instant::now();
    let p = check(&d);
    println!("check {:?} {} problems", t.elapsed(), p.len());
    for x in p {
        println!("{x}")
    }
}
