//! The table at the end of a scan over several images.

use super::exit::Exit;
use crate::location::harmless;
use crate::record::{ExitReason, Summary};
use crate::report::words;

/// Severities that have a column.
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "info"];

/// One line an image, and how many ended how.
#[derive(Debug, Default)]
pub(super) struct Overview {
    /// How each image ended: exit, verdict, the rest of its line.
    rows: Vec<(Exit, String, String)>,
    counts: [usize; 4],
}

impl Overview {
    /// Takes note of how one image ended.
    pub(super) fn add(&mut self, summary: &Summary) {
        let (index, verdict) = match summary.exit_reason {
            ExitReason::Clean => (0, "clean"),
            ExitReason::Findings => (1, "findings"),
            ExitReason::Incomplete => (2, "incomplete"),
            ExitReason::Unreadable => (3, "not read"),
        };
        if let Some(count) = self.counts.get_mut(index) {
            *count = count.saturating_add(1);
        }
        let count = |name: &&str| match summary.by_severity.get(*name) {
            Some(count) => format!(" {count:>8}"),
            None => format!(" {:>8}", "-"),
        };
        let counts: String = SEVERITIES.iter().map(count).collect();
        let error = summary.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let but = words::reservations(summary).map(|but| format!(", {but}")).unwrap_or_default();
        let row = format!("{counts}  {}{error}", summary.image);
        let row = harmless(&row).into_owned();
        self.rows.push((summary.exit_reason.into(), format!("{verdict}{but}"), row));
    }

    /// The table, the worst first; nothing for a single image.
    pub(super) fn lines(mut self) -> Vec<String> {
        if self.rows.len() < 2 {
            return Vec::new();
        }
        self.rows.sort_by_key(|(exit, ..)| std::cmp::Reverse(*exit));
        let width = self.rows.iter().map(|(_, verdict, _)| verdict.len()).fold(10, usize::max);
        let [clean, findings, incomplete, unread] = self.counts;
        let heads: String = SEVERITIES.iter().map(|name| format!(" {name:>8}")).collect();
        let mut lines = vec![format!("{:<width$}{heads}  image", "verdict")];
        lines.extend(self.rows.into_iter().map(|(_, verdict, row)| format!("{verdict:<width$}{row}")));
        lines.push(format!(
            "{} images: {clean} clean, {findings} with findings, {incomplete} incomplete, {unread} not read",
            clean.saturating_add(findings).saturating_add(incomplete).saturating_add(unread)
        ));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_images_come_first_and_all_are_counted() {
        let mut overview = Overview::default();
        let summary = |image: &str, exit_reason, error: Option<&str>| Summary {
            image: image.to_owned(),
            exit_reason,
            error: error.map(str::to_owned),
            by_severity: [("high".to_owned(), 3)].into(),
            ..Summary::default()
        };
        let gaps = [("limited".to_owned(), 4)].into();
        overview.add(&Summary { gaps, ..summary("a", ExitReason::Clean, None) });
        overview.add(&summary("b", ExitReason::Unreadable, Some("the file is empty")));
        overview.add(&summary("c", ExitReason::Findings, None));
        let lines = overview.lines();
        assert_eq!(lines.len(), 5);
        assert!(
            lines[1].starts_with("not read") && lines[1].ends_with("b: the file is empty"),
            "{}",
            lines[1]
        );
        assert!(lines[2].starts_with("findings") && lines[2].contains(" 3 "), "{}", lines[2]);
        assert!(lines[3].starts_with("clean, 4 limits ") && lines[3].ends_with("  a"), "{}", lines[3]);
        assert_eq!(lines[4], "3 images: 1 clean, 1 with findings, 0 incomplete, 1 not read");
    }
}
