//! `flott new`: a package for a job.

use crate::out::say;
use clap::Args;
use flott_core::{Error, ErrorKind};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `flott new`.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The name of the package, and of the program
    name: String,
    /// The folder to make, which must not exist; named as the package unless given
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Take the crate `flott` from a checkout of its repository instead of the package registry
    #[arg(long, value_name = "FOLDER")]
    flott: Option<PathBuf>,
}

/// The files of a package: where they go, and what is in them.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("package/Cargo.toml.txt")),
    (".cargo/config.toml", include_str!("package/config.toml.txt")),
    (".gitignore", include_str!("package/gitignore.txt")),
    ("README.md", include_str!("package/README.md.txt")),
    ("src/main.rs", include_str!("package/main.rs.txt")),
    ("src/job.rs", include_str!("package/job.rs.txt")),
];

/// Names that mean something else to the compiler or to the package itself.
const TAKEN: [&str; 9] = ["flott", "mimalloc", "serde", "test", "core", "std", "alloc", "job", "main"];

/// Words of the language, of which Cargo makes no package.
const KEYWORDS: [&str; 51] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv",
    "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Folders in which Cargo builds, where a program of that name would lie.
const FOLDERS: [&str; 4] = ["build", "deps", "examples", "incremental"];

/// Writes a package for a job.
pub(crate) fn new(args: &NewArgs) -> Result<ExitCode, Error> {
    check_name(&args.name)?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let flott = dependency(args.flott.as_deref())?;
    write(&folder, &args.name, &flott)?;
    say!("Made the job `{}` in {}. Next:\n  cd {}\n  cargo test\n  cargo run", args.name, folder.display(), folder.display());
    Ok(ExitCode::SUCCESS)
}

/// What Cargo takes for a package and the compiler for a program.
fn check_name(name: &str) -> Result<(), Error> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(Error::invalid(format!(
            "`{name}` is no name for a package: it must begin with a letter, and go on with letters, digits, `-` and `_`"
        )));
    }
    if KEYWORDS.contains(&name) {
        return Err(Error::invalid(format!("`{name}` is a keyword of Rust, which Cargo takes for no package: choose another name")));
    }
    if FOLDERS.contains(&name) {
        return Err(Error::invalid(format!(
            "`{name}` is a folder in which Cargo builds, so that it makes no program of it: choose another name"
        )));
    }
    if TAKEN.contains(&name) {
        return Err(Error::invalid(format!("`{name}` is the name of something else that a job uses: choose another")));
    }
    Ok(())
}

/// The crate `flott` as a dependency.
fn dependency(checkout: Option<&Path>) -> Result<String, Error> {
    let Some(given) = checkout else { return Ok(format!("\"{}\"", env!("CARGO_PKG_VERSION"))) };
    let crates = [given.join("crates/flott"), given.to_owned()];
    let found = crates.iter().find(|folder| folder.join("Cargo.toml").is_file());
    let found = found.ok_or_else(|| Error::invalid(format!("`{}` is no checkout of Flott: it has no `crates/flott`", given.display())))?;
    let path = fs::canonicalize(found).map_err(|error| unwritable(found, error))?;
    // A path as TOML has it: without anything that means something in a literal text.
    match path.to_str().filter(|path| !path.contains(['\'', '\n'])) {
        Some(path) => Ok(format!("{{ path = '{path}' }}")),
        None => Err(Error::invalid(format!("the path `{}` cannot be written into a Cargo.toml", path.display()))),
    }
}

fn write(folder: &Path, name: &str, flott: &str) -> Result<(), Error> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, error))?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::invalid(format!("`{}` is there already: name another folder with `--dir`, or remove it", folder.display())));
        }
        made => made.map_err(|error| unwritable(folder, error))?,
    }
    for (place, text) in FILES {
        let path = folder.join(place);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| unwritable(parent, error))?;
        }
        let text = text.replace("{{name}}", name).replace("{{flott}}", flott);
        fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot write `{}`", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(name: &str, dir: PathBuf, flott: Option<&str>) -> NewArgs {
        NewArgs { name: name.to_owned(), dir: Some(dir), flott: flott.map(PathBuf::from) }
    }

    #[test]
    fn a_package_has_all_files_with_its_name_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/b");
        new(&args("my-job", dir.clone(), None)).unwrap();
        for (place, _) in FILES {
            let text = fs::read_to_string(dir.join(place)).unwrap();
            assert!(!text.contains("{{"), "{place}: {text}");
        }
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"my-job\"") && manifest.contains(&format!("flott = \"{}\"", env!("CARGO_PKG_VERSION"))));
        assert!(fs::read_to_string(dir.join("src/main.rs")).unwrap().contains("env.execute(\"my-job\")"));
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let error = new(&args("my-job", folder.path().to_owned(), None)).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_crate_comes_from_a_checkout_where_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for (number, path) in [checkout, concat!(env!("CARGO_MANIFEST_DIR"), "/../flott")].into_iter().enumerate() {
            let dir = folder.path().join(number.to_string());
            new(&args("my-job", dir.clone(), Some(path))).unwrap();
            let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
            let line = manifest.lines().find(|line| line.starts_with("flott = ")).unwrap();
            assert!(line.starts_with("flott = { path = '/") && line.ends_with("crates/flott' }"), "{line}");
        }
        let error = new(&args("my-job", folder.path().join("x"), Some("/tmp"))).unwrap_err().to_string();
        assert!(error.contains("is no checkout of Flott"), "{error}");
    }

    #[test]
    fn a_name_is_one_that_cargo_takes() {
        for name in ["", "1st", "a b", "../x", "größe", "-a", "flott", "test", "fn", "Self", "yield", "deps", "build"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["a", "my-job", "my_job2", "Fn", "fn-job", "union", "gen"] {
            check_name(name).unwrap();
        }
    }
}
