//! Progress of a scan on standard error, where that is a terminal.

use crate::report::words;
use crate::scan::Observer;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is shown: bytes, share, rate, time left, findings so far.
const TEMPLATE: &str =
    "{prefix} {bar:24} {percent:>3}% {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left, {msg}";

/// A progress line that appears only on terminals.
pub(super) struct Progress {
    bar: ProgressBar,
    findings: AtomicU64,
}

impl Progress {
    /// Progress over one image, invisible with `quiet` or without a terminal.
    pub(super) fn new(image: &str, quiet: bool) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        let target =
            if visible { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        bar.set_prefix(image.to_owned());
        bar.set_message(words::count(0, "finding"));
        Self { bar, findings: AtomicU64::new(0) }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn planned(&self, bytes: u64) {
        self.bar.set_length(bytes);
    }

    fn swept(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn found(&self, findings: u64) {
        let before = self.findings.fetch_add(findings, Ordering::Relaxed);
        if findings > 0 {
            self.bar.set_message(words::count(before.saturating_add(findings), "finding"));
        }
    }
}
