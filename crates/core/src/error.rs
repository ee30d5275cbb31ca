//! Errors that cross crate borders.

use std::{fmt, panic::Location};

/// The error of user code, connectors and operators: anything that implements [`std::error::Error`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What whoever meets an error can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program or the configuration is wrong: change it.
    Invalid,
    /// Something outside did not answer: try again.
    Unavailable,
    /// Input or stored state is damaged or does not fit: see the message for which.
    Data,
    /// Somebody asked for the end.
    Cancelled,
    /// Another leader has taken over.
    Fenced,
    /// User code failed.
    User,
    /// A bug in Flott.
    Internal,
}

/// The error of Flott's public interface. Shown with all its causes, also by `Debug`: that is how `fn main() -> Result<…>`
/// shows what a program ends with.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// An [`ErrorKind::Invalid`] error.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Invalid, message)
    }

    /// Adds the cause.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        // Programs end by printing the error alone, so the causes belong to what is shown.
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// An error that a restart would meet again: whoever returns it from an operator ends the job, whatever its restart strategy says.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unrecoverable {
    /// What went wrong, and what to do about it.
    pub message: String,
    /// The cause.
    #[source]
    pub source: Option<BoxError>,
}

impl Unrecoverable {
    /// An error without a cause behind it.
    pub fn new(message: impl Into<String>) -> Self {
        Unrecoverable { message: message.into(), source: None }
    }

    /// Whether `error`, or a cause behind it, is unrecoverable.
    pub fn is_in(error: &(dyn std::error::Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<Unrecoverable>())
    }
}

/// What a task says that cannot print since whoever read standard output or standard error has ended.
pub const OUTPUT_CLOSED: &str = "standard output was closed: whoever read it has ended";

/// Why a task failed: which operator of which subtask, where in the source, and the whole chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TaskFailure {
    /// The operator's name, or the task's where no single operator is to blame.
    pub operator: String,
    /// The subtask, from 0.
    pub subtask: u32,
    /// The number of subtasks; 0 where the failure is no task's.
    pub parallelism: u32,
    /// The run of the subtask, from 0.
    pub attempt: u32,
    /// What went wrong, the causes behind it, outermost first.
    pub causes: Vec<String>,
    /// File, line and column: of a panic, or of the operator's declaration.
    pub location: Option<String>,
    /// Whether user code panicked rather than returned an error.
    pub panicked: bool,
    /// Whether the job ends instead of being restarted: the failure was [`Unrecoverable`].
    pub unrecoverable: bool,
}

impl TaskFailure {
    /// A failure that is no task's: of `what`.
    pub fn without_task(what: impl Into<String>, reason: impl Into<String>) -> Self {
        TaskFailure {
            operator: what.into(),
            subtask: 0,
            parallelism: 0,
            attempt: 0,
            causes: vec![reason.into()],
            location: None,
            panicked: false,
            unrecoverable: false,
        }
    }

    /// The messages of `error` and of everything behind it.
    pub fn causes_of(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
        let mut causes = vec![error.to_string()];
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = &self.operator;
        match (self.parallelism, if self.panicked { "panicked" } else { "failed" }) {
            (0, "failed") => f.write_str(operator)?,
            (0, verb) => write!(f, "{operator} {verb}")?,
            (of, verb) => write!(f, "operator `{operator}`, subtask {} of {of} (attempt {}) {verb}", self.subtask + 1, self.attempt + 1)?,
        }
        if let Some(location) = &self.location {
            write!(f, " at {location}")?;
        }
        for (index, cause) in self.causes.iter().enumerate() {
            write!(f, "{}{cause}", if index == 0 { ": " } else { "\n  caused by: " })?;
        }
        Ok(())
    }
}

impl std::error::Error for TaskFailure {}

/// A place in the source code, as text.
pub fn location_of(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_is_no_tasks_speaks_of_no_subtask() {
        let failure = TaskFailure::without_task("scheduler", "the job needs 99 slots");
        assert_eq!(failure.to_string(), "scheduler: the job needs 99 slots");
        let of_task = TaskFailure { operator: "map".to_owned(), parallelism: 2, ..failure };
        assert_eq!(of_task.to_string(), "operator `map`, subtask 1 of 2 (attempt 1) failed: the job needs 99 slots");
    }
}
