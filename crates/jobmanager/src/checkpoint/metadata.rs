//! From acknowledgements to the content of a checkpoint.

use super::{coordinator::Context, pending::PendingCheckpoint};
use flott_core::id::JobId;
use flott_rpc::task::SnapshotKind as Kind;
use flott_storage::{CheckpointMetadata, OperatorInfo, SnapshotKind, VertexSnapshot};
use std::{collections::BTreeMap, sync::Arc};

/// The content of a checkpoint that all have acknowledged, moved out of it. Tasks that had finished before are in it with their final state.
///
/// # Errors
/// A subtask is missing, or has state of an operator that it does not have: as text.
pub(crate) fn of(pending: &mut PendingCheckpoint, job: JobId, epoch: u64, context: &Context<'_>) -> Result<CheckpointMetadata, String> {
    let topology = context.graph.topology();
    let metadata = CheckpointMetadata {
        job,
        job_name: topology.name.clone(),
        epoch,
        checkpoint: pending.id,
        kind: match pending.kind {
            Kind::Checkpoint => SnapshotKind::Checkpoint,
            Kind::Savepoint { .. } => SnapshotKind::Savepoint,
            Kind::StopWithSavepoint { .. } => SnapshotKind::StopWithSavepoint,
        },
        completed_at_ms: context.now.wall.max(0) as u64,
        operators: Vec::new(),
    };
    let mut vertices = Vec::new();
    for vertex in &topology.vertices {
        let mut subtasks = BTreeMap::new();
        for task in context.graph.of_vertex(vertex.id) {
            let answer = pending.participants.get_mut(&task.subtask).and_then(|participant| participant.acknowledged.as_mut());
            let snapshot = match answer {
                // The final state is kept: it takes part in all later checkpoints.
                Some(answer) if answer.finished => answer.snapshot.clone(),
                Some(answer) => answer.snapshot.take(),
                None => task.final_snapshot.clone(),
            };
            let snapshot = snapshot.ok_or_else(|| format!("the state of task {} is missing", task.subtask))?;
            subtasks.insert(task.subtask.index, Arc::unwrap_or_clone(snapshot));
        }
        let head = vertex.operators.first().map(|head| head.id);
        let coordinators = pending.enumerators.get(&vertex.id).zip(head).map(|(state, head)| (head, state.clone()));
        vertices.push(VertexSnapshot {
            operators: vertex
                .operators
                .iter()
                .map(|operator| OperatorInfo { id: operator.id, uid: operator.uid.clone(), name: operator.name.clone() })
                .collect(),
            parallelism: vertex.parallelism,
            max_parallelism: vertex.max_parallelism,
            coordinators: coordinators.into_iter().collect(),
            subtasks,
        });
    }
    metadata.with_vertices(vertices).map_err(|error| error.to_string())
}
