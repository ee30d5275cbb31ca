//! `/jobs/:job/rescales`: the changes of a job's parallelism, those that were and the one under way.
//!
//! Flink has them of jobs of its adaptive scheduler alone; here they are of every job, since each can be given another parallelism.

use crate::{
    api::states::vertex_id,
    http::{
        answer::{Empty, Handled, Refusal, ok},
        call::{Call, parse_hex},
    },
    model::{Job, Rescales},
    statistics::Summary,
};
use flott_core::id::OperatorId;
use flott_rpc::{
    client::{ParallelismBounds, RescaleCause, RescaleState, RescaleSummary},
    status::JobStatus,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Numbers of changes. One that became pointless is ignored.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    ignored: u64,
    in_progress: u64,
    completed: u64,
    failed: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    rescales_counts: Counts,
    latest: Latest,
}

/// The last change of each kind.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Latest {
    completed: Option<Details>,
    failed: Option<Details>,
    ignored: Option<Details>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SummaryAnswer {
    rescales_counts: Counts,
    rescales_duration_stats_in_millis: Summary,
    completed_rescales_duration_stats_in_millis: Summary,
    ignored_rescales_duration_stats_in_millis: Summary,
    failed_rescales_duration_stats_in_millis: Summary,
}

/// A change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details {
    rescale_uuid: String,
    resource_requirements_uuid: String,
    rescale_attempt_id: u64,
    vertices: BTreeMap<String, VertexRescale>,
    slots: BTreeMap<String, SlotRescale>,
    scheduler_states: Option<Vec<StateSpan>>,
    start_timestamp_in_millis: i64,
    end_timestamp_in_millis: Option<i64>,
    terminal_state: Option<&'static str>,
    trigger_cause: &'static str,
    terminated_reason: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VertexRescale {
    job_vertex_id: String,
    job_vertex_name: String,
    slot_sharing_group_id: String,
    slot_sharing_group_name: String,
    desired_parallelism: u32,
    sufficient_parallelism: u32,
    pre_rescale_parallelism: u32,
    post_rescale_parallelism: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlotRescale {
    slot_sharing_group_id: String,
    slot_sharing_group_name: String,
    request_resource_profile: Profile,
    desired_slots: u32,
    minimal_required_slots: u32,
    pre_rescale_slots: u32,
    post_rescale_slots: Option<u32>,
    acquired_resource_profile: Profile,
}

/// What a slot has: slots of Flott are not told apart by it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    cpu_cores: f64,
    task_heap_memory: i64,
    task_off_heap_memory: i64,
    managed_memory: i64,
    network_memory: i64,
    extended_resources: Empty,
}

/// How long the job was in which state for the change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StateSpan {
    state: &'static str,
    enter_timestamp_in_millis: i64,
    leave_timestamp_in_millis: Option<i64>,
    duration_in_millis: Option<i64>,
    stringified_exception: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigAnswer {
    rescale_history_max: usize,
    scheduler_execution_mode: Option<&'static str>,
    submission_resource_wait_timeout_in_millis: i64,
    submission_resource_stabilization_timeout_in_millis: i64,
    slot_idle_timeout_in_millis: i64,
    executing_cooldown_timeout_in_millis: i64,
    executing_resource_stabilization_timeout_in_millis: i64,
    maximum_delay_for_triggering_rescale_in_millis: Option<i64>,
    rescale_on_failed_checkpoint_count: u32,
}

/// What became of a change, with the state and the reason that Flink has for it; `None`: it is under way.
type End = Option<(&'static str, &'static str)>;

/// A job and its changes, newest first.
struct Found {
    job: Arc<Job>,
    rescales: Rescales,
}

