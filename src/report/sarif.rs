//! SARIF 2.1.0, for code-scanning viewers; each image is a run.
//!
//! Section numbers are those of the specification. Results are written as they come; rules, which a run
//! lists once, follow them.

use super::{Format, Output, Report, Settings, failed, words, write_line};
use crate::coverage::{Gap, GapKind};
use crate::error::Result;
use crate::finding::{Baseline, Finding};
use crate::location::unescape;
use crate::record::{ExitReason, Header, Record, Summary};
use crate::rules::Severity;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "sarif", about: "SARIF 2.1.0, for code-scanning viewers", entries: false, create };

/// Gaps that become notifications one by one.
const GAPS_MAX: usize = 1000;

struct Sarif {
    out: Output,
    runs: u64,
    results: u64,
    header: Option<Header>,
    rules: BTreeMap<String, Value>,
    gaps: Vec<Value>,
}

fn create(mut out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    out.write_all(
        b"{\"$schema\":\"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json\",\n\
          \"version\":\"2.1.0\",\n\"runs\":[",
    )
    .map_err(failed)?;
    let (header, rules, gaps) = (None, BTreeMap::new(), Vec::new());
    Ok(Box::new(Sarif { out, runs: 0, results: 0, header, rules, gaps }))
}

impl Report for Sarif {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Scan(header) => self.header = Some((*header).clone()),
            Record::Finding(finding) => {
                if self.results == 0 {
                    self.begin_run()?;
                }
                self.put(if self.results == 0 { "\n" } else { "," })?;
                self.results = self.results.saturating_add(1);
                self.rules.entry(finding.rule.clone()).or_insert_with(|| rule(finding));
                self.value(&result(finding))?;
            }
            Record::Gap(gap) if self.gaps.len() < GAPS_MAX => self.gaps.push(notification(gap)),
            Record::Gap(_) | Record::Key(_) | Record::History(_) | Record::Map(_) => {}
            Record::Summary(summary) => self.end_run(summary)?,
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.put("]}\n")?;
        self.out.flush().map_err(failed)
    }
}

impl Sarif {
    fn begin_run(&mut self) -> Result<()> {
        let comma = if self.runs > 0 { "," } else { "" };
        self.runs = self.runs.saturating_add(1);
        self.put(&format!("{comma}\n{{\"results\":["))
    }

    fn end_run(&mut self, summary: &Summary) -> Result<()> {
        if self.results == 0 {
            self.begin_run()?;
        }
        self.results = 0;
        let header = self.header.take().unwrap_or_default();
        let rules: Vec<_> = std::mem::take(&mut self.rules).into_values().collect();
        let mut notifications = std::mem::take(&mut self.gaps);
        if let Some(error) = &summary.error {
            notifications.insert(0, json!({ "level": "error", "message": { "text": error } }));
        }
        let tool = json!({ "driver": {
            "name": "residue",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules,
            "properties": { "rulesDigest": header.rules_digest },
        } });
        let invocation = json!([{
            "executionSuccessful": summary.exit_reason != ExitReason::Unreadable,
            "exitCodeDescription": words::decision(summary),
            "toolExecutionNotifications": notifications,
        }]);
        let properties = json!({ "image": summary.image, "coverage": summary.coverage });
        for (name, value) in [("tool", tool), ("invocations", invocation), ("properties", properties)] {
            self.put(&format!("{}\"{name}\":", if name == "tool" { "],\n" } else { "," }))?;
            self.value(&value)?;
        }
        self.put(",\"columnKind\":\"utf16CodeUnits\"}")
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(failed)
    }

    fn value(&mut self, value: &Value) -> Result<()> {
        write_line(&mut self.out, value).map_err(failed)
    }
}

/// A reporting descriptor (3.49), made from the first finding of the rule.
fn rule(finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    };
    let help = if finding.remedy.is_empty() { &finding.title } else { &finding.remedy };
    json!({
        "id": finding.rule,
        "shortDescription": { "text": finding.title },
        "help": { "text": help },
        "defaultConfiguration": { "level": level(finding.severity) },
        "properties": { "tags": ["security", finding.category], "security-severity": severity },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// A result (3.27).
fn result(finding: &Finding) -> Value {
    let place = words::place(&finding.place);
    let mut text = format!("{} at {place}.", finding.title);
    if let Some(masked) = &finding.secret_masked {
        text.push_str(&format!(" Secret: {masked}."));
    }
    if !finding.remedy.is_empty() {
        text.push_str(&format!(" Remedy: {}", finding.remedy));
    }
    let mut fingerprints = Map::new();
    fingerprints.insert("findingId/v1".to_owned(), json!(finding.id));
    if let Some(fingerprint) = &finding.fingerprint {
        fingerprints.insert("secretFingerprint/v1".to_owned(), json!(fingerprint));
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(finding) },
                "region": { "startLine": finding.place.line.unwrap_or(1).max(1) },
            },
            "logicalLocations": [{ "fullyQualifiedName": place }],
        }],
        "partialFingerprints": fingerprints,
        "properties": finding,
    });
    if let Some(baseline) = finding.baseline {
        let state = if baseline == Baseline::New { "new" } else { "unchanged" };
        result["baselineState"] = json!(state);
    }
    if let Some(reason) = finding.allowed.as_ref().or(finding.known_good.as_ref()) {
        result["suppressions"] = json!([{ "kind": "external", "justification": reason }]);
    }
    result
}

/// A relative reference (RFC 3986) that names the file: image, volume, path.
fn uri(finding: &Finding) -> String {
    let place = &finding.place;
    let mut uri = encode(&unescape(&place.image));
    uri.push('/');
    uri.push_str(&encode(place.volume.as_bytes()));
    match (&place.path, place.disk_offset) {
        (Some(path), _) => uri.push_str(&encode(&unescape(path))),
        (None, Some(offset)) => uri.push_str(&format!("/disk@{offset}")),
        (None, None) => uri.push_str(&format!("/inode@{}", place.inode.unwrap_or(0))),
    }
    uri
}

/// Percent-encodes everything but unreserved characters and `/`.
fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A notification (3.58) about what was not read.
fn notification(gap: &Gap) -> Value {
    let level = match gap.kind {
        GapKind::Unread | GapKind::Opaque => "error",
        GapKind::Damaged => "warning",
        GapKind::Limited => "note",
    };
    let path = gap.path.as_deref().map(|path| format!(" {path}")).unwrap_or_default();
    json!({ "level": level, "message": { "text": format!("{}{path}: {}", gap.volume, gap.reason) }, "properties": gap })
}
