//! Jobs as REST describes them.

use super::programs::vertex_of;
use flott_cluster::{CheckpointEnd, CheckpointRecord, FailureRecord, JobDetails, TaskRates};
use flott_core::{
    Timestamp,
    config::options::{self, Scope},
    context::RuntimeMode,
    id::{JobId, OperatorId, SubtaskId, VertexId},
};
use flott_graph::settings::{CheckpointMode, RestartSettings, Retention};
use flott_rpc::{
    client::{JobOutcome, JobOverview},
    control::JobSummary,
    figures::{EnumeratorFigures, Initialization, TaskFigures, merged_accumulators},
    status::TaskStatus,
};
use flott_web::model;
use std::collections::BTreeMap;

/// A job in a list. `figures` may be left out if no task is on its way.
pub(super) fn summary(job: &JobSummary, overview: &JobOverview, details: &JobDetails, figures: &[TaskFigures]) -> model::JobSummary {
    let opening: BTreeMap<SubtaskId, u32> =
        figures.iter().filter_map(|figures| Some((figures.subtask, figures.initialization?.attempt))).collect();
    let current = |subtask: &SubtaskId| details.history.attempts.get(subtask)?.back().map(|attempt| attempt.number);
    let status = |(subtask, status): &(SubtaskId, TaskStatus)| match opening.get(subtask) {
        Some(attempt) if *status == TaskStatus::Deploying && current(subtask) == Some(*attempt) => TaskStatus::Initializing,
        _ => *status,
    };
    model::JobSummary {
        id: job.id,
        name: job.name.clone(),
        status: job.status,
        batch: details.topology.mode == RuntimeMode::Batch,
        started_at: job.started,
        ended_at: job.ended,
        changed_at: changed_at(details),
        tasks: overview.tasks.iter().map(status).collect(),
    }
}

/// When the state of the job or of a task last changed.
fn changed_at(details: &JobDetails) -> Option<Timestamp> {
    let attempts = details.history.attempts.values().flatten().flat_map(|attempt| &attempt.entered).map(|(_, at)| *at);
    details.history.entered.iter().map(|(_, at)| *at).chain(attempts).max()
}

/// A job. `hosts` are the machines of the TaskManagers that are there.
pub(super) fn job(
    id: JobId,
    overview: &JobOverview,
    details: &JobDetails,
    hosts: &BTreeMap<String, String>,
    (figures, rates, enumerators): (&[TaskFigures], &BTreeMap<SubtaskId, TaskRates>, &BTreeMap<VertexId, EnumeratorFigures>),
    outcome: Option<&JobOutcome>,
) -> model::Job {
    // What the JobManager has added is in the program's; what its code has set, in the settings.
    let mut options = details.settings.options.clone();
    options.merge(&details.program.configuration);
    let all = figures;
    let figures: BTreeMap<SubtaskId, &TaskFigures> = figures.iter().map(|figures| (figures.subtask, figures)).collect();
    let status: BTreeMap<SubtaskId, TaskStatus> = overview.tasks.iter().copied().collect();
    let vertices = details.topology.vertices.iter().map(|vertex| {
        let subtasks = (0..vertex.parallelism).map(|index| {
            let subtask = SubtaskId { vertex: vertex.id, index };
            self::subtask(subtask, status.get(&subtask).copied(), details, hosts, (figures.get(&subtask).copied(), rates.get(&subtask)))
        });
        let mut described = model::Vertex { subtasks: subtasks.collect(), ..vertex_of(&details.topology, vertex) };
        let edges = details.topology.edges.iter().enumerate().filter(|(_, edge)| edge.to == vertex.id);
        for (input, (place, edge)) in described.inputs.iter_mut().zip(edges) {
            let place = place as u32;
            let senders = || figures.iter().filter(|(subtask, _)| subtask.vertex == edge.from);
            let running = |subtask: &SubtaskId| status.get(subtask).is_some_and(|status| !status.is_terminal());
            input.records = sum(senders().filter_map(|(_, figures)| figures.edges.get(&place)).map(|records| *records as f64));
            let rates = senders().filter(|(subtask, _)| running(subtask)).filter_map(|(subtask, _)| rates.get(subtask)?.edges.get(&place));
            input.records_rate = sum(rates.copied());
        }
        described
    });
    model::Job {
        id,
        name: overview.name.clone(),
        status: overview.status,
        batch: details.topology.mode == RuntimeMode::Batch,
        started_at: details.started,
        ended_at: details.ended,
        entered: details.history.entered.clone(),
        max_parallelism: options.get(&options::PIPELINE_MAX_PARALLELISM).unwrap_or_default(),
        vertices: vertices.collect(),
        config: model::ExecutionConfig {
            restart_strategy: restart_strategy(&details.settings.restart),
            parallelism: options.get(&options::PARALLELISM_DEFAULT).ok(),
            options: model::Setting::all(&options, Scope::Job),
        },
        restarts: overview.restarts,
        accumulators: outcome.map_or_else(|| merged_accumulators(all), |outcome| outcome.accumulators.clone()),
        metrics: BTreeMap::from([("numRescales".to_owned(), overview.rescale_totals.completed as f64)]),
        coordinator_metrics: if overview.status.is_terminal() { BTreeMap::new() } else { coordinator_metrics(details, enumerators) },
    }
}

