//! The dashboard: its sources are sound, the committed files are what they build, and it works in a browser.

use std::{ffi::OsString, path::PathBuf, process::Command};

use crate::{
    error::{Error, Result},
    paths,
    process::{cargo, find, output, run},
};

/// The oldest Node.js that the build tools run on.
const NODE: (u32, u32) = (20, 19);

/// What is installed where Node.js is missing or too old: a release of the package that brings the program.
const NODE_PACKAGE: &str = "node@22";

/// Types, lint, unit tests; and the build, compared with what is committed.
///
/// # Errors
/// When something is wrong, or a tool cannot be installed.
pub(super) fn check() -> Result<()> {
    let tools = Tools::find()?;
    tools.install()?;
    for script in ["types", "lint", "test", "build"] {
        run(tools.npm().args(["run", "--silent", script]))?;
    }
    run(tools.npm().args(["run", "--silent", "pack", "--", "--check"]))
}

/// Compiles what the tests in a browser run.
///
/// # Errors
/// When it does not compile.
pub(super) fn build_programs() -> Result<()> {
    // As `cargo test` compiles them, so that nothing is compiled twice.
    run(cargo().args(["build", "--workspace", "--bins", "--examples"]))
}

/// Runs the tests in a browser.
///
/// # Errors
/// When one fails, or a tool cannot be installed.
pub(super) fn browse() -> Result<()> {
    let browser = chromium()?;
    let tools = Tools::find()?;
    if !folder().join("node_modules").is_dir() {
        tools.install()?;
    }
    let mut tests = tools.npm();
    tests.env("DASHBOARD_BROWSER", browser).env("DASHBOARD_PROGRAMS", paths::target().join("debug"));
    tests.env("DASHBOARD_PICTURES", paths::target().join("dashboard"));
    run(tests.args(["run", "--silent", "browser"]))
}

fn folder() -> PathBuf {
    paths::repository().join("dashboard")
}

/// Node.js and its package manager.
struct Tools {
    /// The `PATH` that finds them.
    path: OsString,
}

impl Tools {
    /// Finds them; what is missing is installed.
    fn find() -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if find("npm").is_none() {
            install_package("npm")?;
        }
        if output(Command::new("node").arg("--version")).is_ok_and(|version| new_enough(&version)) {
            return Ok(Tools { path });
        }
        let prefix = paths::create_dir(paths::cache()?.join("node"))?;
        println!("installing {NODE_PACKAGE} in {}", prefix.display());
        run(Command::new("npm").args(["install", "--no-save", "--prefix"]).arg(&prefix).arg(NODE_PACKAGE))?;
        let own = [prefix.join("node_modules/node/bin")].into_iter().chain(std::env::split_paths(&path));
        let path = std::env::join_paths(own).map_err(|error| Error::other(format!("the PATH cannot be extended: {error}")))?;
        Ok(Tools { path })
    }

    /// npm in the folder of the dashboard, with a cache that outlives the checkout.
    fn npm(&self) -> Command {
        let mut command = Command::new("npm");
        command.current_dir(folder()).env("PATH", &self.path);
        if let Ok(cache) = paths::cache() {
            command.env("npm_config_cache", cache.join("npm"));
        }
        command
    }

    /// Installs exactly what the lock file names.
    fn install(&self) -> Result<()> {
        run(self.npm().args(["ci", "--prefer-offline", "--no-audit", "--no-fund"]))
    }
}

/// Whether a version such as `v20.19.2` is new enough.
fn new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= NODE
}

/// Where the browser is; it is installed if it is missing.
fn chromium() -> Result<PathBuf> {
    let installed = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find);
    if let Some(browser) = installed() {
        return Ok(browser);
    }
    install_package("chromium")?;
    installed().ok_or_else(|| Error::other("the package chromium was installed, but there is no program `chromium` in the PATH"))
}

/// Installs a package of Debian.
fn install_package(name: &str) -> Result<()> {
    println!("installing the Debian package {name}");
    let install = || {
        let mut command = Command::new("apt-get");
        run(command.args(["install", "--yes", "--no-install-recommends", name]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    if install().is_ok() {
        return Ok(());
    }
    // The list of packages may be missing or old.
    let update = run(Command::new("apt-get").arg("update"));
    update.and_then(|()| install()).map_err(|error| Error::other(format!("cannot install `{name}`, install it by hand: {error}")))
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, wanted) in [("v20.19.0\n", true), ("v22.0.1", true), ("v20.9.9", false), ("v18.20.4", false), ("nonsense", false)] {
            assert_eq!(new_enough(version), wanted, "{version}");
        }
    }
}
