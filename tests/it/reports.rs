//! Reports made of the records in `testdata/reports/scan.jsonl`, compared with files that a person has read.

use crate::support;
use residue::finding::Finding;
use residue::location::State;
use residue::record::{EntryFacts, Record};
use residue::report::{self, OwnedRecord, Settings, words};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where the files of these tests lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/reports")
}

/// A writer whose bytes can be looked at afterwards.
#[derive(Clone, Default)]
pub(crate) struct Shared(Rc<RefCell<Vec<u8>>>);

impl Shared {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The records of the example scan.
pub(crate) fn records() -> Vec<OwnedRecord> {
    support::records(&folder().join("scan.jsonl"))
}

/// Two entries, as a walk of the file system gives them.
fn entries() -> Vec<EntryFacts> {
    let entry = EntryFacts {
        volume: "p1".to_owned(),
        fs: "ext4",
        path: Some("/home/deploy/.ssh/id_ed25519".to_owned()),
        inode: 1204,
        kind: "file",
        size: 411,
        state: "allocated",
        mtime: Some("2026-03-01T10:00:12.123456789Z".to_owned()),
        atime: Some("2026-03-02T10:00:12.000000000Z".to_owned()),
        ctime: Some("2026-03-01T10:00:12.123456789Z".to_owned()),
        owner_uid: Some(1000),
        owner_gid: Some(1000),
        mode: Some("0600".to_owned()),
        links: 1,
        ..EntryFacts::default()
    };
    let deleted = EntryFacts {
        path: Some("/a|b, \"c\"".to_owned()),
        state: "deleted",
        dtime: Some("2026-03-03T00:00:00.000000000Z".to_owned()),
        ..entry.clone()
    };
    vec![entry, deleted]
}

/// A report of `records` in one format.
pub(crate) fn render(format: &str, records: &[OwnedRecord], colour: bool) -> String {
    let shared = Shared::default();
    let settings = Settings { colour };
    let mut report = (report::format(format).unwrap().create)(Box::new(shared.clone()), &settings).unwrap();
    for record in records {
        if let OwnedRecord::Summary(_) = record {
            entries().iter().for_each(|entry| report.entry(entry).unwrap());
        }
        report.write(&record.borrow()).unwrap();
    }
    report.finish().unwrap();
    drop(report);
    String::from_utf8(shared.bytes()).unwrap()
}

#[test]
fn every_format_writes_what_its_golden_file_holds() {
    let records = records();
    for format in report::FORMATS {
        let text = render(format.name, &records, false);
        let path = folder().join(format!("golden.{}", format.name));
        if std::env::var_os("RESIDUE_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        assert!(text == golden, "{} differs from {}", format.name, path.display());
    }
}

#[test]
fn json_lines_come_back_as_the_lines_they_were_read_from() {
    let lines = std::fs::read_to_string(folder().join("scan.jsonl")).unwrap();
    let written = render("jsonl", &records(), false);
    let parse = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for (written, line) in parse(&written).iter().zip(parse(&lines)) {
        assert_eq!(*written, line);
    }
    assert_eq!(written.lines().count(), lines.lines().count());
}

#[test]
fn a_finding_has_the_fields_of_the_schema_in_its_order() {
    let line = render("jsonl", &records(), false).lines().nth(1).unwrap().to_owned();
    let order = [
        "type",
        "id",
        "rule",
        "category",
        "severity",
        "verdict",
        "title",
        "image",
        "volume",
        "fs",
        "path",
        "inode",
        "state",
        "file_offset",
        "line",
        "disk_offset",
        "image_offset",
        "length",
        "secret_masked",
        "fingerprint",
        "mtime",
        "owner_uid",
        "owner",
        "copies",
        "evidence",
        "remedy",
    ];
    let mut at = 0;
    for field in order {
        let next = line.find(&format!("\"{field}\":")).unwrap_or_else(|| panic!("no {field} in {line}"));
        assert!(next >= at, "{field} stands too early in {line}");
        at = next;
    }
}

/// A finding whose every text is hostile.
pub(crate) fn hostile() -> OwnedRecord {
    let mut records = records();
    let OwnedRecord::Finding(finding) = records.remove(1) else { panic!("the second record is a finding") };
    let bad = "\x1b]0;x\x07\u{202e}\r\n<script>alert(1)</script>\"';=cmd|' /C calc'!A0,]]>";
    let finding = Finding {
        title: bad.to_owned(),
        rule: bad.to_owned(),
        owner: Some(bad.to_owned()),
        remedy: bad.to_owned(),
        evidence: vec![bad.to_owned()],
        known_good: Some(bad.to_owned()),
        checks: vec![bad.to_owned()],
        secret_shown: Some(bad.to_owned()),
        ..*finding
    };
    OwnedRecord::Finding(Box::new(finding))
}

#[test]
fn no_format_passes_control_characters_on() {
    let mut records = records();
    records.insert(1, hostile());
    for format in report::FORMATS {
        let text = render(format.name, &records, false);
        let bad = text.chars().find(|&c| (c.is_control() && c != '\n') || c == '\u{202e}');
        // CSV ends its lines as its specification has it.
        let is_line_end = matches!(format.name, "csv" | "timeline") && bad == Some('\r');
        assert!(bad.is_none() || is_line_end, "{}: {bad:?}", format.name);
    }
}

#[test]
fn text_uses_colours_only_when_asked() {
    assert!(!render("text", &records(), false).contains('\x1b'));
    assert!(render("text", &records(), true).contains("\x1b["));
}

#[test]
fn a_second_image_gets_a_report_of_its_own_and_both_verdicts_stand_at_the_end() {
    let mut twice = records();
    twice.extend(records());
    let text = render("text", &twice, false);
    assert_eq!(text.matches("INCOMPLETE").count(), 4, "{text}");
    assert!(text.contains("2 images"));
}

#[test]
fn an_image_that_did_not_open_is_reported_with_its_error() {
    let summary = residue::record::Summary {
        image: "x.raw".to_owned(),
        exit_reason: residue::record::ExitReason::Unreadable,
        error: Some("x.raw: truncated: the file is empty".to_owned()),
        ..Default::default()
    };
    let shared = Shared::default();
    let create = report::format("text").unwrap().create;
    let mut text = create(Box::new(shared.clone()), &Settings::default()).unwrap();
    text.write(&Record::Summary(&summary)).unwrap();
    text.finish().unwrap();
    let shown = String::from_utf8(shared.bytes()).unwrap();
    assert_eq!(shown, "x.raw  NOT READ: x.raw: truncated: the file is empty\n");
}

/// What the schema of SARIF 2.1.0 requires of the objects that are written, and what viewers need.
#[test]
fn sarif_has_what_its_specification_requires() {
    let log: serde_json::Value = serde_json::from_str(&render("sarif", &records(), false)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(run["tool"]["driver"]["name"], "residue");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 11);
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()), "{result}");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty(), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%@".contains(&byte);
        assert!(uri.bytes().all(is_allowed) && !uri.starts_with('/'), "{uri}");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1, "{result}");
        assert!(result["partialFingerprints"]["findingId/v1"].is_string(), "{result}");
    }
    let suppressed = results.iter().filter(|result| result.get("suppressions").is_some()).count();
    assert_eq!(suppressed, 1);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap().len(), 2);
}

