//! Lists of jobs, and the small questions about one.

use crate::{
    api::{
        attempts::{UserAccumulator, user_accumulators},
        job::Times,
        plan::PlanAnswer,
        processes::ConfigEntry,
        secrets::shown_map,
        states::small_counts,
    },
    http::{
        answer::{Empty, Handled, Refusal, accepted, ok},
        call::Call,
    },
    model::{Failure, JobSummary},
};
use axum::http::StatusCode;
use flott_core::time::Timestamp;
use flott_rpc::status::JobStatus;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Jobs<T> {
    jobs: Vec<T>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct JobIdAndStatus {
    id: String,
    #[schemars(with = "String")]
    status: JobStatus,
}

/// `GET /jobs`
pub(crate) fn jobs(call: &Call) -> Handled {
    let jobs = call.cluster().jobs()?;
    ok(&Jobs { jobs: jobs.iter().map(|job| JobIdAndStatus { id: job.id.to_string(), status: job.status }).collect() })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct JobDetails<'a> {
    jid: String,
    name: &'a str,
    #[serde(rename = "jobType")]
    job_type: &'static str,
    #[serde(rename = "schedulerType")]
    scheduler_type: &'static str,
    #[serde(flatten)]
    times: Times,
    #[schemars(with = "String")]
    state: JobStatus,
    last_modification: i64,
    tasks: BTreeMap<String, u32>,
    pending_operators: u32,
}

/// `GET /jobs/overview`
pub(crate) fn overview(call: &Call) -> Handled {
    let now = call.now();
    let jobs = call.cluster().jobs()?;
    ok(&Jobs { jobs: jobs.iter().map(|job| JobDetails::of(job, now)).collect() })
}

impl<'a> JobDetails<'a> {
    pub(crate) fn of(job: &'a JobSummary, now: Timestamp) -> Self {
        JobDetails {
            jid: job.id.to_string(),
            name: &job.name,
            job_type: job_type(job.batch),
            scheduler_type: scheduler_type(job.batch),
            times: Times::of(Some(job.started_at), job.ended_at, now),
            state: job.status,
            last_modification: job.changed_at.or(job.ended_at).unwrap_or(job.started_at),
            tasks: small_counts(&job.tasks),
            pending_operators: 0,
        }
    }
}

/// Flink's word for the kind of a job.
pub(crate) fn job_type(batch: bool) -> &'static str {
    if batch { "BATCH" } else { "STREAMING" }
}

/// Flink's word for what gives a job its slots. A job in streaming mode runs with fewer slots than it could use, and its parallelism can be
/// changed while it runs: what Flink's adaptive scheduler does. Its dashboard shows `/jobs/:job/rescales` for those alone. Tools that
/// rescale (its Kubernetes operator) go by the configuration and by `resource-requirements` instead, which all such jobs answer.
pub(crate) fn scheduler_type(batch: bool) -> &'static str {
    if batch { "Default" } else { "Adaptive" }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Status {
    #[schemars(with = "String")]
    status: JobStatus,
}

/// `GET /jobs/:job/status`
pub(crate) fn status(call: &Call) -> Handled {
    let job = call.job()?;
    // The list is cheaper than the job with everything in it.
    let status = call.cluster().jobs()?.into_iter().find(|summary| summary.id == job).map(|summary| summary.status);
    match status {
        Some(status) => ok(&Status { status }),
        None => ok(&Status { status: call.cluster().job(job)?.status }),
    }
}

