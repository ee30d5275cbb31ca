//! The peers written in Rust: programs of the workspace in `benchmarks/`.

use std::path::PathBuf;

use super::input::Input;
use super::measure::{self, Usage};
use super::side::{Side, SideName};
use crate::error::Result;
use crate::{paths, process};

/// A program of `benchmarks/`.
#[derive(Debug)]
pub(super) struct Peer {
    name: SideName,
    program: PathBuf,
}

impl Peer {
    /// Builds the program.
    pub(super) fn prepare(name: SideName) -> Result<Peer> {
        let package = if name == SideName::Timely { "timely-word-count" } else { "loop-word-count" };
        let manifest = paths::repository().join("benchmarks/Cargo.toml");
        let target = paths::target().join("benchmarks");
        let mut build = process::cargo();
        build.args(["build", "--release", "--package", package, "--manifest-path"]).arg(manifest).env("CARGO_TARGET_DIR", &target);
        process::run(&mut build)?;
        Ok(Peer { name, program: target.join("release").join(package) })
    }
}

impl Side for Peer {
    fn name(&self) -> SideName {
        self.name
    }

    fn only(&self) -> Option<u32> {
        (self.name == SideName::Loop).then_some(1)
    }

    fn run(&mut self, input: &Input, parallelism: u32) -> Result<Usage> {
        let mut command = process::tied_command(&self.program);
        command.arg("--input").arg(&input.file);
        if self.name == SideName::Timely {
            command.args(["-w", &parallelism.to_string()]);
        }
        measure::run(&mut command, self.name.as_str(), &[], || Ok(()))
    }
}
