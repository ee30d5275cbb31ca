//! `/jobs/:job/checkpoints`: counts, statistics, the last ones, the settings.

use crate::{
    api::states::vertex_id,
    http::{
        answer::{Handled, Refusal, ok},
        call::Call,
    },
    model::{Checkpoint, CheckpointConfig, CheckpointStatus, Checkpoints, Restore, VertexCheckpoint},
    statistics::Summary,
};
use flott_core::time::millis;
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// The checkpoints of a job that takes some.
pub(crate) fn find(call: &Call) -> Result<(Arc<Checkpoints>, CheckpointConfig), Refusal> {
    let checkpoints = call.cluster().checkpoints(call.job()?)?;
    let config = checkpoints.config.clone().ok_or_else(|| Refusal::not_found("the job takes no checkpoints"))?;
    Ok((checkpoints, config))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CheckpointsAnswer<'a> {
    counts: Counts,
    summary: Summaries,
    latest: Latest<'a>,
    history: Vec<CheckpointAnswer<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Counts {
    restored: u64,
    total: u64,
    in_progress: u64,
    completed: u64,
    failed: u64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Summaries {
    checkpointed_size: Summary,
    state_size: Summary,
    end_to_end_duration: Summary,
    alignment_buffered: Summary,
    processed_data: Summary,
    persisted_data: Summary,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Latest<'a> {
    completed: Option<CheckpointAnswer<'a>>,
    savepoint: Option<CheckpointAnswer<'a>>,
    failed: Option<CheckpointAnswer<'a>>,
    restored: Option<Restored<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Restored<'a> {
    id: u64,
    restore_timestamp: i64,
    is_savepoint: bool,
    #[serde(rename = "savepointFormat")]
    savepoint_format: Option<&'static str>,
    external_path: Option<&'a str>,
}

/// A checkpoint.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CheckpointAnswer<'a> {
    #[serde(rename = "className")]
    class_name: &'static str,
    #[serde(flatten)]
    part: Part,
    is_savepoint: bool,
    #[serde(rename = "savepointFormat")]
    savepoint_format: Option<&'static str>,
    trigger_timestamp: i64,
    checkpoint_type: &'static str,
    tasks: BTreeMap<String, Part>,
    #[serde(flatten)]
    end: End<'a>,
}

/// What only an ended checkpoint has.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum End<'a> {
    InProgress {},
    Completed { external_path: &'a str, discarded: bool },
    Failed { failure_timestamp: i64, failure_message: &'a str },
}

/// The figures of a checkpoint, or of a vertex in it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Part {
    id: u64,
    status: &'static str,
    latest_ack_timestamp: i64,
    checkpointed_size: u64,
    state_size: u64,
    end_to_end_duration: i64,
    alignment_buffered: u64,
    processed_data: u64,
    persisted_data: u64,
    num_subtasks: u64,
    num_acknowledged_subtasks: u64,
}

impl Part {
    fn of(checkpoint: &Checkpoint) -> Self {
        let known = checkpoint.vertices.iter().map(|vertex| vertex.subtasks.len()).sum::<usize>();
        let subtasks = checkpoint.subtasks.map_or(known as u64, u64::from);
        let complete = checkpoint.status == CheckpointStatus::Completed;
        Part {
            id: checkpoint.id.0,
            status: status(&checkpoint.status),
            latest_ack_timestamp: checkpoint.last_acknowledged_at().unwrap_or(-1),
            checkpointed_size: checkpoint.total_bytes(),
            state_size: checkpoint.total_bytes(),
            end_to_end_duration: millis(checkpoint.total_duration()),
            alignment_buffered: 0,
            processed_data: 0,
            persisted_data: 0,
            num_subtasks: subtasks,
            num_acknowledged_subtasks: if complete { subtasks } else { checkpoint.acknowledgements().count() as u64 },
        }
    }

    /// The part of `vertex` in `checkpoint`.
    pub(crate) fn of_vertex(checkpoint: &Checkpoint, vertex: &VertexCheckpoint) -> Self {
        let acknowledged = || vertex.subtasks.iter().flatten();
        let latest = acknowledged().map(|subtask| subtask.acknowledged_at).max();
        let bytes = acknowledged().map(|subtask| subtask.stats.bytes).sum();
        let complete = acknowledged().count() == vertex.subtasks.len();
        Part {
            id: checkpoint.id.0,
            status: if complete { status(&CheckpointStatus::Completed) } else { status(&checkpoint.status) },
            latest_ack_timestamp: latest.unwrap_or(-1),
            checkpointed_size: bytes,
            state_size: bytes,
            end_to_end_duration: latest.map_or(-1, |latest| latest.saturating_sub(checkpoint.triggered_at).max(0)),
            alignment_buffered: 0,
            processed_data: 0,
            persisted_data: 0,
            num_subtasks: vertex.subtasks.len() as u64,
            num_acknowledged_subtasks: acknowledged().count() as u64,
        }
    }
}

fn status(status: &CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::InProgress => "IN_PROGRESS",
        CheckpointStatus::Completed => "COMPLETED",
        CheckpointStatus::Failed { .. } => "FAILED",
    }
}