/// `GET /jobs/:job/plan`
pub(crate) fn plan(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    ok(&PlanAnswer::of(job.id, &job.name, job.batch, &job.vertices))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ConfigAnswer<'a> {
    jid: String,
    name: &'a str,
    execution_config: ExecutionConfig<'a>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExecutionConfig<'a> {
    restart_strategy: &'a str,
    job_parallelism: i64,
    object_reuse_mode: bool,
    user_config: BTreeMap<&'a str, &'a str>,
}

/// `GET /jobs/:job/config`
pub(crate) fn config(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    ok(&ConfigAnswer {
        jid: job.id.to_string(),
        name: &job.name,
        execution_config: ExecutionConfig {
            restart_strategy: &job.config.restart_strategy,
            job_parallelism: job.config.parallelism.map_or(-1, i64::from),
            object_reuse_mode: false,
            user_config: shown_map(&job.config.options),
        },
    })
}

/// `GET /jobs/:job/configuration`: what a job is run with and where each option was given. Not Flink's.
pub(crate) fn configuration(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    ok(&ConfigEntry::all(&job.config.options))
}

/// How many failures are listed if the client does not say.
const EXCEPTIONS_SHOWN: u32 = 20;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exceptions<'a> {
    exception_history: ExceptionHistory<'a>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ExceptionHistory<'a> {
    entries: Vec<Exception<'a>>,
    truncated: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exception<'a> {
    exception_name: &'a str,
    stacktrace: &'a str,
    timestamp: i64,
    failure_labels: &'a BTreeMap<String, String>,
    task_name: Option<&'a str>,
    endpoint: Option<&'a str>,
    task_manager_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent_exceptions: Option<Vec<Exception<'a>>>,
}

impl<'a> Exception<'a> {
    fn of(failure: &'a Failure, outer: bool) -> Self {
        Exception {
            exception_name: &failure.name,
            stacktrace: &failure.text,
            timestamp: failure.at,
            failure_labels: &failure.labels,
            task_name: failure.task.as_deref(),
            endpoint: failure.endpoint.as_deref(),
            task_manager_id: failure.task_manager.as_deref(),
            concurrent_exceptions: outer.then(|| failure.concurrent.iter().map(|failure| Exception::of(failure, false)).collect()),
        }
    }
}

/// `GET /jobs/:job/exceptions`
pub(crate) fn exceptions(call: &Call) -> Handled {
    let shown = call.query_number("maxExceptions")?.unwrap_or(EXCEPTIONS_SHOWN) as usize;
    let failures = call.cluster().failures(call.job()?)?;
    let entries = failures.iter().take(shown).map(|failure| Exception::of(failure, true)).collect();
    ok(&Exceptions { exception_history: ExceptionHistory { entries, truncated: failures.len() > shown } })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Accumulators<'a> {
    job_accumulators: [(); 0],
    user_task_accumulators: Vec<UserAccumulator<'a>>,
    serialized_user_task_accumulators: Empty,
}

/// `GET /jobs/:job/accumulators`
pub(crate) fn accumulators(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    ok(&Accumulators {
        job_accumulators: [],
        user_task_accumulators: user_accumulators(&job.accumulators),
        serialized_user_task_accumulators: Empty {},
    })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExecutionResult {
    status: QueueStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_execution_result: Option<JobResult>,
}

/// Whether something is done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct QueueStatus {
    pub(crate) id: &'static str,
}

impl QueueStatus {
    pub(crate) const IN_PROGRESS: QueueStatus = QueueStatus { id: "IN_PROGRESS" };
    pub(crate) const COMPLETED: QueueStatus = QueueStatus { id: "COMPLETED" };
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct JobResult {
    id: String,
    application_status: &'static str,
    accumulator_results: Empty,
    net_runtime: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_cause: Option<FailureCause>,
}

/// A failure as Flink's client reads it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FailureCause {
    class: &'static str,
    stack_trace: String,
    /// A Java object in Flink; there is none.
    serialized_throwable: &'static str,
}

impl FailureCause {
    /// A failure that reads as `text`.
    pub(crate) fn new(text: String) -> Self {
        FailureCause { class: "flott.Error", stack_trace: text, serialized_throwable: "" }
    }
}

/// `GET /jobs/:job/execution-result`
pub(crate) fn execution_result(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    let application_status = match job.status {
        JobStatus::Finished => "SUCCEEDED",
        JobStatus::Canceled => "CANCELED",
        JobStatus::Failed => "FAILED",
        _ => return ok(&ExecutionResult { status: QueueStatus::IN_PROGRESS, job_execution_result: None }),
    };
    let failure_cause = match job.status {
        JobStatus::Failed => {
            let last = call.cluster().failures(job.id)?.into_iter().next();
            Some(FailureCause::new(last.map_or_else(|| "the job has failed".to_owned(), |failure| failure.text)))
        }
        _ => None,
    };
    let result = JobResult {
        id: job.id.to_string(),
        application_status,
        accumulator_results: Empty {},
        net_runtime: job.ended_at.map_or(0, |ended| ended.saturating_sub(job.started_at)),
        failure_cause,
    };
    ok(&ExecutionResult { status: QueueStatus::COMPLETED, job_execution_result: Some(result) })
}

/// `PATCH /jobs/:job?mode=cancel`
pub(crate) fn terminate(call: &Call) -> Handled {
    let job = call.job()?;
    match call.query("mode") {
        None => {}
        Some(mode) if mode.eq_ignore_ascii_case("cancel") => {}
        Some(mode) if mode.eq_ignore_ascii_case("stop") => {
            let message = "`mode` can only be `cancel`; a job is stopped by `POST /jobs/:job/stop`";
            return Err(Refusal::new(StatusCode::PERMANENT_REDIRECT, message));
        }
        Some(mode) => return Err(Refusal::parameter("query", "mode", mode)),
    }
    call.cluster().cancel(job)?;
    accepted(&Empty {})
}

/// `GET /jobs/:job/yarn-cancel`: what dashboards call to cancel.
pub(crate) fn yarn_cancel(call: &Call) -> Handled {
    call.cluster().cancel(call.job()?)?;
    accepted(&Empty {})
}
