//! A side of a benchmark: a program that does the work.

use std::fmt;

use super::input::Input;
use super::measure::Usage;
use super::{flink, flott, peers};
use crate::error::Result;

/// Sides by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SideName {
    /// Flott with a `String` a word
    FlottString,
    /// Flott with a small string that is stored inline
    FlottCompact,
    /// Flott with an inline small string a word, on two TaskManagers on loopback
    FlottCluster,
    /// The same, with the words on one TaskManager and their counts on the other
    FlottApart,
    /// Apache Flink, a standalone cluster on loopback
    Flink,
    /// The same with two TaskManagers
    FlinkCluster,
    /// timely dataflow
    Timely,
    /// One loop over one hash map
    Loop,
}

impl SideName {
    /// The name as it is written on the command line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            SideName::FlottString => "flott-string",
            SideName::FlottCompact => "flott-compact",
            SideName::FlottCluster => "flott-cluster",
            SideName::FlottApart => "flott-apart",
            SideName::Flink => "flink",
            SideName::FlinkCluster => "flink-cluster",
            SideName::Timely => "timely",
            SideName::Loop => "loop",
        }
    }
}

impl fmt::Display for SideName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A program that is ready to run.
pub(super) trait Side {
    /// Which one it is.
    fn name(&self) -> SideName;

    /// The only parallelism that it can run at, if there is but one.
    fn only(&self) -> Option<u32> {
        None
    }

    /// Counts the words of the input once.
    fn run(&mut self, input: &Input, parallelism: u32) -> Result<Usage>;
}

/// Builds what is needed to run a side, and starts what has to be running.
///
/// # Errors
/// When the side cannot run on this machine; the message says what is missing.
pub(super) fn prepare(name: SideName, input: &Input) -> Result<Box<dyn Side>> {
    Ok(match name {
        SideName::FlottString | SideName::FlottCompact => Box::new(flott::Flott::prepare(name)?),
        SideName::FlottCluster | SideName::FlottApart => Box::new(flott::OnCluster::prepare(name)?),
        SideName::Flink | SideName::FlinkCluster => Box::new(flink::Flink::prepare(name, input)?),
        SideName::Timely | SideName::Loop => Box::new(peers::Peer::prepare(name)?),
    })
}
