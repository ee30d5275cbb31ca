//! `cargo xtask arch`: the crates depend on each other only along the allowed edges.

mod arrows;

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::{paths, process};
use arrows::{Arrows, Crate};

/// File with the allowed edges, in the repository.
const ARROWS: &str = "docs/internals/arrows.toml";

/// What `cargo metadata --no-deps` says, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `dev` or `build`; nothing for a normal dependency.
    kind: Option<String>,
}

/// Checks the manifests of the workspace and the weight of the crate `flott`.
///
/// # Errors
/// With every edge that is not allowed, or the number of third-party crates if there are too many.
pub(crate) fn run() -> Result<()> {
    let arrows = arrows()?;
    let crates = workspace()?;
    let faults = arrows.check(&crates);
    if !faults.is_empty() {
        let advice = format!("remove the dependency, or allow it in `{ARROWS}` with a reason in ARCHITECTURE.md");
        return Err(Error::other(format!("{} wrong edges between crates:\n  {}\n{advice}", faults.len(), faults.join("\n  "))));
    }
    let third_party = third_party_crates("flott")?;
    let cap = arrows.third_party_cap;
    if third_party.len() > cap {
        let list = third_party.join(", ");
        return Err(Error::other(format!("`flott` brings {} third-party crates, more than the {cap} allowed: {list}", third_party.len())));
    }
    println!("{} crates, only allowed edges; `flott` brings {} third-party crates (cap {cap})", crates.len(), third_party.len());
    Ok(())
}

fn arrows() -> Result<Arrows> {
    let path = paths::repository().join(ARROWS);
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    toml::from_str(&text).map_err(|error| Error::other(format!("`{ARROWS}` is not valid: {error}")))
}

/// How many third-party crates `flott` may bring.
///
/// # Errors
/// When the file that says so cannot be read.
pub(crate) fn third_party_cap() -> Result<usize> {
    Ok(arrows()?.third_party_cap)
}

/// The crates of the workspace with their edges to each other.
fn workspace() -> Result<Vec<Crate>> {
    let json = process::output(process::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Metadata =
        serde_json::from_str(&json).map_err(|error| Error::other(format!("cannot read the output of `cargo metadata`: {error}")))?;
    let names: Vec<String> = metadata.packages.iter().map(|package| package.name.clone()).collect();
    let crates = metadata.packages.into_iter().map(|package| {
        let (mut uses, mut dev_uses) = (Vec::new(), Vec::new());
        for dependency in package.dependencies {
            if names.contains(&dependency.name) {
                let list = if dependency.kind.as_deref() == Some("dev") { &mut dev_uses } else { &mut uses };
                list.push(dependency.name);
            }
        }
        Crate { name: package.name, uses, dev_uses }
    });
    Ok(crates.collect())
}

/// Names with versions of the third-party crates in a user's build of `package` for this platform.
fn third_party_crates(package: &str) -> Result<Vec<String>> {
    let mut tree = process::cargo();
    tree.args(["tree", "--package", package, "--edges", "normal,build", "--prefix", "none"]);
    third_party_crates_of(&mut tree, &paths::repository())
}

/// Names with versions of the crates that `cargo tree` lists and that do not lie below `own`.
///
/// # Errors
/// When the command fails.
pub(crate) fn third_party_crates_of(tree: &mut Command, own: &Path) -> Result<Vec<String>> {
    let (tree, own) = (process::output(tree)?, own.to_string_lossy());
    let mut crates: Vec<String> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.contains(own.as_ref()))
        .map(|line| line.trim_end_matches(" (proc-macro)").to_owned())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    Ok(crates)
}
