//! `/jobs/:job/checkpoints/details/:checkpoint`: one checkpoint, down to its subtasks.

use crate::{
    api::checkpoints::{CheckpointAnswer, Part, find},
    http::{
        answer::{Handled, Refusal, ok},
        call::Call,
    },
    model::{Checkpoint, Checkpoints, SubtaskCheckpoint, VertexCheckpoint},
    statistics::Summary,
};
use schemars::JsonSchema;
use serde::Serialize;

fn find_checkpoint<'a>(call: &Call, checkpoints: &'a Checkpoints) -> Result<&'a Checkpoint, Refusal> {
    let id = call.number("checkpoint", "checkpointid")?;
    let found = checkpoints.history.iter().find(|checkpoint| checkpoint.id.0 == id);
    found.ok_or_else(|| Refusal::not_found(format!("checkpoint {id} is not known, or no longer")))
}

/// `GET .../details/:checkpoint`
pub(crate) fn checkpoint(call: &Call) -> Handled {
    let (checkpoints, config) = find(call)?;
    ok(&CheckpointAnswer::of(find_checkpoint(call, &checkpoints)?, &config, true))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Subtasks {
    #[serde(flatten)]
    part: Part,
    summary: Summaries,
    subtasks: Vec<SubtaskAnswer>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Summaries {
    checkpointed_size: Summary,
    state_size: Summary,
    end_to_end_duration: Summary,
    checkpoint_duration: DurationSummaries,
    alignment: AlignmentSummaries,
    start_delay: Summary,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct DurationSummaries {
    sync: Summary,
    r#async: Summary,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct AlignmentSummaries {
    buffered: Summary,
    processed: Summary,
    persisted: Summary,
    duration: Summary,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum SubtaskAnswer {
    Completed(CompletedSubtask),
    Pending(PendingSubtask),
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PendingSubtask {
    #[serde(rename = "className")]
    class_name: &'static str,
    index: usize,
    status: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CompletedSubtask {
    #[serde(rename = "className")]
    class_name: &'static str,
    index: usize,
    ack_timestamp: i64,
    end_to_end_duration: u64,
    checkpointed_size: u64,
    state_size: u64,
    checkpoint: Durations,
    alignment: Alignment,
    start_delay: u64,
    unaligned_checkpoint: bool,
    aborted: bool,
    status: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Durations {
    sync: u64,
    r#async: u64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Alignment {
    buffered: u64,
    processed: u64,
    persisted: u64,
    duration: u64,
}

impl CompletedSubtask {
    fn of(index: usize, checkpoint: &Checkpoint, unaligned: bool, subtask: &SubtaskCheckpoint) -> Self {
        let stats = &subtask.stats;
        let end_to_end = subtask.acknowledged_at.saturating_sub(checkpoint.triggered_at);
        let end_to_end_duration = u64::try_from(end_to_end).unwrap_or(0);
        CompletedSubtask {
            class_name: "completed",
            index,
            ack_timestamp: subtask.acknowledged_at,
            end_to_end_duration,
            checkpointed_size: stats.bytes,
            state_size: stats.bytes,
            checkpoint: Durations { sync: stats.sync_us / 1000, r#async: stats.total_us.saturating_sub(stats.sync_us) / 1000 },
            alignment: Alignment { buffered: 0, processed: 0, persisted: 0, duration: stats.alignment_us / 1000 },
            // What is left of the time is what the barrier took to arrive.
            start_delay: end_to_end_duration.saturating_sub((stats.total_us + stats.alignment_us) / 1000),
            unaligned_checkpoint: unaligned,
            aborted: false,
            status: "completed",
        }
    }
}

/// `GET .../details/:checkpoint/subtasks/:vertex`
pub(crate) fn subtasks(call: &Call) -> Handled {
    let id = call.vertex()?;
    let (checkpoints, config) = find(call)?;
    let checkpoint = find_checkpoint(call, &checkpoints)?;
    let vertex: &VertexCheckpoint = checkpoint
        .vertices
        .iter()
        .find(|vertex| vertex.vertex == id)
        .ok_or_else(|| Refusal::not_found(format!("the vertex {} has no part in this checkpoint", call.param("vertex"))))?;
    let mut completed = Vec::new();
    for (index, subtask) in vertex.subtasks.iter().enumerate() {
        completed.push(match subtask {
            Some(subtask) => SubtaskAnswer::Completed(CompletedSubtask::of(index, checkpoint, config.unaligned, subtask)),
            None => SubtaskAnswer::Pending(PendingSubtask { class_name: "pending", index, status: "pending_or_failed" }),
        });
    }
    let summary = |value: fn(&CompletedSubtask) -> u64| {
        Summary::of(completed.iter().filter_map(|subtask| match subtask {
            SubtaskAnswer::Completed(subtask) => Some(value(subtask)),
            SubtaskAnswer::Pending(_) => None,
        }))
    };
    let summary = Summaries {
        checkpointed_size: summary(|subtask| subtask.checkpointed_size),
        state_size: summary(|subtask| subtask.state_size),
        end_to_end_duration: summary(|subtask| subtask.end_to_end_duration),
        checkpoint_duration: DurationSummaries {
            sync: summary(|subtask| subtask.checkpoint.sync),
            r#async: summary(|subtask| subtask.checkpoint.r#async),
        },
        alignment: AlignmentSummaries {
            buffered: summary(|subtask| subtask.alignment.buffered),
            processed: summary(|subtask| subtask.alignment.processed),
            persisted: summary(|subtask| subtask.alignment.persisted),
            duration: summary(|subtask| subtask.alignment.duration),
        },
        start_delay: summary(|subtask| subtask.start_delay),
    };
    ok(&Subtasks { part: Part::of_vertex(checkpoint, vertex), summary, subtasks: completed })
}
