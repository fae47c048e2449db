//! The report for a person at a terminal: the verdict, findings from the worst down, coverage, checks.

mod block;
mod paint;
mod summary;

use super::spool::Spool;
use super::{Format, Output, Report, Settings, failed, words};
use crate::coverage::Gap;
use crate::error::Result;
use crate::record::{Header, Record, Summary};
use crate::rules::Severity;
use paint::Paint;

pub(super) const FORMAT: Format =
    Format { name: "text", about: "for a person to read", entries: false, create };

/// Gaps that are shown one by one; the rest is counted.
const GAPS_SHOWN: usize = 20;

struct Text {
    out: Output,
    paint: Paint,
    header: Option<Header>,
    spool: Spool,
    gaps: Vec<Gap>,
    summaries: Vec<Summary>,
}

fn create(out: Output, settings: &Settings) -> Result<Box<dyn Report>> {
    let paint = Paint { on: settings.colour };
    let spool = Spool::new()?;
    Ok(Box::new(Text { out, paint, header: None, spool, gaps: Vec::new(), summaries: Vec::new() }))
}

impl Report for Text {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Scan(header) => self.header = Some((*header).clone()),
            Record::Finding(finding) => self.spool.push(finding)?,
            Record::Gap(gap) if self.gaps.len() < GAPS_SHOWN => self.gaps.push((*gap).clone()),
            Record::Gap(_) | Record::Key(_) | Record::History(_) | Record::Map(_) => {}
            Record::Summary(summary) => self.image(summary)?,
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        if self.summaries.len() > 1 {
            let text = summary::overall(self.paint, &self.summaries);
            self.out.write_all(text.as_bytes()).map_err(failed)?;
        }
        self.out.flush().map_err(failed)
    }
}

impl Text {
    /// Writes what is known of one image, at its end.
    fn image(&mut self, summary: &Summary) -> Result<()> {
        let paint = self.paint;
        if !self.summaries.is_empty() {
            self.put("\n")?;
        }
        self.put(&summary::verdict(paint, summary))?;
        if summary.error.is_some() && self.header.is_none() {
            self.summaries.push(summary.clone());
            return Ok(());
        }
        if let Some(header) = self.header.take() {
            self.put(&summary::header(&header))?;
        }
        self.findings()?;
        let gaps = std::mem::take(&mut self.gaps);
        self.put(&summary::coverage(paint, summary, &gaps))?;
        self.summaries.push(summary.clone());
        Ok(())
    }

    fn findings(&mut self) -> Result<()> {
        let mut spool = std::mem::replace(&mut self.spool, Spool::new()?);
        let groups = spool.groups();
        let mut under: Option<Severity> = None;
        for group in &groups {
            if under != Some(group.severity) {
                let items = groups.iter().filter(|other| other.severity == group.severity).count();
                self.put(&self.heading(group.severity, items))?;
                under = Some(group.severity);
            }
            let text = block::group(self.paint, &mut spool, group)?;
            self.put(&text)?;
        }
        Ok(())
    }

    fn heading(&self, severity: Severity, items: usize) -> String {
        let name = words::severity(severity).to_uppercase();
        let count = words::count(u64::try_from(items).unwrap_or(u64::MAX), "item");
        format!("\n{}\n", self.paint.severity(severity, &format!("{name}  {count}")))
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(failed)
    }
}
