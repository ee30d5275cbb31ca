//! `/applications`: groups of jobs in newer dashboards. Each job of Flott is one of its own.

use crate::{
    api::job::Times,
    http::{
        answer::{Handled, ok},
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
    #[schemars(with = "String")]
    status: JobStatus,
    jobs: BTreeMap<String, u32>,
}

impl<'a> Application<'a> {
    fn of(job: &'a JobSummary, now: Timestamp) -> Self {
        Application {
            id: job.id.to_string(),
            name: &job.name,
            times: Times::of(Some(job.started_at), job.ended_at, now),
            status: job.status,
            jobs: BTreeMap::from([(job.status.to_string(), 1)]),
        }
    }
}

/// `GET /applications/overview`
pub(crate) fn overview(call: &Call) -> Handled {
    let jobs = call.cluster().jobs()?;
    ok(&Applications { applications: jobs.iter().map(|job| Application::of(job, call.now())).collect() })
}
