//! Which path is answered by what. Every path is there twice: as it is, and under `/v1`.

use crate::{
    api::{
        applications, checkpoint_details, checkpoints, cluster, executables, flame_graph, flow, job, jobs, metrics, operations, processes,
        rescaling, task_managers, vertices,
    },
    app::App,
    http::{
        access::access,
        answer::Refusal,
        asset,
        call::{Handler, route},
        guard::guard,
        leader::follow_leader,
        log_file::{Which, log_file},
        upload::upload,
    },
    model::LogKind,
    openapi, prometheus,
};
use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::MethodFilter,
};
use flott_security::Role;
use std::sync::Arc;

/// What answers a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// A handler, with JSON.
    Json(Handler),
    /// A handler, with text.
    Text(Handler),
    /// A log file.
    Log(Which),
    /// Taking an executable.
    Upload,
}

/// A call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub(crate) method: &'static str,
    /// Its path; names in braces are parameters.
    pub(crate) path: &'static str,
    /// The names that it takes in the query.
    pub(crate) query: &'static [&'static str],
    /// What answers it.
    pub(crate) action: Action,
    /// What its caller must be, where callers have roles.
    pub(crate) needs: Role,
    /// What it is for.
    pub(crate) summary: &'static str,
}

const fn json(method: &'static str, path: &'static str, handler: Handler, summary: &'static str) -> Route {
    // Whoever adds a call that changes something says who may make it; until then an administrator.
    let needs = if matches!(method.as_bytes(), b"GET") { Role::Viewer } else { Role::Admin };
    Route { method, path, query: &[], action: Action::Json(handler), needs, summary }
}

const fn log(path: &'static str, which: Which, summary: &'static str) -> Route {
    Route { method: "GET", path, query: &[], action: Action::Log(which), needs: Role::Viewer, summary }
}

impl Route {
    const fn query(self, query: &'static [&'static str]) -> Self {
        Route { query, ..self }
    }

    const fn needs(self, needs: Role) -> Self {
        Route { needs, ..self }
    }
}

const LOG: Which = Which::Current(LogKind::Log);
const STDOUT: Which = Which::Current(LogKind::Stdout);
const GET_AND_AGG: &[&str] = &["get", "agg"];
const RUN: &[&str] =
    &["entry-class", "parallelism", "programArg", "program-args", "savepointPath", "allowNonRestoredState", "claimMode", "jobid"];

/// What Prometheus asks for.
const METRICS: Route = Route {
    method: "GET",
    path: "/metrics",
    query: &[],
    action: Action::Text(prometheus::expose),
    summary: "All metrics of the cluster as Prometheus reads them",
    needs: Role::Viewer,
};

/// Calls about the cluster as a whole.
const CLUSTER: &[Route] = &[
    json("GET", "/config", cluster::config, "What dashboards have to know"),
    json("GET", "/auth/whoami", cluster::who_am_i, "The name and role that the caller's token was given (not Flink's)"),
    json("GET", "/overview", cluster::overview, "Numbers of TaskManagers, slots and jobs"),
    METRICS,
    json("GET", "/datasets", cluster::data_sets, "Results kept between jobs: none"),
    json("DELETE", "/cluster", cluster::shut_down, "Ends the cluster").needs(Role::Admin),
    json("GET", "/openapi.json", openapi::document, "This document"),
    json("GET", "/applications/overview", applications::overview, "Jobs, each as an application of its own"),
    json("POST", "/savepoint-disposal", operations::dispose_savepoint, "Begins to remove a savepoint").needs(Role::Operator),
    json("GET", "/savepoint-disposal/{trigger}", operations::poll_disposal, "Whether the savepoint has been removed"),
];

