//! Prints records, a line each: to standard output or standard error. At least once.

use flott_core::{
    Batch, BoxError, Data,
    error::{OUTPUT_CLOSED, Unrecoverable},
    format::format_into,
    sink::{Committer, Sink, SinkWriter, WriterContext},
};
use std::io::Write;

/// Prints records. With several subtasks each line begins with the subtask's number, from 1: `2> (the, 3)`.
#[derive(Debug, Clone, Default)]
pub struct PrintSink {
    identifier: Option<String>,
    to_stderr: bool,
}

impl PrintSink {
    /// To standard output.
    pub fn stdout() -> Self {
        PrintSink::default()
    }

    /// To standard error.
    pub fn stderr() -> Self {
        PrintSink { to_stderr: true, ..PrintSink::default() }
    }

    /// Each line begins with `identifier`, before the subtask's number: `words:2> (the, 3)`.
    pub fn with_identifier(mut self, identifier: impl Into<String>) -> Self {
        self.identifier = Some(identifier.into());
        self
    }
}

impl<T: Data> Sink<T> for PrintSink {
    type Committable = ();
    type WriterState = ();

    fn create_writer(&self, context: &WriterContext, _: Vec<()>) -> Result<Box<dyn SinkWriter<T, (), ()>>, BoxError> {
        let prefix = match (&self.identifier, context.parallelism) {
            (None, 1) => String::new(),
            (None, _) => format!("{}> ", context.subtask + 1),
            (Some(identifier), 1) => format!("{identifier}> "),
            (Some(identifier), _) => format!("{identifier}:{}> ", context.subtask + 1),
        };
        Ok(Box::new(PrintWriter { prefix, to_stderr: self.to_stderr, lines: String::new() }))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<()>>>, BoxError> {
        Ok(None)
    }
}

struct PrintWriter {
    prefix: String,
    to_stderr: bool,
    lines: String,
}

impl<T: Data> SinkWriter<T, (), ()> for PrintWriter {
    fn write(&mut self, batch: Batch<T>) -> Result<(), BoxError> {
        self.lines.clear();
        for value in &batch.values {
            self.lines.push_str(&self.prefix);
            format_into(value, &mut self.lines)?;
            self.lines.push('\n');
        }
        // A batch in one write, so that the lines of subtasks do not mix.
        let bytes = self.lines.as_bytes();
        let written = if self.to_stderr { std::io::stderr().lock().write_all(bytes) } else { write_stdout(bytes) };
        written.map_err(cannot_print)
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        std::io::stdout().flush().map_err(cannot_print)
    }
}

/// Nobody comes back to a closed pipe: a restart would meet it again.
fn cannot_print(error: std::io::Error) -> BoxError {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Unrecoverable { message: OUTPUT_CLOSED.to_owned(), source: Some(error.into()) }.into(),
        _ => format!("cannot print: {error}").into(),
    }
}

fn write_stdout(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
