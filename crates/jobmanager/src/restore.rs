//! Redistribution: who starts from which part of a snapshot.
//!
//! State is matched by operator id. The same code serves a restore at another parallelism and a failover within a run:
//! - *split* lists keep their place if the parallelism is unchanged (a sink finds its own transactions); else the items of
//!   all subtasks, in their order, are dealt round robin;
//! - *union* lists go to everyone, with the items of all subtasks, also of finished ones;
//! - keyed state goes to whoever owns one of its key groups now.
//!
//! A subtask starts as finished if all of its vertex had, or, at unchanged parallelism, if it had itself with all its
//! operators. Its state is given to it all the same: what it had prepared to commit may not be committed yet. At another
//! parallelism the state of finished subtasks is spread like that of others, and everyone runs. Nobody starts as finished behind
//! someone who runs: after a change of parallelism a finished subtask may have other inputs than it had, and would lose their
//! records.

use flott_core::{
    id::{CheckpointId, OperatorId, SubtaskId, VertexId},
    key_group::{KeyGroupRange, MaxParallelismChanged},
    snapshot::{ListStateSnapshot, Redistribution, SubtaskSnapshot},
};
use flott_graph::{JobTopology, VertexTopology};
use flott_rpc::task::{OperatorRestore, TaskRestore};
use flott_storage::{CheckpointMetadata, OperatorState, OperatorSubtaskState};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

/// A snapshot to start from.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredSnapshot {
    /// Its content.
    pub metadata: Arc<CheckpointMetadata>,
    /// Its folder, as its storage names it.
    pub location: String,
    /// Whether the job owns it, and removes it when newer ones have taken its place (claim mode CLAIM).
    pub owned: bool,
}

/// A snapshot cannot be restored into a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// There is state that would be lost.
    #[error(
        "checkpoint {checkpoint} holds state of {operators}, but the job has no such operator; give the operator the `uid` that it had, or \
         set `execution.state-recovery.ignore-unclaimed-state` to leave its state behind"
    )]
    UnclaimedState {
        /// The snapshot.
        checkpoint: CheckpointId,
        /// The operators, as text.
        operators: String,
    },
    /// The number of key groups is another.
    #[error(transparent)]
    MaxParallelism(#[from] MaxParallelismChanged),
}

/// Whether all state of the snapshot finds its operator.
///
/// # Errors
/// [`RestoreError`]: it does not.
pub fn check(metadata: &CheckpointMetadata, topology: &JobTopology, allow_non_restored_state: bool) -> Result<(), RestoreError> {
    let vertex_of: BTreeMap<OperatorId, &VertexTopology> =
        topology.vertices.iter().flat_map(|vertex| vertex.operators.iter().map(move |operator| (operator.id, vertex))).collect();
    let unclaimed: Vec<String> = metadata
        .operators
        .iter()
        .filter(|operator| has_state(operator) && !vertex_of.contains_key(&operator.id))
        .map(|operator| match &operator.uid {
            Some(uid) => format!("operator `{}` (uid `{uid}`)", operator.name),
            None => format!("operator `{}` (no uid, id {})", operator.name, operator.id),
        })
        .collect();
    if !unclaimed.is_empty() && !allow_non_restored_state {
        return Err(RestoreError::UnclaimedState { checkpoint: metadata.checkpoint, operators: unclaimed.join(", ") });
    }
    for operator in &metadata.operators {
        let Some(vertex) = vertex_of.get(&operator.id) else { continue };
        for keyed in operator.subtasks.values().filter_map(|subtask| subtask.snapshot.keyed.as_ref()) {
            if !keyed.blocks.is_empty() && keyed.max_parallelism != vertex.max_parallelism {
                return Err(RestoreError::MaxParallelism(MaxParallelismChanged {
                    checkpoint: metadata.checkpoint,
                    operator: operator.name.clone(),
                    stored: keyed.max_parallelism,
                    configured: vertex.max_parallelism,
                }));
            }
        }
    }
    Ok(())
}

