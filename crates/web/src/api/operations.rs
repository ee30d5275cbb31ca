//! Checkpoints, savepoints and stops that clients trigger and then ask about.

use crate::{
    api::jobs::{FailureCause, QueueStatus},
    app::App,
    cluster::{Cluster, ClusterError},
    http::{
        answer::{Handled, Refusal, accepted, ok},
        call::{Call, parse_hex},
        fields::Fields,
    },
    operations::{Key, Kind, Outcome, State, TriggerId},
};
use flott_core::{config::options, id::JobId};
use flott_rpc::client::SnapshotTaken;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Triggered {
    request_id: String,
}

/// The client's id for the operation, or a new one.
fn trigger_id(call: &Call, fields: &Fields) -> Result<TriggerId, Refusal> {
    match fields.text(&["triggerId", "trigger-id"])? {
        None => Ok(call.app.operations.new_id()),
        Some(text) => {
            let id = parse_hex(&text).map(TriggerId);
            id.ok_or_else(|| Refusal::bad_request(format!("`triggerId` is `{text}`, and not 32 hexadecimal digits")))
        }
    }
}

/// Begins `work`, unless it was begun before under the same id.
fn begin(call: &Call, key: Key, work: impl FnOnce(&dyn Cluster) -> Outcome + Send + 'static) -> Handled {
    if call.app.operations.begin(key)? {
        let app: Arc<App> = Arc::clone(&call.app);
        tokio::task::spawn_blocking(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&*app.cluster)));
            let panicked = |_| Err(ClusterError::Failed("the operation panicked; the log says more".to_owned()));
            app.operations.finish(key, outcome.unwrap_or_else(panicked));
        });
    }
    accepted(&Triggered { request_id: key.2.to_string() })
}

/// The job that the path names, if there is one: a mistake is told at once.
fn known_job(call: &Call) -> Result<JobId, Refusal> {
    Ok(call.cluster().job(call.job()?)?.id)
}

/// What Flink's clients may ask a checkpoint to be.
pub(crate) const CHECKPOINT_TYPES: &[&str] = &["CONFIGURED", "FULL", "INCREMENTAL"];

/// What they may ask a savepoint to be. There is one format, which is neither bound to a state backend nor slow.
pub(crate) const FORMAT_TYPES: &[&str] = &["CANONICAL", "NATIVE"];

