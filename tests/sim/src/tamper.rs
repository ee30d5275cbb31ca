//! Where plants change what passes between the parts.

use crate::{outside::Committable, plant::Plant, sim::Sim, source::SimSplit};
use flott_core::{
    codec::{decode, encode},
    id::{AttemptId, CheckpointId, VertexId},
    key_group::KeyGroupRange,
    snapshot::{Redistribution, StateKind},
};
use flott_graph::JobTopology;
use flott_rpc::task::{EnumeratorCommand, TaskDeployment, TaskReport};
use std::collections::{BTreeMap, BTreeSet};

/// What plants remember of a JobMaster.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The last snapshot of each enumerator.
    pub(crate) enumerators: BTreeMap<VertexId, Vec<u8>>,
    /// Whether an enumerator has given its state and no barrier has followed.
    pub(crate) early_splits: bool,
    /// Checkpoints that were aborted.
    pub(crate) aborted: BTreeSet<CheckpointId>,
}

/// Changes what a task starts from.
pub(crate) fn deployment(sim: &Sim, topology: &JobTopology, deployment: &mut TaskDeployment) {
    let vertex = topology.vertex(deployment.attempt.subtask.vertex);
    let Some(restore) = &mut deployment.restore else { return };
    let groups = KeyGroupRange::of_subtask(deployment.attempt.subtask.index, vertex.parallelism, vertex.max_parallelism);
    if restore.finished && sim.planted(Plant::FinishedNotRestored) {
        restore.operators.clear();
    }
    for keyed in restore.operators.values_mut().flat_map(|operator| &mut operator.keyed) {
        if sim.planted(Plant::TimersMoved) {
            let timers: Vec<bool> = keyed.states.iter().map(|state| state.kind == StateKind::Timers).collect();
            for block in keyed.blocks.iter_mut().filter(|block| timers[usize::from(block.state)]) {
                block.group = ((u32::from(block.group) + 1) % vertex.max_parallelism) as u16;
            }
        }
        if sim.planted(Plant::GroupRangeShort) && keyed.groups != groups {
            keyed.blocks.retain(|block| u32::from(block.group) + 1 != groups.end);
        }
    }
}

/// Changes what a task reports.
pub(crate) fn report(sim: &Sim, memory: &mut Memory, _: AttemptId, report: &mut TaskReport) {
    let TaskReport::CheckpointAcknowledged { snapshot, .. } = report else { return };
    let finished = snapshot.finished;
    for list in snapshot.operators.iter_mut().flat_map(|operator| &mut operator.lists) {
        match list.name.as_str() {
            "committables" if finished && sim.planted(Plant::LoseFinalCommittables) => list.items.clear(),
            "committables" if sim.planted(Plant::ForgetOnAbort) => list.items.retain(|item| {
                let committable: Option<Committable> = decode(item).ok();
                committable.is_none_or(|committable| !memory.aborted.contains(&CheckpointId(committable.checkpoint)))
            }),
            "splits" if sim.planted(Plant::ReplayedSplit) => {
                for item in &mut list.items {
                    if let Ok(mut split) = decode::<SimSplit>(item)
                        && split.position > 0
                    {
                        split.position -= 1;
                        *item = encode(&split).unwrap_or_default();
                    }
                }
            }
            _ if finished && list.redistribution == Redistribution::Union && sim.planted(Plant::DropFinishedUnion) => list.items.clear(),
            _ => {}
        }
    }
}

/// A command in few words.
pub(crate) fn short(command: &EnumeratorCommand) -> String {
    match command {
        EnumeratorCommand::Create { restored, .. } => format!("Create({})", restored.is_some()),
        EnumeratorCommand::AddSplitsBack { subtask, splits } => format!("AddSplitsBack({subtask}, {})", splits.len()),
        other => format!("{other:?}"),
    }
}