/// Calls about jobs.
const JOBS: &[Route] = &[
    json("GET", "/jobs", jobs::jobs, "Ids and states of jobs"),
    json("GET", "/jobs/overview", jobs::overview, "Jobs with their times and tasks"),
    json("GET", "/jobs/flow", flow::of_jobs, "Rates, load, restarts and last checkpoint of all jobs (not Flink's)"),
    json("GET", "/jobs/metrics", metrics::over_jobs, "Metrics aggregated over jobs").query(&["get", "agg", "jobs"]),
    json("GET", "/jobs/{job}", job::job, "A job with its vertices and plan"),
    json("GET", "/jobs/{job}/flow", flow::of_job, "Rates, load and bottleneck of a job's whole graph at once (not Flink's)"),
    json("PATCH", "/jobs/{job}", jobs::terminate, "Begins to cancel a job").query(&["mode"]).needs(Role::Operator),
    json("GET", "/jobs/{job}/yarn-cancel", jobs::yarn_cancel, "Begins to cancel a job").needs(Role::Operator),
    json("GET", "/jobs/{job}/status", jobs::status, "The state of a job"),
    json("GET", "/jobs/{job}/plan", jobs::plan, "The graph of a job"),
    json("GET", "/jobs/{job}/config", jobs::config, "What a job was started with"),
    json("GET", "/jobs/{job}/exceptions", jobs::exceptions, "The failures of a job, newest first").query(&["maxExceptions"]),
    json("GET", "/jobs/{job}/accumulators", jobs::accumulators, "The accumulators of a job"),
    json("GET", "/jobs/{job}/execution-result", jobs::execution_result, "How a job ended"),
    json("GET", "/jobs/{job}/metrics", metrics::of_job, "The metrics of a job").query(&["get"]),
    json("GET", "/jobs/{job}/jobmanager/config", processes::config_of_job, "The configuration of the JobManager"),
    json("GET", "/jobs/{job}/jobmanager/environment", processes::environment_of_job, "What the JobManager runs in"),
    json("GET", "/jobs/{job}/jobmanager/log-url", processes::log_url, "Where the JobManager's log is"),
    json("GET", "/jobs/{job}/taskmanagers/{tm}/log-url", processes::log_url, "Where a TaskManager's log is"),
];

/// Calls about the parallelism of jobs.
const RESCALING: &[Route] = &[
    json("GET", "/jobs/{job}/resource-requirements", rescaling::requirements, "The parallelism that vertices may have"),
    json("PUT", "/jobs/{job}/resource-requirements", rescaling::set_requirements, "Changes the parallelism of a running job")
        .needs(Role::Operator),
    json("PATCH", "/jobs/{job}/rescaling", rescaling::rescale, "Begins to change the parallelism of a job")
        .query(&["parallelism"])
        .needs(Role::Operator),
    json("GET", "/jobs/{job}/rescaling/{trigger}", operations::poll_rescaling, "What became of a change of parallelism"),
];

/// Calls about snapshots of jobs.
const SNAPSHOTS: &[Route] = &[
    json("POST", "/jobs/{job}/stop", operations::stop, "Begins to stop a job with a savepoint").needs(Role::Operator),
    json("POST", "/jobs/{job}/savepoints", operations::trigger_savepoint, "Begins a savepoint").needs(Role::Operator),
    json("GET", "/jobs/{job}/savepoints/{trigger}", operations::poll_savepoint, "What became of a savepoint or stop"),
    json("GET", "/jobs/{job}/checkpoints", checkpoints::checkpoints, "The checkpoints of a job").query(&["limit"]),
    json("POST", "/jobs/{job}/checkpoints", operations::trigger_checkpoint, "Begins a checkpoint").needs(Role::Operator),
    json("GET", "/jobs/{job}/checkpoints/config", checkpoints::config, "How a job takes checkpoints"),
    json("GET", "/jobs/{job}/checkpoints/details/{checkpoint}", checkpoint_details::checkpoint, "A checkpoint"),
    json("GET", "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}", checkpoint_details::subtasks, "A vertex in a checkpoint"),
    json("GET", "/jobs/{job}/checkpoints/{trigger}", operations::poll_checkpoint, "What became of a checkpoint that was triggered"),
];

/// Calls about vertices, below `/jobs/{job}/vertices/{vertex}`.
const VERTICES: &[Route] = &[
    json("GET", "", vertices::vertex, "A vertex with its subtasks"),
    json("GET", "/accumulators", vertices::accumulators, "The accumulators of a vertex"),
    json("GET", "/backpressure", vertices::backpressure, "How busy the subtasks are, and who waits for whom"),
    json("GET", "/flamegraph", flame_graph::flame_graph, "Where the time of tasks goes, as a tree of calls")
        .query(&["type", "subtaskindex"]),
    json("GET", "/jm-operator-metrics", metrics::of_coordinator, "The metrics of a vertex's coordinators").query(&["get"]),
    json("GET", "/metrics", metrics::of_vertex, "The metrics of all subtasks").query(&["get"]),
    json("GET", "/subtasktimes", vertices::subtask_times, "When subtasks entered which state"),
    json("GET", "/taskmanagers", vertices::task_managers, "The vertex by TaskManager"),
    json("GET", "/watermarks", vertices::watermarks, "The watermarks of subtasks"),
    json("GET", "/subtasks/accumulators", vertices::subtasks_accumulators, "The accumulators of subtasks"),
    json("GET", "/subtasks/metrics", metrics::over_subtasks, "Metrics aggregated over subtasks").query(&["get", "agg", "subtasks"]),
    json("GET", "/subtasks/{subtask}", vertices::attempt, "The newest attempt of a subtask"),
    json("GET", "/subtasks/{subtask}/metrics", metrics::of_subtask, "The metrics of a subtask").query(&["get"]),
    json("GET", "/subtasks/{subtask}/attempts/{attempt}", vertices::attempt, "An attempt of a subtask"),
    json("GET", "/subtasks/{subtask}/attempts/{attempt}/accumulators", vertices::attempt_accumulators, "The accumulators of an attempt"),
];