fn has_state(operator: &OperatorState) -> bool {
    operator.coordinator.is_some() || operator.subtasks.values().any(|subtask| !subtask.snapshot.is_empty())
}

/// The state of the enumerator of a source.
pub(crate) fn enumerator_state(metadata: &CheckpointMetadata, source: &VertexTopology) -> Option<Vec<u8>> {
    metadata.operator(source.operators.first()?.id)?.coordinator.clone()
}

/// The final state of a subtask that had finished, as later checkpoints hold it.
pub(crate) fn final_state(metadata: &CheckpointMetadata, vertex: &VertexTopology, index: u32) -> Option<SubtaskSnapshot> {
    let of_operator = |id| {
        let operator = metadata.operator(id).filter(|operator| operator.parallelism == vertex.parallelism)?;
        let subtask = operator.subtasks.get(&index).filter(|subtask| subtask.finished)?;
        Some(subtask.snapshot.clone())
    };
    let operators = vertex.operators.iter().map(|operator| of_operator(operator.id)).collect::<Option<Vec<_>>>()?;
    Some(SubtaskSnapshot { operators, finished: true })
}

/// What the subtasks `wanted` start from.
pub(crate) fn assign(
    snapshot: &RestoredSnapshot,
    topology: &JobTopology,
    wanted: &BTreeSet<SubtaskId>,
) -> BTreeMap<SubtaskId, TaskRestore> {
    let states: BTreeMap<OperatorId, &OperatorState> = snapshot.metadata.operators.iter().map(|state| (state.id, state)).collect();
    let finished = finished_subtasks(&states, topology);
    let mut of_vertex: BTreeMap<VertexId, Vec<u32>> = BTreeMap::new();
    for subtask in wanted {
        of_vertex.entry(subtask.vertex).or_default().push(subtask.index);
    }
    let mut assigned = BTreeMap::new();
    for (vertex, indexes) in of_vertex {
        let topology = topology.vertex(vertex);
        let states: Vec<Option<&OperatorState>> = topology.operators.iter().map(|operator| states.get(&operator.id).copied()).collect();
        let mut restores: Vec<TaskRestore> = indexes
            .iter()
            .map(|index| TaskRestore {
                checkpoint: snapshot.metadata.checkpoint,
                location: snapshot.location.clone(),
                operators: BTreeMap::new(),
                finished: finished[vertex.0 as usize][*index as usize],
            })
            .collect();
        for state in states.into_iter().flatten() {
            for (restore, operator) in restores.iter_mut().zip(redistribute(state, topology, &indexes)) {
                if !operator.lists.is_empty() || !operator.keyed.is_empty() {
                    restore.operators.insert(state.id, operator);
                }
            }
        }
        for (index, restore) in indexes.into_iter().zip(restores) {
            assigned.insert(SubtaskId { vertex, index }, restore);
        }
    }
    assigned
}

/// Of each vertex, which subtasks start as finished.
fn finished_subtasks(states: &BTreeMap<OperatorId, &OperatorState>, topology: &JobTopology) -> Vec<Vec<bool>> {
    let mut finished: Vec<Vec<bool>> = Vec::with_capacity(topology.vertices.len());
    // Inputs come before their consumers.
    for (number, vertex) in topology.vertices.iter().enumerate() {
        let states: Vec<Option<&OperatorState>> = vertex.operators.iter().map(|operator| states.get(&operator.id).copied()).collect();
        let mut own = were_finished(&states, vertex.parallelism);
        for edge in topology.inputs(VertexId(number as u32)) {
            if !own.contains(&true) {
                break;
            }
            let senders = finished.get(edge.from.0 as usize).map_or(&[][..], Vec::as_slice);
            if !edge.kind.is_pointwise() {
                // All are connected with all.
                if senders.contains(&false) {
                    own.fill(false);
                }
                continue;
            }
            for (sender, _) in senders.iter().enumerate().filter(|(_, finished)| !**finished) {
                for receiver in edge.targets(sender as u32, senders.len() as u32, vertex.parallelism) {
                    own[receiver as usize] = false;
                }
            }
        }
        finished.push(own);
    }
    finished
}

