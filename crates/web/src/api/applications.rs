//! `/applications`: groups of jobs in newer dashboards. Each job of Flott is one of its own, with the job's id.

use crate::{
    api::{
        job::Times,
        jobs::JobDetails,
        states::{JOB_STATUSES, entered},
    },
    http::{
        answer::{Empty, Handled, Refusal, accepted, ok},
        call::Call,
    },
    model::JobSummary,
};
use flott_core::time::Timestamp;
use flott_rpc::status::JobStatus;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Applications<'a> {
    applications: Vec<Application<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Application<'a> {
    id: String,
    name: &'a str,
    #[serde(flatten)]
    times: Times,
    status: &'static str,
    jobs: BTreeMap<String, u32>,
}

impl<'a> Application<'a> {
    fn of(job: &'a JobSummary, now: Timestamp) -> Self {
        Application {
            id: job.id.to_string(),
            name: &job.name,
            times: Times::of(Some(job.started_at), job.ended_at, now),
            status: state(job.status),
            jobs: BTreeMap::from([(job.status.to_string(), 1)]),
        }
    }
}

/// The state of an application whose only job has this one. Applications have fewer, and one is written otherwise.
fn state(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Created => "CREATED",
        JobStatus::Running | JobStatus::Restarting | JobStatus::Reconciling => "RUNNING",
        JobStatus::Failing => "FAILING",
        JobStatus::Failed => "FAILED",
        JobStatus::Cancelling => "CANCELING",
        JobStatus::Canceled => "CANCELED",
        JobStatus::Finished => "FINISHED",
    }
}

/// `GET /applications/overview`
pub(crate) fn overview(call: &Call) -> Handled {
    let jobs = call.cluster().jobs()?;
    ok(&Applications { applications: jobs.iter().map(|job| Application::of(job, call.now())).collect() })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ApplicationDetails<'a> {
    id: String,
    name: &'a str,
    status: &'static str,
    #[serde(flatten)]
    times: Times,
    /// When each state was entered, ms since 1970; 0 for one that was not.
    timestamps: BTreeMap<&'static str, i64>,
    jobs: Vec<JobDetails<'a>>,
}

/// `GET /applications/:application`
pub(crate) fn application(call: &Call) -> Handled {
    let (id, now) = (call.application()?, call.now());
    let job = call.cluster().job(id)?;
    let jobs = call.cluster().jobs()?;
    let summary = jobs.iter().find(|job| job.id == id);
    let summary = summary.ok_or_else(|| Refusal::not_found(format!("there is no application `{id}`")))?;
    let mut timestamps: BTreeMap<&str, i64> = JOB_STATUSES.iter().map(|status| (state(*status), 0)).collect();
    for status in JOB_STATUSES {
        if let Some(at) = entered(&job.entered, status) {
            timestamps.insert(state(status), at);
        }
    }
    // An application runs as soon as its program does, and while its job starts again.
    timestamps.extend([("CREATED", summary.started_at), ("RUNNING", summary.started_at)]);
    ok(&ApplicationDetails {
        id: id.to_string(),
        name: &summary.name,
        status: state(summary.status),
        times: Times::of(Some(summary.started_at), summary.ended_at, now),
        timestamps,
        jobs: vec![JobDetails::of(summary, now)],
    })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationExceptions<'a> {
    exception_history: ApplicationExceptionHistory<'a>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ApplicationExceptionHistory<'a> {
    entries: Vec<ApplicationException<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationException<'a> {
    exception_name: &'a str,
    stacktrace: &'a str,
    timestamp: i64,
    job_id: String,
}

/// `GET /applications/:application/exceptions`: the failures of its job, newest first, also those that it was restarted after.
pub(crate) fn exceptions(call: &Call) -> Handled {
    let id = call.application()?;
    let failures = call.cluster().failures(id)?;
    let entries = failures.iter().map(|failure| ApplicationException {
        exception_name: &failure.name,
        stacktrace: &failure.text,
        timestamp: failure.at,
        job_id: id.to_string(),
    });
    ok(&ApplicationExceptions { exception_history: ApplicationExceptionHistory { entries: entries.collect() } })
}

/// `POST /applications/:application/cancel`
pub(crate) fn cancel(call: &Call) -> Handled {
    call.cluster().cancel(call.application()?)?;
    accepted(&Empty {})
}
