//! Exit codes, which scripts and gates decide on.

use crate::record::ExitReason;
use std::process::ExitCode;

/// What the help of the program says of them.
pub(super) const HELP: &str = "Exit codes:\n  \
    0  clean: everything was read, no finding at or above the threshold\n  \
    1  findings at or above the threshold\n  \
    2  an image did not open or could not be read at all, or the command was wrong\n  \
    3  incomplete: something was not read, not understood or not checked\n\n\
    With several images, 2 goes before 3, 3 before 1, and 1 before 0.";

/// How a command ends; ordered by precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// 0
    Clean,
    /// 1
    Findings,
    /// 3
    Incomplete,
    /// 2
    Unreadable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Unreadable => 2,
            Exit::Incomplete => 3,
        })
    }
}

impl From<ExitReason> for Exit {
    fn from(reason: ExitReason) -> Self {
        match reason {
            ExitReason::Clean => Self::Clean,
            ExitReason::Findings => Self::Findings,
            ExitReason::Unreadable => Self::Unreadable,
            ExitReason::Incomplete => Self::Incomplete,
        }
    }
}
