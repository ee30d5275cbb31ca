//! Flott's sides: the example `word_count_bench` of the crate `flott`, in one process and on a cluster.

use std::path::PathBuf;
use std::process::Command;

use super::input::Input;
use super::measure::{self, Usage};
use super::side::{Side, SideName};
use crate::chaos::cluster::{Cluster, Programs, eventually};
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
        measure::run(&mut self.command(input, parallelism), self.name.as_str(), &[], || Ok(()))
    }
}

/// TaskManagers of the cluster, with a slot each. Half of the words cross the network, or, where those are counted apart from where they are
/// read, all.
const TASK_MANAGERS: u32 = 2;

/// Flott with an inline small string a word, on a cluster on loopback.
#[derive(Debug)]
pub(super) struct OnCluster {
    name: SideName,
    cluster: Cluster,
    program: PathBuf,
    checkpoints: PathBuf,
}

impl OnCluster {
    /// Builds the programs and starts the cluster.
    pub(super) fn prepare(name: SideName) -> Result<OnCluster> {
        let programs = Programs::build(false, &[EXAMPLE])?;
        let (program, folder) = (programs.example(EXAMPLE), paths::bench()?.join(name.as_str()));
        paths::remove_dir(&folder)?;
        let folder = paths::create_dir(folder)?;
        let checkpoints = folder.join("checkpoints");
        let mut cluster = Cluster::start(programs, folder, &[], 1)?;
        for number in 1..=TASK_MANAGERS {
            cluster.add_task_manager(&format!("taskmanager-{number}"), 1)?;
        }
        Ok(OnCluster { name, cluster, program, checkpoints })
    }
}

impl Side for OnCluster {
    fn name(&self) -> SideName {
        self.name
    }

    fn only(&self) -> Option<u32> {
        Some(if self.name == SideName::FlottApart { 1 } else { TASK_MANAGERS })
    }

    fn run(&mut self, input: &Input, parallelism: u32) -> Result<Usage> {
        paths::remove_dir(&self.checkpoints)?;
        let mut command = self.cluster.client();
        command.args(["run", "-p", &parallelism.to_string()]).arg(&self.program).arg("--input").arg(&input.file);
        command.args(["--parallelism", &parallelism.to_string(), "--words", "compact"]);
        command.args(["--checkpoint-interval", "1000", "--checkpoint-dir"]).arg(&self.checkpoints);
        if self.name == SideName::FlottApart {
            command.arg("--apart");
        }
        // The CPU time of a worker counts when it has ended: it belongs to its TaskManager then.
        let settled = || eventually("the job's workers end", || (!self.cluster.has_children()).then_some(()));
        measure::run(&mut command, self.name().as_str(), &self.cluster.processes(), settled)
    }
}
