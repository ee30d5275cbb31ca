//! The packaged crates as a user gets them: a fresh program on them builds and runs, and what `flott new` makes passes its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::{arch, paths, process};

/// Crates of the workspace that nobody is given.
const NOT_PACKAGED: [&str; 2] = ["xtask", "flott-sim"];

/// Packages the crates, makes a program of the README's word count on them, builds it from nothing and runs it.
///
/// # Errors
/// When one of the steps fails, or when the program brings too many third-party crates.
pub(super) fn run() -> Result<()> {
    let directory = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let crates = package(directory.path())?;
    let program = directory.path().join("fresh");
    make_program(&program, &crates)?;
    let third_party =
        arch::third_party_crates_of(cargo_in(&program).args(["tree", "--edges", "normal,build", "--prefix", "none"]), directory.path())?;
    let cap = arch::third_party_cap()?;
    if third_party.len() > cap {
        return Err(Error::other(format!("a fresh program has {} third-party crates, more than the {cap} allowed", third_party.len())));
    }
    process::run(cargo_in(&program).args(["fetch", "--quiet"]))?;
    let start = Instant::now();
    process::run(cargo_in(&program).args(["build", "--quiet"]))?;
    let seconds = start.elapsed().as_secs_f64();
    let printed = process::output(&mut Command::new(program.join("target/debug/fresh")))?;
    if !printed.lines().any(|line| line == "(the, 1)") || !printed.lines().any(|line| line == "(the, 2)") {
        return Err(Error::other(format!("the README's word count printed\n{printed}")));
    }
    println!("a fresh program: clean debug build in {seconds:.1} s, {} third-party crates (cap {cap})", third_party.len());
    let made = directory.path().join("made");
    make_job(&made, &crates)?;
    // As `fresh` was built, so that nothing is built twice: the package's own flags are for profilers.
    process::run(cargo_in(&made).arg("test").env("CARGO_TARGET_DIR", program.join("target")).env("RUSTFLAGS", ""))?;
    process::run(cargo_in(&made).args(["fmt", "--check"]))
}

/// A package as `flott new` writes it.
fn make_job(made: &Path, crates: &[(String, PathBuf)]) -> Result<()> {
    let mut new = process::cargo();
    new.args(["run", "--quiet", "--package", "flott-cli", "--bin", "flott", "--", "new", "made", "--dir"]).arg(made);
    process::run(new.arg("--flott").arg(facade(crates)?))?;
    on_packages(made, crates)
}

fn facade(crates: &[(String, PathBuf)]) -> Result<&Path> {
    let found = crates.iter().find(|(name, _)| name == "flott");
    found.map(|(_, folder)| folder.as_path()).ok_or_else(|| Error::other("`cargo package` made no package of `flott`"))
}

/// Lets a program use the packages in place of published ones, and the versions that everything else here is tested with.
fn on_packages(program: &Path, crates: &[(String, PathBuf)]) -> Result<()> {
    let manifest = program.join("Cargo.toml");
    let mut text = fs::read_to_string(&manifest).map_err(Error::io("read", &manifest))?;
    text.push_str("\n[patch.crates-io]\n");
    for (name, folder) in crates.iter().filter(|(name, _)| name != "flott") {
        text.push_str(&format!("{name} = {{ path = {folder:?} }}\n"));
    }
    fs::write(&manifest, text).map_err(Error::io("write", &manifest))?;
    let (lock, ours) = (program.join("Cargo.lock"), paths::repository().join("Cargo.lock"));
    fs::copy(&ours, &lock).map(|_| ()).map_err(Error::io("copy", &ours))
}

/// Packages all crates and unpacks them into `directory`; gives their names and folders.
fn package(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let target = directory.join("packages");
    let mut command = process::cargo();
    command.args(["package", "--workspace", "--no-verify", "--allow-dirty", "--quiet"]).env("CARGO_TARGET_DIR", &target);
    for name in NOT_PACKAGED {
        command.args(["--exclude", name]);
    }
    process::run(&mut command)?;
    let packages = target.join("package");
    let mut crates = Vec::new();
    for entry in fs::read_dir(&packages).map_err(Error::io("list", &packages))? {
        let path = entry.map_err(Error::io("list", &packages))?.path();
        let Some(stem) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".crate")) else { continue };
        process::run(Command::new("tar").arg("xzf").arg(&path).arg("-C").arg(directory))?;
        let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
        crates.push((name.to_owned(), directory.join(stem)));
    }
    Ok(crates)
}

/// A program as `cargo new` and `cargo add flott` make it, with the README's word count.
fn make_program(program: &Path, crates: &[(String, PathBuf)]) -> Result<()> {
    process::run(process::cargo().args(["new", "--quiet", "--vcs", "none", "--name", "fresh"]).arg(program))?;
    on_packages(program, crates)?;
    process::run(cargo_in(program).args(["add", "--quiet", "--path"]).arg(facade(crates)?))?;
    let main = program.join("src/main.rs");
    fs::write(&main, word_count()?).map_err(Error::io("write", &main))
}

/// The first program in the README.
fn word_count() -> Result<String> {
    let path = paths::repository().join("README.md");
    let readme = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let code = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    code.map(str::to_owned).ok_or_else(|| Error::other("the README has no program"))
}

/// Cargo in a program of its own, with its own build directory.
fn cargo_in(program: &Path) -> Command {
    let mut command = process::cargo();
    command.current_dir(program).env("CARGO_TARGET_DIR", program.join("target"));
    command
}
