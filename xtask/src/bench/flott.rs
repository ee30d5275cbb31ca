//! Flott's side: the example `word_count_bench` of the crate `flott`.

use std::path::PathBuf;
use std::process::Command;

use super::input::Input;
use super::measure::{self, Usage};
use super::side::{Side, SideName};
use crate::error::{Error, Result};
use crate::{paths, process};

/// Name of the example, and of its program.
const EXAMPLE: &str = "word_count_bench";

/// Flott with one of its kinds of words.
#[derive(Debug)]
pub(super) struct Flott {
    name: SideName,
    program: PathBuf,
    checkpoints: PathBuf,
}

impl Flott {
    /// Builds the example.
    pub(super) fn prepare(name: SideName) -> Result<Flott> {
        let source = paths::repository().join("crates/flott/examples").join(format!("{EXAMPLE}.rs"));
        if !source.exists() {
            return Err(Error::other(format!("`{}` is not there", source.display())));
        }
        process::run(process::cargo().args(["build", "--release", "--package", "flott", "--example", EXAMPLE]))?;
        let program = paths::target().join("release/examples").join(EXAMPLE);
        Ok(Flott { name, program, checkpoints: paths::bench()?.join("flott-checkpoints") })
    }

    /// The command line: everything that Flott's side depends on.
    fn command(&self, input: &Input, parallelism: u32) -> Command {
        let words = if self.name == SideName::FlottCompact { "compact" } else { "string" };
        let mut command = process::tied_command(&self.program);
        command.arg("--input").arg(&input.file);
        command.args(["--parallelism", &parallelism.to_string(), "--words", words]);
        command.args(["--checkpoint-interval", "1000", "--checkpoint-dir"]).arg(&self.checkpoints);
        command
    }
}

impl Side for Flott {
    fn name(&self) -> SideName {
        self.name
    }

    fn run(&mut self, input: &Input, parallelism: u32) -> Result<Usage> {
        paths::remove_dir(&self.checkpoints)?;
        measure::run(&mut self.command(input, parallelism), self.name.as_str(), &[])
    }
}