/// Calls about JobManager and TaskManagers.
const PROCESSES: &[Route] = &[
    json("GET", "/jobmanager/config", processes::config, "The configuration of the JobManager"),
    json("GET", "/jobmanager/environment", processes::environment, "What the JobManager runs in"),
    json("GET", "/jobmanager/metrics", metrics::of_job_manager, "The metrics of the JobManager").query(&["get"]),
    json("GET", "/taskmanagers", task_managers::task_managers, "The TaskManagers"),
    json("GET", "/taskmanagers/metrics", metrics::over_task_managers, "Metrics aggregated over TaskManagers").query(GET_AND_AGG),
    json("GET", "/taskmanagers/{tm}", task_managers::task_manager, "A TaskManager with its slots and memory"),
    json("GET", "/taskmanagers/{tm}/metrics", metrics::of_task_manager, "The metrics of a TaskManager").query(&["get"]),
];

/// Calls about what a process writes, below `/jobmanager` and `/taskmanagers/{tm}`.
const LOGS: &[Route] = &[
    log("/log", LOG, "The log"),
    log("/stdout", STDOUT, "What the process printed"),
    json("GET", "/logs", processes::logs, "The log files"),
    log("/logs/{file}", Which::Named, "A log file"),
    json("GET", "/thread-dump", processes::thread_dump, "What the threads are doing"),
];

/// Calls that bring programs into the cluster.
const EXECUTABLES: &[Route] = &[
    json("GET", "/jars", executables::list, "The executables"),
    Route {
        method: "POST",
        path: "/jars/upload",
        query: &[],
        action: Action::Upload,
        needs: Role::Deployer,
        summary: "Takes an executable",
    },
    json("DELETE", "/jars/{executable}", executables::remove, "Removes an executable").needs(Role::Deployer),
    // The program is run for that.
    json("GET", "/jars/{executable}/plan", executables::plan, "The graph of a program").query(RUN).needs(Role::Deployer),
    json("POST", "/jars/{executable}/plan", executables::plan, "The graph of a program").query(RUN).needs(Role::Deployer),
    json("POST", "/jars/{executable}/run", executables::run, "Runs a program").query(RUN).needs(Role::Deployer),
];

/// All calls with their whole paths.
pub(crate) fn routes(submit: bool) -> impl Iterator<Item = (String, &'static Route)> {
    let groups = [
        ("", CLUSTER),
        ("", JOBS),
        ("", RESCALING),
        ("", SNAPSHOTS),
        ("/jobs/{job}/vertices/{vertex}", VERTICES),
        ("", PROCESSES),
        ("/jobmanager", LOGS),
        ("/taskmanagers/{tm}", LOGS),
        ("", if submit { EXECUTABLES } else { &[] }),
    ];
    groups.into_iter().flat_map(|(prefix, group)| group.iter().map(move |route| (format!("{prefix}{}", route.path), route)))
}

/// The router of a server.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut calls = Router::new();
    for (path, found) in routes(app.options.submit) {
        let method = match found.method {
            "POST" => MethodFilter::POST,
            "PUT" => MethodFilter::PUT,
            "PATCH" => MethodFilter::PATCH,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let call = match found.action {
            Action::Json(handler) | Action::Text(handler) => route(method, handler),
            Action::Log(which) => log_file(which),
            Action::Upload => upload(app.options.upload_bytes_max),
        };
        calls = calls.route(&path, call.route_layer(from_fn_with_state((Arc::clone(&app), found.needs), access)));
    }
    Router::new()
        .nest("/v1", calls.clone())
        .merge(calls)
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(&app), follow_leader))
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// The router of a server that answers Prometheus and nobody else. Flink's answers it at every path.
pub(crate) fn metrics_router(app: Arc<App>) -> Router {
    let expose = || route(MethodFilter::GET, prometheus::expose);
    Router::new().route("/", expose()).route("/metrics", expose()).layer(from_fn_with_state(Arc::clone(&app), guard)).with_state(app)
}

/// A path that is none of the calls: a file of the dashboard, or nothing.
async fn unknown(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(assets) = app.options.assets.as_ref().filter(|_| reads) {
        let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
        if let Some(asset) = assets(name) {
            return asset::answer(asset, request.headers());
        }
    }
    Refusal::not_found(format!("Unable to load requested file {path}.")).into_response()
}