impl Found {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let job = call.cluster().job(call.job()?)?;
        let mut rescales = call.cluster().rescales(job.id)?;
        rescales.changes.reverse();
        Ok(Found { job, rescales })
    }

    /// What became of the change at `place`.
    fn end(&self, place: usize) -> End {
        let ignored = |reason| Some(("IGNORED", reason));
        match &self.rescales.changes[place].state {
            RescaleState::Completed => Some(("COMPLETED", "SUCCEEDED")),
            RescaleState::Failed(_) => Some(("FAILED", "EXCEPTION_OCCURRED")),
            RescaleState::Superseded => match place.checked_sub(1).map(|next| self.rescales.changes[next].cause) {
                Some(RescaleCause::Failover) => ignored("JOB_FAILOVER_RESTARTING"),
                Some(RescaleCause::Requirements) => ignored("RESOURCE_REQUIREMENTS_UPDATED"),
                _ => ignored("NO_RESOURCES_OR_PARALLELISMS_CHANGE"),
            },
            RescaleState::TakingCheckpoint | RescaleState::Restarting => match self.job.status {
                JobStatus::Finished => ignored("JOB_FINISHED"),
                JobStatus::Failed | JobStatus::Failing => ignored("JOB_FAILING"),
                JobStatus::Canceled | JobStatus::Cancelling => ignored("JOB_CANCELING"),
                _ => None,
            },
        }
    }

    fn counts(&self) -> Counts {
        let totals = &self.rescales.totals;
        let mut counts = Counts { ignored: totals.superseded, in_progress: 0, completed: totals.completed, failed: totals.failed };
        // The one that has not come to its end is not among them.
        let open = |state: &RescaleState| matches!(state, RescaleState::TakingCheckpoint | RescaleState::Restarting);
        for (place, _) in self.rescales.changes.iter().enumerate().filter(|(_, change)| open(&change.state)) {
            *if self.end(place).is_some() { &mut counts.ignored } else { &mut counts.in_progress } += 1;
        }
        counts
    }

    fn details(&self, place: usize, with_states: bool) -> Details {
        let change = &self.rescales.changes[place];
        let end = self.end(place);
        let completed = change.state == RescaleState::Completed;
        let mut slots: BTreeMap<String, SlotRescale> = BTreeMap::new();
        let mut vertices = BTreeMap::new();
        for (index, vertex) in self.job.vertices.iter().enumerate() {
            let of = |all: &[u32]| all.get(index).copied().unwrap_or(vertex.parallelism);
            let (before, after) = (of(&change.from), completed.then(|| of(&change.to)));
            let bounds = change.bounds.get(index).copied().unwrap_or_else(|| ParallelismBounds::exactly(of(&change.to)));
            let name = vertex.slot_sharing_group.clone().unwrap_or_else(|| "default".to_owned());
            let group = vertex_id(OperatorId::from_uid(&name));
            // A slot holds a subtask of each vertex of its group.
            let slot = slots.entry(group.clone()).or_insert_with(|| SlotRescale::none(group.clone(), name.clone()));
            slot.desired_slots = slot.desired_slots.max(bounds.upper);
            slot.minimal_required_slots = slot.minimal_required_slots.max(bounds.lower);
            slot.pre_rescale_slots = slot.pre_rescale_slots.max(before);
            slot.post_rescale_slots = slot.post_rescale_slots.max(after);
            let id = vertex_id(vertex.id);
            let rescale = VertexRescale {
                job_vertex_id: id.clone(),
                job_vertex_name: vertex.name.clone(),
                slot_sharing_group_id: group,
                slot_sharing_group_name: name,
                desired_parallelism: bounds.upper,
                sufficient_parallelism: bounds.lower,
                pre_rescale_parallelism: before,
                post_rescale_parallelism: after,
            };
            vertices.insert(id, rescale);
        }
        let same = self.rescales.changes[place..].iter().take_while(|earlier| earlier.bounds == change.bounds).count();
        Details {
            rescale_uuid: self.id_of("rescale", change.number),
            resource_requirements_uuid: self.id_of("requirements", change.number + 1 - same as u64),
            rescale_attempt_id: same as u64,
            vertices,
            slots,
            scheduler_states: with_states.then(|| states(change)),
            start_timestamp_in_millis: change.started,
            end_timestamp_in_millis: change.ended.or_else(|| end.and(self.job.ended_at)),
            terminal_state: end.map(|(state, _)| state),
            trigger_cause: cause(change.cause),
            terminated_reason: end.map(|(_, reason)| reason),
        }
    }

    /// 32 hexadecimal digits that name something of the job, the same each time.
    fn id_of(&self, what: &str, number: u64) -> String {
        let half = |part| OperatorId::from_uid(&format!("{}/{what}/{number}/{part}", self.job.id)).0;
        format!("{:016x}{:016x}", half(0), half(1))
    }
}

impl SlotRescale {
    fn none(id: String, name: String) -> Self {
        SlotRescale {
            slot_sharing_group_id: id,
            slot_sharing_group_name: name,
            request_resource_profile: Profile::UNKNOWN,
            desired_slots: 0,
            minimal_required_slots: 0,
            pre_rescale_slots: 0,
            post_rescale_slots: None,
            acquired_resource_profile: Profile::UNKNOWN,
        }
    }
}

impl Profile {
    const UNKNOWN: Profile = Profile {
        cpu_cores: -1.0,
        task_heap_memory: -1,
        task_off_heap_memory: -1,
        managed_memory: -1,
        network_memory: -1,
        extended_resources: Empty {},
    };
}

