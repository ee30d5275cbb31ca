//! Flink from its Python packages: one holds the jars, the other the scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::{paths, process};

pub(super) const VERSION: &str = "2.3.0";

/// Flink's home directory with `bin`, `conf` and `lib`, in the cache; downloaded if it is not there yet.
pub(super) fn flink() -> Result<PathBuf> {
    let cache = paths::cache()?;
    let home = cache.join(format!("flink-{VERSION}"));
    if home.join("lib").is_dir() {
        return Ok(home);
    }
    println!("downloading Flink {VERSION} (330 MB) to `{}`", home.display());
    let unfinished = tempfile::tempdir_in(&cache).map_err(Error::io("create a directory in", &cache))?;
    let packages = unfinished.path().join("packages");
    let python = python_with_pip()?;
    download(&python, &format!("apache-flink-libraries=={VERSION}"), &packages, &[])?;
    // A package for one version of Python on one platform, of which only the shell scripts are used: any will do.
    let any = ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux2014_x86_64"];
    download(&python, &format!("apache-flink=={VERSION}"), &packages, &any)?;
    let unpacked = unfinished.path().join("unpacked");
    for package in std::fs::read_dir(&packages).map_err(Error::io("read", &packages))?.flatten() {
        unpack(&python, &package.path(), &unpacked)?;
    }
    let tree = unpacked.join("pyflink");
    make_executable(&tree.join("bin"))?;
    paths::remove_dir(&home)?;
    std::fs::rename(&tree, &home).map_err(Error::io("rename", &tree))?;
    Ok(home)
}

/// A Python that has pip: the system's, or one of a virtual environment of our own.
fn python_with_pip() -> Result<PathBuf> {
    let system = PathBuf::from("python3");
    if process::output(Command::new(&system).args(["-m", "pip", "--version"])).is_ok() {
        return Ok(system);
    }
    let environment = paths::bench()?.join("venv");
    process::output(Command::new(&system).args(["-m", "venv"]).arg(&environment))
        .map_err(|error| Error::other(format!("Python has neither `pip` nor `venv` (install python3-pip or python3-venv): {error}")))?;
    Ok(environment.join("bin/python3"))
}

fn download(python: &Path, package: &str, into: &Path, options: &[&str]) -> Result<()> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(into).args(options).arg(package);
    process::output(&mut command).map(drop)
}

/// Unpacks a wheel, which is a zip file.
fn unpack(python: &Path, package: &Path, into: &Path) -> Result<()> {
    process::output(Command::new(python).args(["-m", "zipfile", "--extract"]).arg(package).arg(into)).map(drop)
}

/// Python's unpacking forgets that scripts are executable.
fn make_executable(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for script in std::fs::read_dir(directory).map_err(Error::io("read", directory))?.flatten() {
        let path = script.path();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).map_err(Error::io("change", &path))?;
    }
    Ok(())
}