/// What the enumerators of sources say of themselves, by the head of the vertex, under Flink's names.
fn coordinator_metrics(details: &JobDetails, enumerators: &BTreeMap<VertexId, EnumeratorFigures>) -> BTreeMap<OperatorId, model::Metrics> {
    let vertices = details.topology.vertices.iter().filter_map(|vertex| Some((vertex.operators[0].id, enumerators.get(&vertex.id)?)));
    let named =
        |one: &EnumeratorFigures| BTreeMap::from([("coordinator.enumerator.unassignedSplits".to_owned(), one.unassigned_splits as f64)]);
    vertices.map(|(head, one)| (head, named(one))).collect()
}

/// The sum; `None` of nothing.
fn sum(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(|sum, value| sum + value)
}

fn subtask(
    id: SubtaskId,
    status: Option<TaskStatus>,
    details: &JobDetails,
    hosts: &BTreeMap<String, String>,
    (figures, rates): (Option<&TaskFigures>, Option<&TaskRates>),
) -> model::Subtask {
    let records = details.history.attempts.get(&id);
    let mut attempts: Vec<model::Attempt> = records
        .into_iter()
        .flatten()
        .map(|record| {
            let status = record.entered.last().map_or(TaskStatus::Created, |(status, _)| *status);
            let task_manager = details.slots.get(&record.slot).cloned();
            let figures = record.figures.as_deref();
            let mut attempt = model::Attempt {
                metrics: figures.map(|figures| values(&figures.task)).unwrap_or_default(),
                accumulators: figures.map(|figures| figures.accumulators.clone()).unwrap_or_default(),
                endpoint: task_manager.as_ref().and_then(|id| hosts.get(id).cloned()),
                task_manager,
                ..attempt(record.number, status, record.entered.clone())
            };
            if let Some(opening) = figures.and_then(|figures| figures.initialization).filter(|opening| opening.attempt == attempt.number) {
                initialized(&mut attempt, &opening);
            }
            attempt
        })
        .collect();
    let mut current = attempts.pop().unwrap_or_else(|| attempt(0, TaskStatus::Created, vec![(TaskStatus::Created, details.started)]));
    // The JobMaster knows best.
    current.status = status.unwrap_or(current.status);
    if let Some(figures) = figures {
        current.metrics = values(&figures.task);
        current.accumulators = figures.accumulators.clone();
        if let Some(opening) = figures.initialization.filter(|opening| opening.attempt == current.number) {
            initialized(&mut current, &opening);
        }
        current.latencies = figures.latencies.clone();
        current.buffers = figures.buffers.filter(|_| !current.status.is_terminal());
        current.operator_metrics = figures.operators.iter().map(|(name, figures)| (name.clone(), values(figures))).collect();
        for (place, distributions) in figures.distributions.iter().enumerate() {
            if let Some((_, metrics)) = current.operator_metrics.get_mut(place) {
                metrics.extend(distributions.meters.iter().map(|(name, meter)| (name.clone(), meter.rate)));
            }
            current.histograms.extend(distributions.histograms.iter().map(|(name, histogram)| (place, name.clone(), *histogram)));
        }
    }
    if let Some(rates) = rates.filter(|_| !current.status.is_terminal()) {
        let named = |rates: &BTreeMap<&'static str, f64>| rates.iter().map(|(name, rate)| ((*name).to_owned(), *rate)).collect::<Vec<_>>();
        current.metrics.extend(named(&rates.task));
        for ((_, metrics), rates) in current.operator_metrics.iter_mut().zip(&rates.operators) {
            metrics.extend(named(rates));
        }
    }
    attempts.reverse();
    model::Subtask { current, earlier: attempts }
}