impl<'a> CheckpointAnswer<'a> {
    /// `checkpoint`; its vertices are left out of lists.
    pub(crate) fn of(checkpoint: &'a Checkpoint, config: &CheckpointConfig, with_vertices: bool) -> Self {
        let (class_name, end) = match &checkpoint.status {
            CheckpointStatus::InProgress => ("in_progress", End::InProgress {}),
            CheckpointStatus::Completed => {
                let external_path = checkpoint.location.as_deref().unwrap_or("<checkpoint-not-externally-addressable>");
                ("completed", End::Completed { external_path, discarded: checkpoint.discarded })
            }
            CheckpointStatus::Failed { at, reason } => ("failed", End::Failed { failure_timestamp: *at, failure_message: reason }),
        };
        let checkpoint_type = match (checkpoint.savepoint, checkpoint.stops) {
            (true, true) => "SYNC_SAVEPOINT",
            (true, false) => "SAVEPOINT",
            (false, _) if config.unaligned => "UNALIGNED_CHECKPOINT",
            (false, _) => "CHECKPOINT",
        };
        let vertices = checkpoint.vertices.iter().filter(|_| with_vertices);
        CheckpointAnswer {
            class_name,
            part: Part::of(checkpoint),
            is_savepoint: checkpoint.savepoint,
            savepoint_format: savepoint_format(checkpoint.savepoint),
            trigger_timestamp: checkpoint.triggered_at,
            checkpoint_type,
            tasks: vertices.map(|vertex| (vertex_id(vertex.vertex), Part::of_vertex(checkpoint, vertex))).collect(),
            end,
        }
    }
}

/// Flott has one format, which any version restores at any parallelism.
fn savepoint_format(savepoint: bool) -> Option<&'static str> {
    savepoint.then_some("CANONICAL")
}

impl<'a> Restored<'a> {
    fn of(restore: &'a Restore) -> Self {
        Restored {
            id: restore.id.0,
            restore_timestamp: restore.at,
            is_savepoint: restore.savepoint,
            savepoint_format: savepoint_format(restore.savepoint),
            external_path: restore.location.as_deref(),
        }
    }
}

/// `GET /jobs/:job/checkpoints`
pub(crate) fn checkpoints(call: &Call) -> Handled {
    let (checkpoints, config) = find(call)?;
    let shown = call.query_number("limit")?.map_or(call.app.options.checkpoint_history, |limit| limit as usize);
    let Checkpoints { totals, history, restored, .. } = &*checkpoints;
    let completed = || history.iter().filter(|checkpoint| checkpoint.status == CheckpointStatus::Completed);
    let failed = history.iter().find(|checkpoint| matches!(checkpoint.status, CheckpointStatus::Failed { .. }));
    let answer = |checkpoint| CheckpointAnswer::of(checkpoint, &config, false);
    let bytes = Summary::of(completed().map(Checkpoint::total_bytes));
    let zeros = Summary::of(completed().map(|_| 0));
    ok(&CheckpointsAnswer {
        counts: Counts {
            restored: totals.restored,
            total: totals.completed + totals.failed + totals.in_progress,
            in_progress: totals.in_progress,
            completed: totals.completed,
            failed: totals.failed,
        },
        summary: Summaries {
            checkpointed_size: bytes,
            state_size: bytes,
            end_to_end_duration: Summary::of(completed().map(|checkpoint| millis(checkpoint.total_duration()).unsigned_abs())),
            alignment_buffered: zeros,
            processed_data: zeros,
            persisted_data: zeros,
        },
        latest: Latest {
            completed: completed().find(|checkpoint| !checkpoint.savepoint).map(answer),
            savepoint: completed().find(|checkpoint| checkpoint.savepoint).map(answer),
            failed: failed.map(answer),
            restored: restored.as_ref().map(Restored::of),
        },
        history: history.iter().take(shown).map(answer).collect(),
    })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ConfigAnswer<'a> {
    mode: &'static str,
    interval: i64,
    timeout: i64,
    min_pause: i64,
    max_concurrent: u32,
    externalization: Externalization,
    state_backend: &'a str,
    checkpoint_storage: &'a str,
    unaligned_checkpoints: bool,
    tolerable_failed_checkpoints: u32,
    aligned_checkpoint_timeout: i64,
    checkpoints_after_tasks_finish: bool,
    state_changelog_enabled: bool,
    changelog_periodic_materialization_interval: i64,
    changelog_storage: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Externalization {
    enabled: bool,
    delete_on_cancellation: bool,
}

/// `GET /jobs/:job/checkpoints/config`
pub(crate) fn config(call: &Call) -> Handled {
    let (_, config) = find(call)?;
    ok(&ConfigAnswer {
        mode: if config.exactly_once { "exactly_once" } else { "at_least_once" },
        // The greatest number is Flink's "never".
        interval: config.interval.map_or(i64::MAX, millis),
        timeout: millis(config.timeout),
        min_pause: millis(config.min_pause),
        max_concurrent: config.max_concurrent,
        externalization: Externalization {
            enabled: config.retained_on_cancellation,
            delete_on_cancellation: !config.retained_on_cancellation,
        },
        state_backend: &config.state_backend,
        checkpoint_storage: &config.storage,
        unaligned_checkpoints: config.unaligned,
        tolerable_failed_checkpoints: config.tolerable_failures,
        aligned_checkpoint_timeout: 0,
        checkpoints_after_tasks_finish: true,
        state_changelog_enabled: false,
        changelog_periodic_materialization_interval: 0,
        changelog_storage: "none",
    })
}
