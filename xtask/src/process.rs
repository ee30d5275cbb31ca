//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// A command for Cargo itself, without what `cargo run` put into our environment for this package: build scripts that look at
/// such variables would be run again by every task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if ours {
            command.env_remove(name);
        }
    }
    command.current_dir(crate::paths::repository()).env("CARGO_TARGET_DIR", crate::paths::target());
    command
}

/// A command that the kernel ends when this program ends, however that happens (where `setpriv` is installed).
pub(crate) fn tied_command(program: impl AsRef<OsStr>) -> Command {
    if find("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Where a program lies on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Runs a command with our own standard streams and waits for its success.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(start_error(command))?;
    if status.success() { Ok(()) } else { Err(Error::Failed { program: shown(command), status, detail: String::new() }) }
}

/// Runs a command and gives its standard output; its standard error goes into the error.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(start_error(command))?;
    if !output.status.success() {
        let detail = format!(": {}", String::from_utf8_lossy(&output.stderr).trim());
        return Err(Error::Failed { program: shown(command), status: output.status, detail });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// For `map_err` where a command is started.
pub(crate) fn start_error(command: &Command) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let program = shown(command);
    move |source| Error::Start { program, source }
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let word = |word: &OsStr| word.to_string_lossy().into_owned();
    let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(word).collect();
    words.join(" ")
}

/// The last lines of a file, for an error message; what is wrong with the file if it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("(cannot read `{}`: {error})", path.display()),
    }
}