/// The attempt has begun to open its operators. Tasks tell it with their figures alone, the JobMaster makes no difference.
fn initialized(attempt: &mut model::Attempt, opening: &Initialization) {
    if attempt.entered.iter().any(|(status, _)| *status == TaskStatus::Initializing) {
        return;
    }
    let deploying =
        |(status, _): &(TaskStatus, Timestamp)| matches!(status, TaskStatus::Created | TaskStatus::Scheduled | TaskStatus::Deploying);
    let place = attempt.entered.iter().take_while(|entered| deploying(entered)).count();
    // The clock of its machine may be another.
    let mut at = opening.since;
    if let Some((_, next)) = attempt.entered.get(place) {
        at = at.min(*next);
    }
    if let Some((_, before)) = place.checked_sub(1).and_then(|before| attempt.entered.get(before)) {
        at = at.max(*before);
    }
    attempt.entered.insert(place, (TaskStatus::Initializing, at));
    if attempt.status == TaskStatus::Deploying {
        attempt.status = TaskStatus::Initializing;
    }
}

fn values(figures: &BTreeMap<String, i64>) -> model::Metrics {
    figures.iter().map(|(name, value)| (name.clone(), *value as f64)).collect()
}

/// A failure, with what came with it.
pub(super) fn failure(record: &FailureRecord, details: &JobDetails, hosts: &BTreeMap<String, String>) -> model::Failure {
    let task_manager = record.slot.and_then(|slot| details.slots.get(&slot));
    model::Failure {
        task_manager: task_manager.cloned(),
        endpoint: task_manager.and_then(|id| hosts.get(id).cloned()),
        concurrent: record.along.iter().map(|one| failure(one, details, hosts)).collect(),
        ..model::Failure::new(record.at, &record.failure, record.attempt.is_some())
    }
}

fn attempt(number: u32, status: TaskStatus, entered: Vec<(TaskStatus, Timestamp)>) -> model::Attempt {
    model::Attempt {
        number,
        status,
        task_manager: None,
        endpoint: None,
        entered,
        metrics: BTreeMap::new(),
        operator_metrics: Vec::new(),
        histograms: Vec::new(),
        buffers: None,
        latencies: Vec::new(),
        accumulators: BTreeMap::new(),
    }
}

fn restart_strategy(settings: &RestartSettings) -> String {
    match settings {
        RestartSettings::None => "none".to_owned(),
        RestartSettings::FixedDelay { attempts, delay } => format!("fixed delay of {} ms, {attempts} attempts", delay.as_millis()),
        RestartSettings::FailureRate { max_failures, interval, delay } => {
            format!("{max_failures} failures in {} ms, delay of {} ms", interval.as_millis(), delay.as_millis())
        }
        RestartSettings::ExponentialDelay { initial, max, multiplier, .. } => {
            format!("exponential delay from {} ms to {} ms, times {multiplier}", initial.as_millis(), max.as_millis())
        }
    }
}

/// The checkpoints of a job.
pub(super) fn checkpoints(overview: &JobOverview, details: &JobDetails) -> model::Checkpoints {
    let settings = &details.settings.checkpoints;
    let counts = &overview.checkpoints;
    let restored = details.history.restore.as_ref().map(|restore| model::Restore {
        id: restore.checkpoint,
        at: restore.at,
        savepoint: restore.savepoint,
        location: Some(restore.location.clone()).filter(|location| !location.is_empty()),
    });
    let config = model::CheckpointConfig {
        exactly_once: settings.mode == CheckpointMode::ExactlyOnce,
        interval: settings.interval,
        timeout: settings.timeout,
        min_pause: settings.min_pause,
        max_concurrent: settings.max_concurrent,
        tolerable_failures: settings.tolerable_failures,
        retained_on_cancellation: settings.retention == Retention::RetainOnCancellation,
        unaligned: false,
        state_backend: "hashmap".to_owned(),
        storage: settings.dir.as_ref().map_or_else(|| "memory".to_owned(), |dir| dir.display().to_string()),
    };
    model::Checkpoints {
        totals: model::CheckpointTotals {
            restored: details.history.restores,
            completed: counts.completed + details.history.found,
            failed: counts.failed,
            in_progress: counts.in_progress,
        },
        history: history(details),
        restored,
        config: Some(config),
    }
}

