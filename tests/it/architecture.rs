//! Keeps module dependencies one-way; the compiler cannot, in one crate.
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of `src/` and the crate modules it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("location", &[]),
    ("names", &[]),
    ("error", &["location"]),
    ("io", &["error"]),
    ("coverage", &[]),
    ("container", &["error", "io", "location", "names"]),
    ("volume", &["error", "io", "location", "names"]),
    ("filesystem", &["error", "io", "location", "names"]),
    ("format", &["error", "io"]),
    ("content", &["error", "format", "io", "location"]),
    ("rules", &["error"]),
    ("detect", &["error", "rules"]),
    ("ownership", &["error", "filesystem", "io", "location"]),
    ("finding", &["location", "names", "rules"]),
    ("keys", &["detect", "location"]),
    ("leftover", &["error", "filesystem", "format", "io", "keys", "knowngood", "location", "rules"]),
    ("knowngood", &["error", "filesystem", "format", "io"]),
    (
        "sweep",
        &[
            "content",
            "coverage",
            "detect",
            "error",
            "filesystem",
            "finding",
            "io",
            "location",
            "ownership",
            "rules",
            "volume",
        ],
    ),
    ("crosscheck", &["error", "filesystem", "io", "location"]),
    (
        "record",
        &[
            "container",
            "coverage",
            "filesystem",
            "finding",
            "keys",
            "leftover",
            "location",
            "redact",
            "rules",
            "volume",
        ],
    ),
    ("policy", &["error"]),
    ("redact", &["location"]),
    (
        "report",
        &[
            "coverage", "error", "finding", "keys", "leftover", "location", "names", "record", "rules",
            "volume",
        ],
    ),
];

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn modules_depend_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let rel = file.strip_prefix(&src).unwrap();
        let module = rel.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if matches!(module, "lib" | "main" | "cli" | "scan") {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: module `{module}` has no line in MAY_USE", rel.display()));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices("crate::") {
                let used: String =
                    line[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if used != module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}:{}: `{module}` may not use `{used}`", rel.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
