//! The steps of `cargo xtask test`. A new check is one more entry in [`STEPS`].

use std::path::Path;
use std::process::Command;

use super::{dashboard, package};
use crate::error::Result;
use crate::process::{cargo, run};
use crate::{arch, chaos, process, rest_test, sim};

/// One named check.
pub(super) struct Step {
    /// Name for `--only` and the summary.
    pub(super) name: &'static str,
    /// What passes when it passes.
    pub(super) about: &'static str,
    /// Commands and checks that only compile; a failure with a reused build directory may be the directory's fault.
    pub(super) build: fn() -> Result<()>,
    /// The rest, after `build`.
    pub(super) check: fn() -> Result<()>,
}

/// All steps, cheap ones first.
pub(super) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "every file is formatted as rustfmt does it", build: nothing, check: fmt },
    Step { name: "arch", about: "crates depend on each other only along allowed edges", build: nothing, check: arch::run },
    Step { name: "clippy", about: "no warning in any target of the workspace", build: clippy, check: nothing },
    Step {
        name: "dashboard",
        about: "the dashboard's sources are sound, and the committed files are what they build",
        build: nothing,
        check: dashboard::check,
    },
    Step { name: "test", about: "unit, integration and documentation tests of the workspace", build: test_build, check: test_run },
    Step {
        name: "browser",
        about: "the dashboard works in a browser on a real cluster; pictures of every page are in target/dashboard",
        build: dashboard::build_programs,
        check: dashboard::browse,
    },
    Step {
        name: "chaos",
        about: "the output of a job is exact while its cluster is killed, stopped and cut off",
        build: test_build,
        check: chaos::check,
    },
    Step {
        name: "rest",
        about: "calls of REST with made-up input are answered as its OpenAPI document says, and never with a server error",
        build: test_build,
        check: rest_test::check,
    },
    Step {
        name: "sim",
        about: "2 000 seeds of simulated jobs and 200 of simulated clusters hold, and every planted fault is found",
        build: sim::build,
        check: sim::check,
    },
    Step { name: "doc", about: "the documentation builds without a warning", build: doc, check: nothing },
    Step {
        name: "package",
        about: "a fresh program, and one of `flott new`, build and run on the packaged crates",
        build: nothing,
        check: package::run,
    },
    Step {
        name: "benchmarks",
        about: "the peers of the benchmarks build without a warning, and their tests pass",
        build: peers,
        check: peers_test,
    },
];

fn nothing() -> Result<()> {
    Ok(())
}

fn fmt() -> Result<()> {
    need_component("rustfmt", "fmt")?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(in_benchmarks("fmt").args(["--all", "--check"]))
}

fn clippy() -> Result<()> {
    need_component("clippy", "clippy")?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn test_build() -> Result<()> {
    run(cargo().args(["test", "--workspace", "--no-run"]))
}

fn test_run() -> Result<()> {
    run(cargo().args(["test", "--workspace"]))
}

fn doc() -> Result<()> {
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn peers() -> Result<()> {
    need_component("clippy", "clippy")?;
    run(in_benchmarks("clippy").args(["--all-targets", "--", "-D", "warnings"]))
}

fn peers_test() -> Result<()> {
    run(&mut in_benchmarks("test"))
}

/// A Cargo command in the workspace of the benchmarks' peers, with a build directory inside the main one.
fn in_benchmarks(subcommand: &str) -> Command {
    let mut command = cargo();
    command.arg(subcommand).arg("--manifest-path").arg(Path::new("benchmarks").join("Cargo.toml"));
    command.env("CARGO_TARGET_DIR", crate::paths::target().join("benchmarks"));
    command
}

/// Installs a component of the Rust toolchain if it is missing.
fn need_component(component: &str, subcommand: &str) -> Result<()> {
    if process::output(cargo().args([subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    println!("installing the component {component} of the Rust toolchain");
    run(Command::new("rustup").args(["component", "add", component]))
}