/// Which subtasks of a vertex had finished with all operators.
fn were_finished(states: &[Option<&OperatorState>], parallelism: u32) -> Vec<bool> {
    let vertex_finished = |state: &OperatorState| {
        state.subtasks.len() == state.parallelism as usize
            && !state.subtasks.is_empty()
            && state.subtasks.values().all(|subtask| subtask.finished)
    };
    let subtask_finished = |state: &OperatorState, index: u32| {
        state.parallelism == parallelism && state.subtasks.get(&index).is_some_and(|subtask| subtask.finished)
    };
    if states.is_empty() {
        return vec![false; parallelism as usize];
    }
    if states.iter().all(|state| state.is_some_and(vertex_finished)) {
        return vec![true; parallelism as usize];
    }
    (0..parallelism).map(|index| states.iter().all(|state| state.is_some_and(|state| subtask_finished(state, index)))).collect()
}

/// The shares of the subtasks `wanted`, which are in ascending order, in an operator's state.
fn redistribute(state: &OperatorState, vertex: &VertexTopology, wanted: &[u32]) -> Vec<OperatorRestore> {
    let mut shares = vec![OperatorRestore::default(); wanted.len()];
    let same_parallelism = state.parallelism == vertex.parallelism;
    // What everyone gets, in the order in which the lists are met.
    let mut common: Vec<ListStateSnapshot> = Vec::new();
    let mut next = 0;
    let mut dealt: Vec<(usize, &ListStateSnapshot, &Vec<u8>)> = Vec::new();
    for (index, OperatorSubtaskState { snapshot, .. }) in &state.subtasks {
        for list in &snapshot.lists {
            match list.redistribution {
                Redistribution::Union => list_like(&mut common, list).items.extend_from_slice(&list.items),
                Redistribution::Split if same_parallelism => {
                    if let Ok(place) = wanted.binary_search(index) {
                        list_like(&mut shares[place].lists, list).items.extend_from_slice(&list.items);
                    }
                }
                Redistribution::Split => {
                    list_like(&mut common, list);
                    // Dealing goes on where it stopped: short lists must not all end up with the first subtask.
                    for item in &list.items {
                        if let Ok(place) = wanted.binary_search(&(next % vertex.parallelism)) {
                            dealt.push((place, list, item));
                        }
                        next += 1;
                    }
                }
            }
        }
        let Some(keyed) = &snapshot.keyed else { continue };
        for place in overlapping(keyed.groups, vertex, wanted) {
            shares[place].keyed.push(keyed.clone());
        }
    }
    for share in &mut shares {
        for list in &common {
            list_like(&mut share.lists, list).items.extend_from_slice(&list.items);
        }
    }
    for (place, list, item) in dealt {
        list_like(&mut shares[place].lists, list).items.push(item.clone());
    }
    shares
}

/// The places in `wanted` of the subtasks that own some of the key groups.
fn overlapping(groups: KeyGroupRange, vertex: &VertexTopology, wanted: &[u32]) -> Range<usize> {
    let of = |index: &u32| KeyGroupRange::of_subtask(*index, vertex.parallelism, vertex.max_parallelism);
    let first = wanted.partition_point(|index| of(index).end <= groups.start);
    let end = wanted.partition_point(|index| of(index).start < groups.end);
    first..end.max(first)
}

/// The list that is described as `like` is, made if it is not there.
fn list_like<'a>(lists: &'a mut Vec<ListStateSnapshot>, like: &ListStateSnapshot) -> &'a mut ListStateSnapshot {
    let same = |list: &ListStateSnapshot| {
        list.name == like.name && list.redistribution == like.redistribution && list.codec == like.codec && list.schema == like.schema
    };
    let place = lists.iter().position(same).unwrap_or_else(|| {
        lists.push(ListStateSnapshot { items: Vec::new(), ..like.clone() });
        lists.len() - 1
    });
    &mut lists[place]
}

#[cfg(test)]
mod tests;
