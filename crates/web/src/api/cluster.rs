//! `/config`, `/overview`, and the cluster as a whole.

use crate::http::{
    answer::{Empty, Handled, accepted, ok},
    call::Call,
};
use flott_core::time::millis;
use flott_rpc::status::JobStatus;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Config<'a> {
    refresh_interval: i64,
    timezone_name: String,
    timezone_offset: i64,
    flink_version: &'a str,
    flink_revision: &'a str,
    features: Features,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Features {
    web_submit: bool,
    web_cancel: bool,
    web_rescale: bool,
    web_history: bool,
}

/// `GET /config`
pub(crate) fn config(call: &Call) -> Handled {
    let options = &call.app.options;
    let (timezone_name, timezone_offset) = (options.time_zone)();
    ok(&Config {
        refresh_interval: millis(options.refresh_interval),
        timezone_name,
        timezone_offset,
        flink_version: &options.version,
        flink_revision: &options.revision,
        features: Features { web_submit: options.submit, web_cancel: options.cancel, web_rescale: options.rescale, web_history: false },
    })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Overview<'a> {
    taskmanagers: usize,
    slots_total: usize,
    slots_available: usize,
    jobs_running: usize,
    jobs_finished: usize,
    jobs_cancelled: usize,
    jobs_failed: usize,
    flink_version: &'a str,
    flink_commit: &'a str,
}

/// `GET /overview`
pub(crate) fn overview(call: &Call) -> Handled {
    let task_managers = call.cluster().task_managers()?;
    let jobs = call.cluster().jobs()?;
    let in_state = |status| jobs.iter().filter(|job| job.status == status).count();
    let slots = || task_managers.iter().flat_map(|task_manager| &task_manager.slots);
    let options = &call.app.options;
    ok(&Overview {
        taskmanagers: task_managers.len(),
        slots_total: slots().count(),
        slots_available: slots().filter(|slot| slot.job.is_none()).count(),
        jobs_running: jobs.iter().filter(|job| !job.status.is_terminal()).count(),
        jobs_finished: in_state(JobStatus::Finished),
        jobs_cancelled: in_state(JobStatus::Canceled),
        jobs_failed: in_state(JobStatus::Failed),
        flink_version: &options.version,
        flink_commit: options.revision.split(" @ ").next().unwrap_or_default(),
    })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataSets {
    data_sets: [(); 0],
}

/// `GET /datasets`: results that one job keeps for the next, which Flott does not have.
pub(crate) fn data_sets(_: &Call) -> Handled {
    ok(&DataSets { data_sets: [] })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Identity {
    name: String,
    role: &'static str,
}

/// `GET /auth/whoami`: so that a dashboard offers only what its reader may do. Not Flink's.
pub(crate) fn who_am_i(call: &Call) -> Handled {
    let caller = call.caller();
    ok(&Identity { name: caller.name, role: caller.role.as_str() })
}

/// `DELETE /cluster`
pub(crate) fn shut_down(call: &Call) -> Handled {
    call.cluster().shut_down()?;
    accepted(&Empty {})
}
