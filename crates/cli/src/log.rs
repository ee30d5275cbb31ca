//! Where log lines go: to standard error, or to files that are put aside when they are large.

use flott_cluster::{LogFolder, RollingFile, Rotation, taskmanager::WorkerOutput};
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
};
use std::{
    io::{self, Write},
    path::Path,
    sync::{Arc, OnceLock},
};
use tracing_subscriber::EnvFilter;

/// The file, once it is known.
static FILE: OnceLock<RollingFile> = OnceLock::new();

/// Log lines of this process.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match FILE.get() {
            Some(file) => file.write(&[line]).map(|()| line.len()),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to log.
pub(crate) fn init() {
    tracing_subscriber::fmt().with_env_filter(filter()).with_writer(|| Lines).with_ansi(false).init();
}

/// The log files of a process.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Which they are.
    pub(crate) folder: Arc<LogFolder>,
    /// The two that are written.
    pub(crate) output: WorkerOutput,
}

/// Log lines of this process, which is of this `kind`, go to files from now on, if the configuration names a folder for them.
///
/// # Errors
/// They cannot be written.
pub(crate) fn to_files(config: &Configuration, kind: &str) -> Result<Option<Files>, Error> {
    let Some(folder) = config.get(&options::ENV_LOG_DIR)? else { return Ok(None) };
    let folder = LogFolder::claim(Path::new(&folder), kind)?;
    let rotation = Rotation { size: config.get(&options::ENV_LOG_SIZE)?.0, old: config.get(&options::ENV_LOG_MAX)? };
    let open = |path: &Path| {
        RollingFile::open(path, rotation).map_err(|error| {
            let text = format!("cannot write the log `{}`: set `env.log.dir` to another folder", path.display());
            Error::new(ErrorKind::Invalid, text).with_source(error)
        })
    };
    let output = WorkerOutput { log: open(&folder.log())?, out: open(&folder.out())? };
    // A process is of one kind.
    let _ = FILE.set(output.log.clone());
    Ok(Some(Files { folder: Arc::new(folder), output }))
}

/// What is logged: as `RUST_LOG` says, and always who has changed what.
fn filter() -> EnvFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    match "flott::audit=info".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    }
}
