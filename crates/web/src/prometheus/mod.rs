//! `/metrics`: everything that is known of the cluster, as Flink's reporter for Prometheus names it.
//!
//! In Flink each process answers for itself; here the JobManager answers for all of them, with the same names and labels, so that
//! dashboards and alerts need no change and a TaskManager needs no port.

mod text;

use crate::{
    api::{collected::Collected, metrics, traffic},
    cluster::ClusterError,
    http::{
        answer::{Answer, Handled},
        call::Call,
    },
    model::{Attempt, Job, TaskManager, Vertex},
};
use flott_core::id::OperatorId;
use std::collections::BTreeMap;
use text::{Exposition, Labels, MEDIA};

const JOB_MANAGER: &str = "jobmanager";
const JOB: &str = "jobmanager_job";
const JOB_OPERATOR: &str = "jobmanager_job_operator";
const TASK_MANAGER: &str = "taskmanager";
const TASK: &str = "taskmanager_job_task";
const OPERATOR: &str = "taskmanager_job_task_operator";
const TASK_MANAGER_JOB: &str = "taskmanager_job";

/// `GET /metrics`
pub(crate) fn expose(call: &Call) -> Handled {
    let mut exposition = Exposition::new(call.app.options.filter_label_values);
    let job_manager = call.cluster().job_manager()?;
    let task_managers = traffic::task_managers(call)?;
    let host = vec![("host", job_manager.host)];
    numbers(&mut exposition, JOB_MANAGER, &host, &metrics::job_manager_metrics(call, &job_manager.metrics, &task_managers)?);
    let hosts: BTreeMap<&str, &TaskManager> = task_managers.iter().map(|one| (one.id.as_str(), one)).collect();
    for task_manager in &task_managers {
        let labels = of_task_manager(Some(task_manager));
        task_manager.metrics.iter().for_each(|(name, value)| exposition.number(TASK_MANAGER, name, &labels, *value));
    }
    for summary in call.cluster().jobs()?.iter().filter(|job| !job.status.is_terminal()) {
        match call.cluster().job(summary.id) {
            Ok(job) => of_job(call, &mut exposition, &host, &hosts, &job)?,
            // It has gone since it was listed.
            Err(ClusterError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Answer::text(MEDIA, exposition.render()))
}

/// Adds those of `texts` that are numbers.
fn numbers(exposition: &mut Exposition, scope: &str, labels: &Labels, texts: &BTreeMap<String, String>) {
    for (name, text) in texts {
        if let Ok(value) = text.parse() {
            exposition.number(scope, name, labels, value);
        }
    }
}

fn of_task_manager(task_manager: Option<&TaskManager>) -> Labels {
    let of = |value: fn(&TaskManager) -> &String| task_manager.map_or_else(String::new, |known| value(known).clone());
    vec![("host", of(|known| &known.host)), ("tm_id", of(|known| &known.id))]
}

fn of_job(
    call: &Call,
    exposition: &mut Exposition,
    host: &Labels,
    task_managers: &BTreeMap<&str, &TaskManager>,
    job: &Job,
) -> Result<(), crate::http::answer::Refusal> {
    let named = vec![("job_id", job.id.to_string()), ("job_name", job.name.clone())];
    numbers(exposition, JOB, &[host.clone(), named.clone()].concat(), &metrics::job_metrics(call, job)?);
    for vertex in &job.vertices {
        if let Some(coordinator) = job.coordinator_metrics.get(&vertex.id) {
            let name = vertex.operators.first().cloned().unwrap_or_default();
            let labels = [host.clone(), named.clone(), vec![("operator_id", hex(vertex.id)), ("operator_name", name)]].concat();
            coordinator.iter().for_each(|(name, value)| exposition.number(JOB_OPERATOR, name, &labels, *value));
        }
        for (index, subtask) in vertex.subtasks.iter().enumerate() {
            let attempt = &subtask.current;
            let on = attempt.task_manager.as_deref().and_then(|id| task_managers.get(id)).copied();
            let on = [of_task_manager(on), named.clone()].concat();
            let collected = Collected::of(attempt);
            of_task(exposition, &on, vertex, index, attempt, &collected);
        }
    }
    Ok(())
}

fn of_task(exposition: &mut Exposition, on: &Labels, vertex: &Vertex, index: usize, attempt: &Attempt, collected: &Collected) {
    let mut labels = on.clone();
    labels.extend([
        ("task_id", hex(vertex.id)),
        ("task_name", vertex.name.clone()),
        ("task_attempt_num", attempt.number.to_string()),
        ("subtask_index", index.to_string()),
    ]);
    collected.task.iter().for_each(|(name, value)| exposition.number(TASK, name, &labels, *value));
    let of_operator = |place: usize, name: &str| {
        let id = vertex.operator_ids.get(place).copied().unwrap_or(vertex.id);
        let mut labels = labels.clone();
        labels.extend([("operator_id", hex(id)), ("operator_name", name.to_owned())]);
        labels
    };
    for (place, (name, metrics)) in collected.operators.iter().enumerate() {
        let labels = of_operator(place, name);
        metrics.iter().for_each(|(name, value)| exposition.number(OPERATOR, name, &labels, *value));
    }
    for (place, name, spread) in &attempt.histograms {
        let operator = vertex.operators.get(*place).map_or("", String::as_str);
        exposition.spread(OPERATOR, name, &of_operator(*place, operator), *spread);
    }
    for latency in &attempt.latencies {
        let mut labels = on.clone();
        let mut scope = vec!["latency"];
        if let Some(source) = latency.source {
            scope.push("source_id");
            labels.push(("source_id", hex(source)));
        }
        if let Some(subtask) = latency.source_subtask {
            scope.push("source_subtask_index");
            labels.push(("source_subtask_index", subtask.to_string()));
        }
        scope.extend(["operator_id", "operator_subtask_index", "latency"]);
        labels.extend([("operator_id", hex(latency.operator)), ("operator_subtask_index", index.to_string())]);
        exposition.spread(TASK_MANAGER_JOB, &scope.join("_"), &labels, latency.histogram);
    }
}

/// An id as Flink writes it: 32 hexadecimal digits.
fn hex(id: OperatorId) -> String {
    crate::api::states::vertex_id(id)
}
