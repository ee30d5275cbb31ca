//! The content of `_metadata`: everything about a checkpoint but the bytes of large state.

use crate::{StorageError, frame::FrameKind, location::is_state_file_name};
use flott_core::{
    id::{CheckpointId, JobId, OperatorId},
    key_group::UPPER_BOUND_MAX_PARALLELISM,
    snapshot::{BlockData, KeyedSnapshot, OperatorSnapshot, SubtaskSnapshot},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a `_metadata` file begins. The version goes up with any change to the types below, or to those of
/// [`flott_core::snapshot`] and [`flott_core::schema`].
pub(crate) const METADATA_FRAME: FrameKind = FrameKind { magic: b"FLOTTchk", version: 1 };

/// What a snapshot was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SnapshotKind {
    /// For recovery. Belongs to the job.
    Checkpoint,
    /// For the user, while the job goes on. Belongs to the user; the job does not recover from it, since sinks commit nothing for it.
    Savepoint,
    /// For the user, as the last thing of the job: sinks commit for it, so a recovery starts from it. Belongs to the user.
    StopWithSavepoint,
}

/// A complete checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointMetadata {
    /// The job that took it.
    pub job: JobId,
    /// The job's name.
    pub job_name: String,
    /// The term of the JobManager that completed it.
    pub epoch: u64,
    /// Its number.
    pub checkpoint: CheckpointId,
    /// What it was taken for.
    pub kind: SnapshotKind,
    /// When it was completed, in ms since 1970.
    pub completed_at_ms: u64,
    /// The state of each operator. Operators are matched by id at restore: chains may differ.
    pub operators: Vec<OperatorState>,
}

/// The state of one operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorState {
    /// The operator.
    pub id: OperatorId,
    /// The `uid` that the id was made from, if it was given one.
    pub uid: Option<String>,
    /// Its name, for messages.
    pub name: String,
    /// The number of its subtasks.
    pub parallelism: u32,
    /// The number of its key groups.
    pub max_parallelism: u32,
    /// The state of its split enumerator, if it is a source.
    pub coordinator: Option<Vec<u8>>,
    /// The state of each subtask, by index.
    pub subtasks: BTreeMap<u32, OperatorSubtaskState>,
}

/// The state of one subtask of an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorSubtaskState {
    /// The state.
    pub snapshot: OperatorSnapshot,
    /// Whether the subtask had finished.
    pub finished: bool,
}

/// An operator of a vertex, as the job graph knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorInfo {
    /// The operator.
    pub id: OperatorId,
    /// The `uid` that it was given.
    pub uid: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a checkpoint has of one vertex: a chain of operators.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexSnapshot {
    /// Its operators, in the order of the chain.
    pub operators: Vec<OperatorInfo>,
    /// The number of its subtasks.
    pub parallelism: u32,
    /// The number of its key groups.
    pub max_parallelism: u32,
    /// The state of split enumerators, by the operators that are sources.
    pub coordinators: BTreeMap<OperatorId, Vec<u8>>,
    /// What each subtask has acknowledged with, by index: all of them.
    pub subtasks: BTreeMap<u32, SubtaskSnapshot>,
}

impl CheckpointMetadata {
    /// Sorts what the tasks of all vertices have acknowledged with by operator, into `self.operators`.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] if a subtask is missing, is one too many, or has state of an operator that is not in the vertex.
    pub fn with_vertices(mut self, vertices: impl IntoIterator<Item = VertexSnapshot>) -> Result<Self, StorageError> {
        for vertex in vertices {
            let operators = by_operator(vertex).map_err(|what| StorageError::Invalid { checkpoint: self.checkpoint, what })?;
            self.operators.extend(operators);
        }
        Ok(self)
    }

    /// The state of an operator.
    pub fn operator(&self, id: OperatorId) -> Option<&OperatorState> {
        self.operators.iter().find(|operator| operator.id == id)
    }

    /// The state files, with their lengths in bytes.
    pub fn state_files(&self) -> BTreeMap<&str, u64> {
        let data = self.keyed().map(|keyed| &keyed.data);
        data.filter_map(|data| match data {
            BlockData::File { name, bytes } => Some((name.as_str(), *bytes)),
            BlockData::Inline(_) => None,
        })
        .collect()
    }

    fn keyed(&self) -> impl Iterator<Item = &KeyedSnapshot> {
        self.operators.iter().flat_map(|operator| operator.subtasks.values()).filter_map(|subtask| subtask.snapshot.keyed.as_ref())
    }

