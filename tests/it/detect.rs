//! From text to findings: rules, windows, walkers and validators together, as the sweep uses them.

use residue::content::{HEAD, Inner, Limits, decode};
use residue::detect::{Detector, Found, Trial, check};
use residue::rules::{Category, Severity, Verdict};

fn scan(detector: &Detector, text: &[u8]) -> Vec<Found> {
    Trial::new(detector).unwrap().run(text, None)
}

fn ids(detector: &Detector, text: &str) -> Vec<String> {
    scan(detector, text.as_bytes()).into_iter().map(|found| found.rule).collect()
}

#[test]
fn every_built_in_rule_keeps_what_it_promises() {
    let detector = Detector::builtin().unwrap();
    let problems: Vec<String> = check(&detector).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

const ED25519: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
";

#[test]
fn a_header_without_a_body_is_no_key() {
    let detector = Detector::builtin().unwrap();
    for text in [
        "-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----",
        "if (strstr(line, \"-----BEGIN PRIVATE KEY-----\")) { return parse(line, length, options); }",
        "-----BEGIN PRIVATE KEY-----\nYOUR KEY HERE\n-----END PRIVATE KEY-----",
        ED25519,
    ] {
        assert_eq!(ids(&detector, text), [""; 0], "{text}");
    }
}

/// A private key that another program made, and the fingerprint that it prints.
#[derive(serde::Deserialize)]
struct Key {
    name: String,
    text: String,
    public: Option<String>,
}

fn keys() -> Vec<Key> {
    let text = String::from_utf8(crate::support::fixture("keys/keys.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ways in which a key of several lines stands in other texts.
fn dresses(key: &str) -> Vec<(&'static str, String)> {
    let per_line =
        |head: &str, tail: &str| key.lines().map(|line| format!("{head}{line}{tail}\n")).collect::<String>();
    let escape = |newline: &str| key.replace('\n', newline);
    vec![
        ("plain", key.to_owned()),
        ("windows line ends", key.replace('\n', "\r\n")),
        ("indented", per_line("      ", "")),
        ("one line with escapes", format!("KEY=\"{}\"\n", escape("\\n"))),
        ("one line with doubled escapes", format!("{{\"key\": \"{}\"}}", escape("\\\\n"))),
        ("json with escaped slashes", format!("{{\"key\":\"{}\"}}", escape("\\n").replace('/', "\\/"))),
        ("quoted lines", per_line("    \"", "\\n\" +")),
        ("single-quoted lines", per_line("  '", "',")),
        ("comment marks", per_line("# ", "")),
        ("mail quotes", per_line("> ", "")),
        (
            "percent-encoded",
            key.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace('\n', "%0A"),
        ),
        ("character references", format!("<k v=\"{}\"/>", escape("&#10;"))),
        ("line breaks of a web page", format!("<p>{}</p>", escape("<br>"))),
        ("quoted-printable", key.replace('=', "=3D")),
    ]
}

#[test]
fn private_keys_of_other_programs_are_found_in_every_dress() {
    let detector = Detector::builtin().unwrap();
    let mut trial = Trial::new(&detector).unwrap();
    for key in keys() {
        let body = key.text.lines().filter(|line| !line.starts_with("-----") && !line.contains(':'));
        let middle = body.max_by_key(|line| line.len()).unwrap().to_owned();
        for (dress, text) in dresses(&key.text) {
            // A header of RFC 1421 in a percent-encoded value has a form of its own, see below.
            let found = trial.run(text.as_bytes(), None);
            let mine: Vec<_> = found.iter().filter(|found| found.rule.ends_with("private-key")).collect();
            assert_eq!(mine.len(), 1, "{} {dress}: {found:?}", key.name);
            let secret = String::from_utf8(mine[0].secret.clone()).unwrap();
            assert!(secret.starts_with("-----BEGIN") && secret.ends_with("-----"), "{} {dress}", key.name);
            let evidence = &mine[0].found.evidence;
            let is_locked = key.name.contains("locked");
            assert_eq!(is_locked, !evidence.contains(&"encrypted: no".to_owned()), "{} {dress}", key.name);
            assert_eq!(mine[0].found.verdict, residue::rules::Verdict::Proven, "{} {dress}", key.name);
            if let (Some(public), "plain") = (&key.public, dress) {
                let has_print = evidence.iter().any(|fact| fact.starts_with("public key:"));
                assert!(!has_print || evidence.contains(&format!("public key: {public}")), "{evidence:?}");
                assert!(secret.contains(&middle));
            }
        }
    }
}

/// A file that another program wrote, which holds a private key or, where its name says so, none.
#[derive(serde::Deserialize)]
struct Store {
    name: String,
    content: String,
    public: Option<String>,
}

fn stores() -> Vec<(Store, Vec<u8>)> {
    let text = String::from_utf8(crate::support::fixture("keys/stores.jsonl")).unwrap();
    let stores = text.lines().map(|line| serde_json::from_str::<Store>(line).unwrap());
    let content = |store: &Store| data_encoding::BASE64.decode(store.content.as_bytes()).unwrap();
    stores.map(|store| (content(&store), store)).map(|(content, store)| (store, content)).collect()
}

/// Findings of private keys in a file of this content, as it is and decoded.
fn keys_in(detector: &Detector, content: &[u8]) -> Vec<Found> {
    let mut trial = Trial::new(detector).unwrap();
    let mut found = trial.run(content, None);
    if let Some(decoder) = residue::content::recognise(&content[..content.len().min(HEAD)]) {
        let mut keep = |_: &Inner<'_>, reader: &mut dyn std::io::Read| {
            let mut member = Vec::new();
            reader.read_to_end(&mut member).unwrap();
            let start = member.len() - content.len();
            for mut inner in trial.run(&member, None) {
                let range = inner.found.secret;
                inner.found.secret = range.start - start..range.end - start;
                found.push(inner);
            }
            Ok(())
        };
        let cuts = decode(&content.to_vec(), decoder, &Limits::default(), &mut keep);
        assert!(cuts.is_empty(), "{cuts:?}");
    }
    found.retain(|found| detector.rules()[found.found.rule].category == Category::PrivateKey);
    found
}

#[test]
fn keys_without_armour_stores_and_keyrings_of_other_programs_are_found_once() {
    let detector = Detector::builtin().unwrap();
    for (store, content) in stores() {
        let name = &store.name;
        let found = keys_in(&detector, &content);
        if name.starts_with("none-") {
            assert!(found.is_empty(), "{name}: {found:?}");
            continue;
        }
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        let (match_, evidence) = (&found[0].found, &found[0].found.evidence);
        let is_locked = !evidence.contains(&"encrypted: no".to_owned());
        assert_eq!(is_locked, name.contains("-locked"), "{name}: {evidence:?}");
        let verdict = if name.contains("-changed") { Verdict::Likely } else { Verdict::Proven };
        assert_eq!(match_.verdict, verdict, "{name}: {evidence:?}");
        if let Some(public) = &store.public {
            let is_hidden = name == "minisign-locked.key";
            assert!(is_hidden || evidence.contains(&format!("public key: {public}")), "{name}: {evidence:?}");
        }
        if name.contains("default-locked") || name.contains("empty-locked") {
            assert_eq!(match_.severity, Severity::Critical, "a known password opens {name}");
        } else if is_locked {
            assert_eq!(match_.severity, Severity::Medium, "{name}");
        }
    }
}

#[test]
fn damaged_key_files_do_not_stop_the_search() {
    let detector = Detector::builtin().unwrap();
    for (store, content) in stores() {
        for cut in [content.len() / 4, content.len() / 2, content.len().saturating_sub(1)] {
            keys_in(&detector, &content[..cut]);
        }
        // Each byte of the head, where lengths and counts stand, becomes the largest.
        for at in 0..content.len().min(48) {
            let mut changed = content.clone();
            changed[at] = 0xff;
            for found in keys_in(&detector, &changed) {
                assert!(found.found.secret.end <= content.len(), "{} at {at}", store.name);
            }
        }
    }
}

#[test]
fn a_key_in_base64_is_found_at_every_alignment() {
    let detector = Detector::builtin().unwrap();
    for key in keys() {
        for lead in ["", "x", "xy"] {
            let encoded = data_encoding::BASE64.encode(format!("{lead}{}", key.text).as_bytes());
            let found = ids(&detector, &format!("data:\n  key: {encoded}\n"));
            assert!(found.contains(&"base64-private-key".to_owned()), "{} {lead:?}: {found:?}", key.name);
        }
    }
}

#[test]
fn a_key_that_breaks_off_is_likely_and_cut() {
    let detector = Detector::builtin().unwrap();
    let mut trial = Trial::new(&detector).unwrap();
    for key in keys().into_iter().filter(|key| key.name == "pkcs1-rsa" || key.name == "openssh-ed25519") {
        let half = &key.text[..key.text.len() * 2 / 3];
        let found = trial.run(format!("{half}\0\0\0\0").as_bytes(), None);
        assert_eq!(found.len(), 1, "{}", key.name);
        assert_eq!(found[0].found.verdict, residue::rules::Verdict::Likely, "{}", key.name);
    }
}

#[test]
fn the_word_of_a_vendor_gives_its_token_away() {
    let detector = Detector::builtin().unwrap();
    let value = "atub2gvpd6jjo0ac1wjian4fnpgr24ac";
    let found = [
        format!("ADZUNA_API_KEY={value}"),
        format!("adzuna token - '{value}'"),
        format!("[INFO] asking the adzuna API\n  [DEBUG] Using KEY={value}\n"),
        format!("<id>{{adzuna}}</id>\n<secret>{{adzuna AQAAABAAA {value}}}</secret>"),
        format!("func getAdzunaToken() string {{ return \"{value}\" }}"),
    ];
    for text in found {
        let mut found = ids(&detector, &text);
        found.retain(|rule| !rule.starts_with("generic-"));
        assert_eq!(found, ["adzuna-key"], "{text}");
    }
    let refused = [
        format!("{value}  usr/lib/python3/adzuna_api_key.py"),
        format!("adzuna/keys.py\n0c1b9b2c4d5e6f708192a3b4c5d6e7f8  usr/share/{value}.py\n"),
        "adzuna commit 0c1b9b2c4d5e6f708192a3b4c5d6e7f8".to_owned(),
        "python3-adzuna_2.24.2-1+deb12u2_amd64.deb".to_owned(),
        "adzuna_api_key = os.environ['ADZUNA_API_KEY_2024_PRODUCTION']".to_owned(),
        format!("badzunas_key={value}"),
    ];
    for text in refused {
        let found: Vec<_> = ids(&detector, &text).into_iter().filter(|id| id == "adzuna-key").collect();
        assert_eq!(found, [""; 0], "{text}");
    }
}

#[test]
fn published_examples_say_so_and_are_only_possible() {
    let detector = Detector::builtin().unwrap();
    let text = format!("aws_access_key_id = AKIA{}", "IOSFODNN7EXAMPLE");
    let found = scan(&detector, text.as_bytes());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].found.verdict, residue::rules::Verdict::Possible);
    assert!(found[0].found.known_good.as_deref().unwrap().contains("documentation"));
}