/// Where a snapshot is to go, as a client has it in the first of `names`; `None`: where the job has it.
fn target_directory(call: &Call, fields: &Fields, job: JobId, names: &[&'static str]) -> Result<Option<String>, Refusal> {
    fields.word("formatType", FORMAT_TYPES)?;
    let Some(directory) = fields.text(names)? else {
        if call.cluster().savepoint_directory(job)?.is_some() {
            return Ok(None);
        }
        let option = options::CHECKPOINTING_SAVEPOINT_DIR.key();
        return Err(Refusal::bad_request(format!(
            "the job has no directory for savepoints (`{option}`): name one in the field `{}`",
            names[0]
        )));
    };
    let has_scheme = directory.split('/').next().is_some_and(|first| first.contains(':'));
    if !has_scheme && !directory.starts_with('/') {
        let name = names[0];
        return Err(Refusal::bad_request(format!(
            "the field `{name}` is `{directory}`, which would be a folder of the JobManager's own: it must begin with `/` or with a scheme, as \
             `file:///savepoints`"
        )));
    }
    Ok(Some(directory))
}

/// `POST /jobs/:job/checkpoints`
pub(crate) fn trigger_checkpoint(call: &Call) -> Handled {
    let fields = call.fields()?;
    // A job's checkpoints are all of one type, which each is taken for.
    fields.word("checkpointType", CHECKPOINT_TYPES)?;
    let (id, job) = (trigger_id(call, &fields)?, known_job(call)?);
    begin(call, (Kind::Checkpoint, job, id), move |cluster| cluster.checkpoint(job).map(Some))
}

/// `POST /jobs/:job/savepoints`
pub(crate) fn trigger_savepoint(call: &Call) -> Handled {
    let fields = call.fields()?;
    let cancel = fields.boolean(&["cancel-job", "cancelJob"])?.unwrap_or(false);
    let (id, job) = (trigger_id(call, &fields)?, known_job(call)?);
    let directory = target_directory(call, &fields, job, &["target-directory", "targetDirectory"])?;
    begin(call, (Kind::Savepoint, job, id), move |cluster| cluster.savepoint(job, directory.as_deref(), cancel).map(Some))
}

/// `POST /jobs/:job/stop`
pub(crate) fn stop(call: &Call) -> Handled {
    let fields = call.fields()?;
    let drain = fields.boolean(&["drain"])?.unwrap_or(false);
    let (id, job) = (trigger_id(call, &fields)?, known_job(call)?);
    let directory = target_directory(call, &fields, job, &["targetDirectory", "target-directory"])?;
    begin(call, (Kind::Savepoint, job, id), move |cluster| cluster.stop(job, directory.as_deref(), drain).map(Some))
}

/// `PATCH /jobs/:job/rescaling`
pub(crate) fn rescale(call: &Call, parallelism: u32) -> Handled {
    let (id, job) = (call.app.operations.new_id(), known_job(call)?);
    begin(call, (Kind::Rescaling, job, id), move |cluster| cluster.rescale(job, parallelism).map(|()| None))
}

/// Operations that belong to no job.
const NO_JOB: JobId = JobId(0);

/// `POST /savepoint-disposal`
pub(crate) fn dispose_savepoint(call: &Call) -> Handled {
    let fields = call.fields()?;
    let location = fields.text(&["savepoint-path", "savepointPath"])?;
    let location = location.ok_or_else(|| Refusal::bad_request("the field `savepoint-path` is missing"))?;
    let id = trigger_id(call, &fields)?;
    begin(call, (Kind::Disposal, NO_JOB, id), move |cluster| cluster.dispose_savepoint(&location).map(|()| None))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Polled<T> {
    status: QueueStatus,
    operation: Option<T>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Operation {
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(rename = "checkpointId", skip_serializing_if = "Option::is_none")]
    checkpoint_id: Option<u64>,
    #[serde(rename = "failure-cause", skip_serializing_if = "Option::is_none")]
    failure_cause: Option<FailureCause>,
}

/// Where an operation stands; `show` picks what a snapshot is told by.
fn poll(call: &Call, key: Key, show: fn(SnapshotTaken) -> (Option<String>, Option<u64>)) -> Handled {
    let outcome = match call.app.operations.state(key) {
        None => return Err(Refusal::not_found(format!("there is no operation `{}`, or its result is no longer kept", key.2))),
        Some(State::InProgress) => return ok(&Polled::<()> { status: QueueStatus::IN_PROGRESS, operation: None }),
        Some(State::Done(outcome)) => outcome,
    };
    let operation = match outcome {
        Ok(snapshot) => {
            let (location, checkpoint_id) = snapshot.map(show).unwrap_or_default();
            Operation { location, checkpoint_id, failure_cause: None }
        }
        Err(error) => Operation { location: None, checkpoint_id: None, failure_cause: Some(FailureCause::new(error.to_string())) },
    };
    ok(&Polled { status: QueueStatus::COMPLETED, operation: Some(operation) })
}

/// `GET /jobs/:job/checkpoints/:trigger`
pub(crate) fn poll_checkpoint(call: &Call) -> Handled {
    poll(call, (Kind::Checkpoint, call.job()?, call.trigger()?), |taken| (None, Some(taken.checkpoint.0)))
}

/// `GET /jobs/:job/savepoints/:trigger`
pub(crate) fn poll_savepoint(call: &Call) -> Handled {
    poll(call, (Kind::Savepoint, call.job()?, call.trigger()?), |taken| (Some(taken.location), None))
}

/// `GET /jobs/:job/rescaling/:trigger`
pub(crate) fn poll_rescaling(call: &Call) -> Handled {
    poll(call, (Kind::Rescaling, call.job()?, call.trigger()?), |_| (None, None))
}

/// `GET /savepoint-disposal/:trigger`
pub(crate) fn poll_disposal(call: &Call) -> Handled {
    poll(call, (Kind::Disposal, NO_JOB, call.trigger()?), |_| (None, None))
}
