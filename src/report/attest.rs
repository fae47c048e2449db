//! An in-toto statement (version 1) with a test-result predicate (version 0.1): the verdict, the rule set and
//! the coverage, bound to the SHA-256 of the image file, ready to be signed.

use super::{Format, Output, Report, Settings, failed, words, write_line};
use crate::error::{Error, Kind, Result};
use crate::leftover::CheckState;
use crate::record::{ExitReason, Header, Record, Summary};
use serde_json::{Value, json};
use std::io::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "attest",
    about: "in-toto statement that binds the verdict to the image's SHA-256, for signing",
    entries: false,
    create,
};

struct Attest {
    out: Output,
    header: Option<Header>,
    images: Vec<(Header, Summary)>,
}

fn create(out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    Ok(Box::new(Attest { out, header: None, images: Vec::new() }))
}

impl Report for Attest {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Scan(header) => self.header = Some((*header).clone()),
            Record::Summary(summary) => {
                let header = self.header.take().unwrap_or_default();
                self.images.push((header, (*summary).clone()));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let [(header, summary)] = self.images.as_slice() else {
            let found = self.images.len();
            return Err(Error::new(
                Kind::Usage,
                format!("attest: expected a scan of one image, found {found}"),
            ));
        };
        let statement = statement(header, summary)?;
        write_line(&mut self.out, &statement).map_err(failed)?;
        self.out.flush().map_err(failed)
    }
}

fn statement(header: &Header, summary: &Summary) -> Result<Value> {
    let digest = summary.image_sha256.as_ref().ok_or_else(|| {
        Error::new(Kind::Usage, "attest: the scan has no SHA-256 of its image; --hash makes one")
    })?;
    let result = match summary.exit_reason {
        ExitReason::Clean => "PASSED",
        ExitReason::Findings | ExitReason::Incomplete | ExitReason::Unreadable => "FAILED",
    };
    let names = |wanted: fn(&CheckState) -> bool| -> Vec<&str> {
        summary.checks.iter().filter(|check| wanted(&check.state)).map(|check| check.check.as_str()).collect()
    };
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": summary.image, "digest": { "sha256": digest } }],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": result,
            "configuration": [{ "name": "residue rules", "digest": { "blake3": header.rules_digest } }],
            "passedTests": names(|state| matches!(state, CheckState::Clean)),
            "warnedTests": names(|state| matches!(state, CheckState::NotEvaluated { .. })),
            "failedTests": names(|state| matches!(state, CheckState::Finding { .. })),
            "residue": {
                "version": header.version,
                "exit_reason": summary.exit_reason,
                "verdict": words::decision(summary),
                "fail_on": summary.fail_on,
                "failing": summary.failing,
                "unchecked": summary.unchecked,
                "allowed": summary.allowed,
                "in_baseline": summary.in_baseline,
                "by_severity": summary.by_severity,
                "coverage": summary.coverage,
                "gaps": summary.gaps,
            },
        },
    }))
}