    /// Whether all of it fits together, so that a restore can rely on it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        let mut lengths = BTreeMap::new();
        for operator in &self.operators {
            let broken = |what: String| format!("operator `{}` ({}): {what}", operator.name, operator.id);
            if !ids.insert(operator.id) {
                return Err(broken("it is there twice".into()));
            }
            operator.check().map_err(broken)?;
        }
        for keyed in self.keyed() {
            if let BlockData::File { name, bytes } = &keyed.data
                && *lengths.entry(name).or_insert(*bytes) != *bytes
            {
                return Err(format!("state file `{name}` is there with two lengths"));
            }
        }
        Ok(())
    }
}

impl OperatorState {
    fn check(&self) -> Result<(), String> {
        if self.parallelism == 0 || self.parallelism > self.max_parallelism || self.max_parallelism > UPPER_BOUND_MAX_PARALLELISM {
            return Err(format!("a parallelism of {} does not go with a maximum of {}", self.parallelism, self.max_parallelism));
        }
        for (index, subtask) in &self.subtasks {
            if *index >= self.parallelism {
                return Err(format!("there is no subtask {index} at parallelism {}", self.parallelism));
            }
            if subtask.snapshot.operator != self.id {
                return Err(format!("subtask {index} has the state of operator {}", subtask.snapshot.operator));
            }
            if let Some(keyed) = &subtask.snapshot.keyed {
                check_keyed(keyed, self.max_parallelism).map_err(|what| format!("subtask {index}: {what}"))?;
            }
        }
        Ok(())
    }
}

fn check_keyed(keyed: &KeyedSnapshot, max_parallelism: u32) -> Result<(), String> {
    if keyed.max_parallelism != max_parallelism || keyed.groups.start > keyed.groups.end || keyed.groups.end > max_parallelism {
        return Err(format!(
            "key groups {} of {} do not fit a maximum parallelism of {max_parallelism}",
            keyed.groups, keyed.max_parallelism
        ));
    }
    let length = match &keyed.data {
        BlockData::Inline(bytes) => bytes.len() as u64,
        BlockData::File { name, .. } if !is_state_file_name(name) => return Err(format!("`{name}` is no name of a state file")),
        BlockData::File { bytes, .. } => *bytes,
    };
    for block in &keyed.blocks {
        if usize::from(block.state) >= keyed.states.len() || !keyed.groups.contains(block.group) {
            return Err(format!("a block is of state {} and key group {}, which are not there", block.state, block.group));
        }
        if block.offset.checked_add(u64::from(block.len)).is_none_or(|end| end > length) {
            return Err(format!("a block of {} bytes at {} does not fit into {length} bytes", block.len, block.offset));
        }
    }
    Ok(())
}

fn by_operator(vertex: VertexSnapshot) -> Result<Vec<OperatorState>, String> {
    let VertexSnapshot { operators, parallelism, max_parallelism, mut coordinators, subtasks } = vertex;
    let mut states: Vec<OperatorState> = operators
        .into_iter()
        .map(|OperatorInfo { id, uid, name }| OperatorState {
            coordinator: coordinators.remove(&id),
            id,
            uid,
            name,
            parallelism,
            max_parallelism,
            subtasks: BTreeMap::new(),
        })
        .collect();
    if let Some(id) = coordinators.keys().next() {
        return Err(format!("there is a split enumerator of operator {id}, which is not in its vertex"));
    }
    if !subtasks.keys().copied().eq(0..parallelism) {
        return Err(format!("of {parallelism} subtasks, those are there: {:?}", subtasks.keys()));
    }
    for (index, subtask) in subtasks {
        for snapshot in subtask.operators {
            let state = states.iter_mut().find(|state| state.id == snapshot.operator);
            let state =
                state.ok_or_else(|| format!("subtask {index} has state of operator {}, which is not in its vertex", snapshot.operator))?;
            let known = state.subtasks.insert(index, OperatorSubtaskState { snapshot, finished: subtask.finished });
            if known.is_some() {
                return Err(format!("subtask {index} has two states of operator `{}`", state.name));
            }
        }
        // Operators without state are there too: whether they had finished counts.
        for state in &mut states {
            state.subtasks.entry(index).or_insert_with(|| OperatorSubtaskState {
                snapshot: OperatorSnapshot { operator: state.id, name: state.name.clone(), lists: Vec::new(), keyed: None },
                finished: subtask.finished,
            });
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests;