/// The checkpoints that are remembered, newest first.
fn history(details: &JobDetails) -> Vec<model::Checkpoint> {
    let mut kept = if details.history.discarded_all { 0 } else { details.settings.checkpoints.num_retained };
    let of_record = |record: &CheckpointRecord| {
        let mut checkpoint = checkpoint(details, record);
        if checkpoint.status == model::CheckpointStatus::Completed && !checkpoint.savepoint {
            checkpoint.discarded = kept == 0;
            kept = kept.saturating_sub(1);
        }
        checkpoint
    };
    details.history.checkpoints.iter().map(of_record).collect()
}

fn checkpoint(details: &JobDetails, record: &CheckpointRecord) -> model::Checkpoint {
    let (status, completed) = match &record.end {
        None => (model::CheckpointStatus::InProgress, None),
        Some(CheckpointEnd::Completed(summary)) => (model::CheckpointStatus::Completed, Some(summary)),
        Some(CheckpointEnd::Failed(at, reason)) => (model::CheckpointStatus::Failed { at: *at, reason: reason.clone() }, None),
    };
    model::Checkpoint {
        id: record.id,
        status,
        savepoint: record.savepoint,
        stops: record.stops,
        triggered_at: record.triggered_at,
        duration: completed.map(|summary| summary.duration),
        bytes: completed.map(|summary| summary.bytes),
        subtasks: Some(record.subtasks),
        vertices: parts(details, record),
        location: completed.map(|summary| summary.location.clone()),
        discarded: false,
    }
}

/// What the vertices did for a checkpoint; nothing if that is not known any more.
fn parts(details: &JobDetails, record: &CheckpointRecord) -> Vec<model::VertexCheckpoint> {
    if record.acknowledged.is_empty() && record.end.is_some() {
        return Vec::new();
    }
    let of_subtask = |subtask| {
        let known = record.acknowledged.get(&subtask)?;
        Some(model::SubtaskCheckpoint { acknowledged_at: known.at, stats: known.stats })
    };
    let vertices = details.topology.vertices.iter().enumerate().map(|(place, vertex)| {
        // The job may have been rescaled since.
        let parallelism = record.parallelism.get(place).copied().unwrap_or(vertex.parallelism);
        model::VertexCheckpoint {
            vertex: vertex.operators[0].id,
            subtasks: (0..parallelism).map(|index| of_subtask(SubtaskId { vertex: vertex.id, index })).collect(),
        }
    });
    vertices.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskStatus::{Created, Deploying, Failed, Initializing, Running};

    fn with(status: TaskStatus, entered: &[(TaskStatus, Timestamp)], since: Timestamp) -> (TaskStatus, Vec<(TaskStatus, Timestamp)>) {
        let mut attempt = attempt(0, status, entered.to_vec());
        initialized(&mut attempt, &Initialization { attempt: 0, since, took: None });
        (attempt.status, attempt.entered)
    }

    #[test]
    fn a_task_is_initializing_between_its_deployment_and_its_work_whatever_the_clocks_say() {
        let deployed = [(Created, 5), (Deploying, 10)];
        let running = [&deployed[..], &[(Running, 20)]].concat();
        let opened = |at| [&deployed[..], &[(Initializing, at)]].concat();
        assert_eq!(with(Deploying, &deployed, 12), (Initializing, opened(12)));
        for (since, at) in [(12, 12), (3, 10), (90, 20)] {
            assert_eq!(with(Running, &running, since), (Running, [&opened(at)[..], &[(Running, 20)]].concat()));
        }
        let failed = [&deployed[..], &[(Failed, 20)]].concat();
        assert_eq!(with(Failed, &failed, 15), (Failed, [&opened(15)[..], &[(Failed, 20)]].concat()));
        assert_eq!(
            with(Running, &[(Running, 20)], 12),
            (Running, vec![(Initializing, 12), (Running, 20)]),
            "another leader had deployed it"
        );
    }
}