/// Many findings, each with a secret of its own.
fn many(number: usize) -> Vec<OwnedRecord> {
    let mut records = records();
    let OwnedRecord::Finding(finding) = records.remove(1) else { panic!("the second record is a finding") };
    for count in 0..number {
        let mut finding = Finding::clone(&finding);
        finding.id = format!("{count:016x}");
        finding.fingerprint = Some(format!("{count:032x}"));
        records.insert(1, OwnedRecord::Finding(Box::new(finding)));
    }
    records
}

/// The example scan with `number` findings that differ in all that readers sort and search by.
pub(crate) fn varied(number: usize) -> Vec<OwnedRecord> {
    let example = records();
    let mut records: Vec<OwnedRecord> = Vec::new();
    let findings: Vec<&Finding> = example
        .iter()
        .filter_map(|record| match record {
            OwnedRecord::Finding(finding) => Some(finding.as_ref()),
            _ => None,
        })
        .collect();
    let states = [State::Allocated, State::Unallocated, State::Deleted, State::Slack, State::Journal];
    let mut made: BTreeMap<String, u64> = BTreeMap::new();
    let more = (0..number).map(|count| {
        let mut finding = Finding::clone(findings[count % findings.len()]);
        finding.id = format!("{count:016x}");
        finding.pair = None;
        finding.fingerprint = finding.fingerprint.map(|_| format!("{count:032x}"));
        finding.place.state = Some(states[count / findings.len() % states.len()]);
        if let Some(path) = &finding.place.path {
            finding.place.path = Some(format!("/srv/app-{}{path}", count % 97));
        }
        let spread = u64::try_from(count).unwrap() * 7919 * 4096 % (64 << 20);
        finding.place.disk_offset = Some(spread);
        *made.entry(words::severity(finding.severity).to_owned()).or_default() += 1;
        OwnedRecord::Finding(Box::new(finding))
    });
    let more: Vec<OwnedRecord> = more.collect();
    let failing = more.iter().filter(|record| match record {
        OwnedRecord::Finding(finding) => report::fails(finding, words::SEVERITIES[2]),
        _ => false,
    });
    let failing = u64::try_from(failing.count()).unwrap();
    let mut more = Some(more);
    for record in example {
        match record {
            OwnedRecord::Finding(_) => records.extend(more.take().into_iter().flatten()),
            OwnedRecord::Summary(mut summary) => {
                summary.by_severity = std::mem::take(&mut made);
                summary.failing = failing;
                summary.exit_reason = residue::record::ExitReason::Findings;
                records.push(OwnedRecord::Summary(summary));
            }
            other => records.push(other),
        }
    }
    records
}

#[test]
fn a_page_of_many_findings_names_each_and_stays_small() {
    let number = 6000;
    let page = render("html", &many(number), false);
    assert!(page.matches(" data-severity=\"").count() >= number);
    assert!(page.len() < number * 2000, "{} bytes", page.len());
}

#[test]
fn a_page_loads_nothing_and_runs_one_known_script() {
    let mut records = records();
    records.insert(1, hostile());
    let page = render("html", &records, false);
    assert_eq!(page.matches("<script").count(), 1);
    // Links lead to places of the page itself.
    assert_eq!(page.matches("href=").count(), page.matches("href=\"#").count());
    assert!(page.contains("default-src 'none'") || page.contains("default-src &#39;none&#39;"));
    for outside in ["http://", "https://", "src=", "url(", "@import", "onerror", "onload"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// Lines that could be taken for the start of an element or the end of an attribute.
#[test]
fn xml_of_hostile_findings_stays_well_formed() {
    let mut records = records();
    records.insert(1, hostile());
    let text = render("junit", &records, false);
    assert!(!text.contains("<script"), "{text}");
    assert!(!text.contains("]]>"), "{text}");
    assert_eq!(text.matches("<testcase").count(), text.matches("</testcase>").count());
    assert_eq!(text.matches("<failure").count(), text.matches("</failure>").count());
}
