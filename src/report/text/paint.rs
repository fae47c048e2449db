//! Colours, on terminals that want them.

use crate::rules::Severity;

/// Wraps text in ECMA-48 "select graphic rendition" sequences, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    /// Whether to use colours.
    pub on: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading or title.
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What matters less.
    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Good news.
    pub(super) fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }

    /// Bad news.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// Text in the colour of a severity.
    pub(super) fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
            Severity::Info => "2",
        };
        self.with(code, text)
    }
}