fn cause(cause: RescaleCause) -> &'static str {
    match cause {
        RescaleCause::Start => "INITIAL_SCHEDULE",
        RescaleCause::Requirements => "UPDATE_REQUIREMENT",
        RescaleCause::Slots => "NEW_RESOURCE_AVAILABLE",
        RescaleCause::Failover => "RECOVERABLE_FAILOVER",
    }
}

/// While the checkpoint is taken the job runs; then its tasks end and start.
fn states(change: &RescaleSummary) -> Vec<StateSpan> {
    let span = |state, enter: i64, leave: Option<i64>| StateSpan {
        state,
        enter_timestamp_in_millis: enter,
        leave_timestamp_in_millis: leave,
        duration_in_millis: leave.map(|leave| leave.saturating_sub(enter)),
        stringified_exception: None,
    };
    let mut spans = Vec::new();
    if change.cause != RescaleCause::Start {
        spans.push(span("Executing", change.started, change.taken_down.or(change.ended)));
    }
    spans.extend(change.taken_down.map(|at| span("Restarting", at, change.ended)));
    if let (RescaleState::Failed(reason), Some(last)) = (&change.state, spans.last_mut()) {
        last.stringified_exception = Some(reason.clone());
    }
    spans
}

/// `GET /jobs/:job/rescales/overview`
pub(crate) fn overview(call: &Call) -> Handled {
    let found = Found::of(call)?;
    let places = 0..found.rescales.changes.len();
    let latest = |state| {
        let mut places = places.clone();
        places.find(|place| found.end(*place).is_some_and(|(end, _)| end == state)).map(|place| found.details(place, false))
    };
    let latest = Latest { completed: latest("COMPLETED"), failed: latest("FAILED"), ignored: latest("IGNORED") };
    ok(&Overview { rescales_counts: found.counts(), latest })
}

/// `GET /jobs/:job/rescales/history`
pub(crate) fn history(call: &Call) -> Handled {
    let found = Found::of(call)?;
    let all: Vec<Details> = (0..found.rescales.changes.len()).map(|place| found.details(place, false)).collect();
    ok(&all)
}

/// `GET /jobs/:job/rescales/summary`
pub(crate) fn summary(call: &Call) -> Handled {
    let found = Found::of(call)?;
    let durations = |wanted: Option<&str>| {
        let all = found.rescales.changes.iter().enumerate().filter_map(|(place, change)| {
            let (state, _) = found.end(place)?;
            let took = change.ended.or(found.job.ended_at)?.saturating_sub(change.started);
            wanted.is_none_or(|wanted| wanted == state).then(|| u64::try_from(took).unwrap_or(0))
        });
        Summary::of(all.collect::<Vec<_>>())
    };
    ok(&SummaryAnswer {
        rescales_counts: found.counts(),
        rescales_duration_stats_in_millis: durations(None),
        completed_rescales_duration_stats_in_millis: durations(Some("COMPLETED")),
        ignored_rescales_duration_stats_in_millis: durations(Some("IGNORED")),
        failed_rescales_duration_stats_in_millis: durations(Some("FAILED")),
    })
}

/// `GET /jobs/:job/rescales/details/:rescale`
pub(crate) fn details(call: &Call) -> Handled {
    let (asked, found) = (call.param("rescale"), Found::of(call)?);
    let known = parse_hex(&asked.replace('-', "")).map(|id| format!("{id:032x}"));
    let known = known.ok_or_else(|| Refusal::bad_request(format!("`{asked}` is no rescale: its id has 32 hexadecimal digits")))?;
    let place = found.rescales.changes.iter().position(|change| found.id_of("rescale", change.number) == known);
    let place = place.ok_or_else(|| Refusal::not_found(format!("the job has no rescale {asked}, or it is not kept any more")))?;
    ok(&found.details(place, true))
}

/// `GET /jobs/:job/rescales/config`
pub(crate) fn config(call: &Call) -> Handled {
    let Found { rescales, .. } = Found::of(call)?;
    let config = &rescales.config;
    let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    ok(&ConfigAnswer {
        rescale_history_max: config.history,
        scheduler_execution_mode: config.reactive.then_some("REACTIVE"),
        submission_resource_wait_timeout_in_millis: config.wait_timeout.map_or(-1, millis),
        submission_resource_stabilization_timeout_in_millis: millis(config.submission_stabilization),
        // Slots that a job has no use for are given back at once.
        slot_idle_timeout_in_millis: 0,
        executing_cooldown_timeout_in_millis: millis(config.cooldown),
        executing_resource_stabilization_timeout_in_millis: millis(config.executing_stabilization),
        // A checkpoint is taken for a change at once.
        maximum_delay_for_triggering_rescale_in_millis: Some(0),
        rescale_on_failed_checkpoint_count: config.max_checkpoint_failures,
    })
}
