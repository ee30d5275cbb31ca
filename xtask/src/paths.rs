//! Where things lie: the repository, its build directory, the cache that outlives a checkout.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Root of the repository: what `cargo run` says, since build directories may be shared by several checkouts.
pub(crate) fn repository() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().expect("xtask lies in the repository").to_owned()
}

/// Cargo's build directory for the workspace, also for the Cargo commands that tasks run.
pub(crate) fn target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").filter(|directory| !directory.is_empty());
    // A relative directory is relative to where `cargo xtask` was called, as it is for Cargo.
    set.and_then(|directory| std::path::absolute(directory).ok()).unwrap_or_else(|| repository().join("target"))
}

/// The file of this program. A build of the whole workspace puts another one in its place, which does the same; then Linux says that the
/// one that runs is deleted.
///
/// # Errors
/// When the system does not tell.
pub(crate) fn this_program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    Ok(path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map_or_else(|| path.clone(), PathBuf::from))
}

/// Inputs, logs and results of benchmarks; created if missing.
///
/// # Errors
/// When the directory cannot be created.
pub(crate) fn bench() -> Result<PathBuf> {
    create_dir(repository().join("target/bench"))
}

/// `$XDG_CACHE_HOME/flott` or `~/.cache/flott`, and `target/bench/cache` where neither can be written.
///
/// # Errors
/// When no directory can be created.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    match base.map(|base| create_dir(base.join("flott"))) {
        Some(Ok(path)) => Ok(path),
        _ => create_dir(bench()?.join("cache")),
    }
}

/// Creates a directory with its parents and gives it back.
///
/// # Errors
/// When it cannot be created.
pub(crate) fn create_dir(path: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
    Ok(path)
}

/// Removes a directory with all it holds; fine if it is not there.
///
/// # Errors
/// When it is there and cannot be removed.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}
