//! Which path is answered by what. Every path is there twice: as it is, and under `/v1`.

use crate::{
    api::{
        applications, attempts, checkpoint_details, checkpoints, cluster, executables, flame_graph, flow, job, jobs,
        metrics::{self, Metric},
        operations, plan, processes, rescales, rescaling, tap, task_managers, vertices,
    },
    app::App,
    http::{
        access::access,
        answer::{Empty, Refusal},
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
    http::{Method, Uri},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodFilter,
};
use flott_security::Role;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc};

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
    /// The fields that it takes in a JSON body; clients may leave out each of them.
    pub(crate) body: &'static [(&'static str, Kind)],
    /// What answers it.
    pub(crate) action: Action,
    /// What its caller must be, where callers have roles.
    pub(crate) needs: Role,
    /// Whether the audit log tells only when it is refused: it is asked again and again.
    pub(crate) quiet: bool,
    /// The schema of the answer, if that is JSON.
    pub(crate) answer: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// What it is for.
    pub(crate) summary: &'static str,
}

/// What a field of a body is. Numbers and truth values may be texts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A whole number, not negative.
    Number,
    /// True or false.
    Boolean,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// Texts by name.
    Map,
}

const fn json(method: &'static str, path: &'static str, handler: Handler, summary: &'static str) -> Route {
    // Whoever adds a call that changes something says who may make it; until then an administrator.
    let needs = if matches!(method.as_bytes(), b"GET") { Role::Viewer } else { Role::Admin };
    Route { method, path, query: &[], body: &[], action: Action::Json(handler), needs, quiet: false, answer: None, summary }
}

const fn log(path: &'static str, which: Which, summary: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        query: &[],
        body: &[],
        action: Action::Log(which),
        needs: Role::Viewer,
        quiet: false,
        answer: None,
        summary,
    }
}

impl Route {
    const fn query(self, query: &'static [&'static str]) -> Self {
        Route { query, ..self }
    }

    const fn needs(self, needs: Role) -> Self {
        Route { needs, ..self }
    }

    const fn quiet(self) -> Self {
        Route { quiet: true, ..self }
    }

    const fn takes(self, body: &'static [(&'static str, Kind)]) -> Self {
        Route { body, ..self }
    }

    const fn gives<T: JsonSchema>(self) -> Self {
        Route { answer: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }
}

const LOG: Which = Which::Current(LogKind::Log);
const STDOUT: Which = Which::Current(LogKind::Stdout);
const GET_AND_AGG: &[&str] = &["get", "agg"];
const RUN: &[&str] =
    &["entry-class", "parallelism", "programArg", "program-args", "savepointPath", "allowNonRestoredState", "claimMode", "jobid"];

type Aggregate = metrics::AggregatedMetric<'static>;
type Operation = operations::Polled<operations::Operation>;

const TRIGGER_ID: (&str, Kind) = ("triggerId", Kind::Text);
const FORMAT_TYPE: (&str, Kind) = ("formatType", Kind::OneOf(operations::FORMAT_TYPES));
const CHECKPOINT: &[(&str, Kind)] = &[TRIGGER_ID, ("checkpointType", Kind::OneOf(operations::CHECKPOINT_TYPES))];
const SAVEPOINT: &[(&str, Kind)] = &[TRIGGER_ID, ("target-directory", Kind::Text), ("cancel-job", Kind::Boolean), FORMAT_TYPE];
const STOP: &[(&str, Kind)] = &[TRIGGER_ID, ("targetDirectory", Kind::Text), ("drain", Kind::Boolean), FORMAT_TYPE];
const DISPOSAL: &[(&str, Kind)] = &[TRIGGER_ID, ("savepoint-path", Kind::Text)];
const RUN_BODY: &[(&str, Kind)] = &[
    ("entryClass", Kind::Text),
    ("programArgs", Kind::Text),
    ("programArgsList", Kind::Texts),
    ("parallelism", Kind::Number),
    ("jobId", Kind::Text),
    ("savepointPath", Kind::Text),
    ("allowNonRestoredState", Kind::Boolean),
    ("claimMode", Kind::Text),
    ("flinkConfiguration", Kind::Map),
];

/// What Prometheus asks for.
const METRICS: Route = Route {
    method: "GET",
    path: "/metrics",
    query: &[],
    body: &[],
    action: Action::Text(prometheus::expose),
    summary: "All metrics of the cluster as Prometheus reads them",
    needs: Role::Viewer,
    quiet: false,
    answer: None,
};

/// Calls about the cluster as a whole.
const CLUSTER: &[Route] = &[
    json("GET", "/config", cluster::config, "What dashboards have to know").gives::<cluster::Config>(),
    json("GET", "/auth/whoami", cluster::who_am_i, "The name and role that the caller's token was given (not Flink's)")
        .gives::<cluster::Identity>(),
    json("GET", "/overview", cluster::overview, "Numbers of TaskManagers, slots and jobs").gives::<cluster::Overview>(),
    METRICS,
    json("GET", "/datasets", cluster::data_sets, "Results kept between jobs: none").gives::<cluster::DataSets>(),
    json("DELETE", "/cluster", cluster::shut_down, "Ends the cluster").gives::<Empty>().needs(Role::Admin),
    json("GET", "/openapi.json", openapi::document, "This document").gives::<Map<String, Value>>(),
    json("GET", "/applications/overview", applications::overview, "Jobs, each as an application of its own")
        .gives::<applications::Applications>(),
    json("GET", "/applications/{application}", applications::application, "An application, which is a job, with its times")
        .gives::<applications::ApplicationDetails>(),
    json("GET", "/applications/{application}/exceptions", applications::exceptions, "The failures of an application's job, newest first")
        .gives::<applications::ApplicationExceptions>(),
    json("POST", "/applications/{application}/cancel", applications::cancel, "Begins to cancel an application's job")
        .gives::<Empty>()
        .needs(Role::Operator),
    json("POST", "/savepoint-disposal", operations::dispose_savepoint, "Begins to remove a savepoint")
        .gives::<operations::Triggered>()
        .takes(DISPOSAL)
        .needs(Role::Operator),
    json("GET", "/savepoint-disposal/{trigger}", operations::poll_disposal, "Whether the savepoint has been removed").gives::<Operation>(),
];

/// Calls about jobs.
const JOBS: &[Route] = &[
    json("GET", "/jobs", jobs::jobs, "Ids and states of jobs").gives::<jobs::Jobs<jobs::JobIdAndStatus>>(),
    json("GET", "/jobs/overview", jobs::overview, "Jobs with their times and tasks").gives::<jobs::Jobs<jobs::JobDetails>>(),
    json("GET", "/jobs/flow", flow::of_jobs, "Rates, load, restarts and last checkpoint of all jobs (not Flink's)").gives::<flow::Flows>(),
    json("GET", "/jobs/metrics", metrics::over_jobs, "Metrics aggregated over jobs")
        .gives::<Vec<Aggregate>>()
        .query(&["get", "agg", "jobs"]),
    json("GET", "/jobs/{job}", job::job, "A job with its vertices and plan").gives::<job::JobAnswer>(),
    json("GET", "/jobs/{job}/flow", flow::of_job, "Rates, load and bottleneck of a job's whole graph at once (not Flink's)")
        .gives::<flow::GraphFlow>(),
    json("PATCH", "/jobs/{job}", jobs::terminate, "Begins to cancel a job").gives::<Empty>().query(&["mode"]).needs(Role::Operator),
    json("GET", "/jobs/{job}/yarn-cancel", jobs::yarn_cancel, "Begins to cancel a job").gives::<Empty>().needs(Role::Operator),
    json("GET", "/jobs/{job}/status", jobs::status, "The state of a job").gives::<jobs::Status>(),
    json("GET", "/jobs/{job}/plan", jobs::plan, "The graph of a job").gives::<plan::PlanAnswer>(),
    json("GET", "/jobs/{job}/config", jobs::config, "What a job was started with").gives::<jobs::ConfigAnswer>(),
    json("GET", "/jobs/{job}/configuration", jobs::configuration, "The options of a job, each with where it was given (not Flink's)")
        .gives::<Vec<processes::ConfigEntry>>(),
    json("GET", "/jobs/{job}/exceptions", jobs::exceptions, "The failures of a job, newest first")
        .gives::<jobs::Exceptions>()
        .query(&["maxExceptions"]),
    json("GET", "/jobs/{job}/accumulators", jobs::accumulators, "The accumulators of a job").gives::<jobs::Accumulators>(),
    json("GET", "/jobs/{job}/execution-result", jobs::execution_result, "How a job ended").gives::<jobs::ExecutionResult>(),
    json("GET", "/jobs/{job}/metrics", metrics::of_job, "The metrics of a job").gives::<Vec<Metric>>().query(&["get"]),
    json("GET", "/jobs/{job}/jobmanager/config", processes::config_of_job, "The configuration of the JobManager")
        .gives::<Vec<processes::ConfigEntry>>(),
    json("GET", "/jobs/{job}/jobmanager/environment", processes::environment_of_job, "What the JobManager runs in")
        .gives::<processes::Environment>(),
    json("GET", "/jobs/{job}/jobmanager/log-url", processes::log_url, "Where the JobManager's log is").gives::<processes::Url>(),
    json("GET", "/jobs/{job}/taskmanagers/{tm}/log-url", processes::log_url, "Where a TaskManager's log is").gives::<processes::Url>(),
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
    json("GET", "/jobs/{job}/rescales/overview", rescales::overview, "How often the parallelism of a job was changed")
        .gives::<rescales::Overview>(),
    json("GET", "/jobs/{job}/rescales/history", rescales::history, "The last changes of a job's parallelism, newest first")
        .gives::<Vec<rescales::Details>>(),
    json("GET", "/jobs/{job}/rescales/summary", rescales::summary, "How long changes of a job's parallelism took")
        .gives::<rescales::SummaryAnswer>(),
    json("GET", "/jobs/{job}/rescales/config", rescales::config, "When the parallelism of a job is changed")
        .gives::<rescales::ConfigAnswer>(),
    json("GET", "/jobs/{job}/rescales/details/{rescale}", rescales::details, "A change of a job's parallelism")
        .gives::<rescales::Details>(),
];

/// Calls about snapshots of jobs.
const SNAPSHOTS: &[Route] = &[
    json("POST", "/jobs/{job}/stop", operations::stop, "Begins to stop a job with a savepoint")
        .gives::<operations::Triggered>()
        .takes(STOP)
        .needs(Role::Operator),
    json("POST", "/jobs/{job}/savepoints", operations::trigger_savepoint, "Begins a savepoint")
        .gives::<operations::Triggered>()
        .takes(SAVEPOINT)
        .needs(Role::Operator),
    json("GET", "/jobs/{job}/savepoints/{trigger}", operations::poll_savepoint, "What became of a savepoint or stop").gives::<Operation>(),
    json("GET", "/jobs/{job}/checkpoints", checkpoints::checkpoints, "The checkpoints of a job")
        .gives::<checkpoints::CheckpointsAnswer>()
        .query(&["limit"]),
    json("POST", "/jobs/{job}/checkpoints", operations::trigger_checkpoint, "Begins a checkpoint")
        .gives::<operations::Triggered>()
        .takes(CHECKPOINT)
        .needs(Role::Operator),
    json("GET", "/jobs/{job}/checkpoints/config", checkpoints::config, "How a job takes checkpoints").gives::<checkpoints::ConfigAnswer>(),
    json("GET", "/jobs/{job}/checkpoints/details/{checkpoint}", checkpoint_details::checkpoint, "A checkpoint")
        .gives::<checkpoints::CheckpointAnswer>(),
    json("GET", "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}", checkpoint_details::subtasks, "A vertex in a checkpoint")
        .gives::<checkpoint_details::Subtasks>(),
    json("GET", "/jobs/{job}/checkpoints/{trigger}", operations::poll_checkpoint, "What became of a checkpoint that was triggered")
        .gives::<Operation>(),
];

/// Calls about vertices, below `/jobs/{job}/vertices/{vertex}`.
const VERTICES: &[Route] = &[
    json("GET", "", vertices::vertex, "A vertex with its subtasks").gives::<vertices::VertexAnswer>(),
    json("GET", "/accumulators", vertices::accumulators, "The accumulators of a vertex").gives::<vertices::VertexAccumulators>(),
    json("GET", "/backpressure", vertices::backpressure, "How busy the subtasks are, and who waits for whom")
        .gives::<vertices::Backpressure>(),
    json("GET", "/flamegraph", flame_graph::flame_graph, "Where the time of a vertex goes")
        .gives::<flame_graph::FlameGraph>()
        .query(&["type", "subtaskindex"]),
    json("GET", "/jm-operator-metrics", metrics::of_coordinator, "The metrics of a vertex's coordinators")
        .gives::<Vec<Metric>>()
        .query(&["get"]),
    json("GET", "/metrics", metrics::of_vertex, "The metrics of all subtasks").gives::<Vec<Metric>>().query(&["get"]),
    json("GET", "/subtasktimes", vertices::subtask_times, "When subtasks entered which state").gives::<vertices::SubtaskTimes>(),
    json("GET", "/taskmanagers", vertices::task_managers, "The vertex by TaskManager").gives::<vertices::TaskManagers>(),
    json("GET", "/watermarks", vertices::watermarks, "The watermarks of subtasks").gives::<Vec<Metric>>(),
    json("GET", "/subtasks/accumulators", vertices::subtasks_accumulators, "The accumulators of subtasks")
        .gives::<vertices::SubtasksAccumulators>(),
    json("GET", "/subtasks/metrics", metrics::over_subtasks, "Metrics aggregated over subtasks")
        .gives::<Vec<Aggregate>>()
        .query(&["get", "agg", "subtasks"]),
    json("GET", "/subtasks/{subtask}", vertices::attempt, "The newest attempt of a subtask").gives::<attempts::AttemptAnswer>(),
    json("GET", "/subtasks/{subtask}/metrics", metrics::of_subtask, "The metrics of a subtask").gives::<Vec<Metric>>().query(&["get"]),
    json("GET", "/subtasks/{subtask}/attempts/{attempt}", vertices::attempt, "An attempt of a subtask").gives::<attempts::AttemptAnswer>(),
    json("GET", "/subtasks/{subtask}/attempts/{attempt}/accumulators", vertices::attempt_accumulators, "The accumulators of an attempt")
        .gives::<vertices::AttemptAccumulators>(),
];

/// Calls about the records of a vertex, below `/jobs/{job}/vertices/{vertex}`.
const TAPS: &[Route] = &[
    json("GET", "/tap", tap::terms, "Whether records may be looked at, and how many (not Flink's)").gives::<tap::Terms>(),
    json("POST", "/tap", tap::begin, "Begins to look at some of the records that go in and out (not Flink's)")
        .gives::<tap::Begun>()
        .takes(&[("subtask", Kind::Number)])
        .needs(Role::Operator),
    json("GET", "/tap/{trigger}", tap::look, "The records that were seen since this was last asked (not Flink's)")
        .gives::<tap::TapAnswer>()
        .needs(Role::Operator)
        .quiet(),
    json("DELETE", "/tap/{trigger}", tap::end, "Looks at records no more (not Flink's)").gives::<Empty>().needs(Role::Operator),
];

/// Calls about JobManager and TaskManagers.
const PROCESSES: &[Route] = &[
    json("GET", "/jobmanager/config", processes::config, "The configuration of the JobManager").gives::<Vec<processes::ConfigEntry>>(),
    json("GET", "/jobmanager/environment", processes::environment, "What the JobManager runs in").gives::<processes::Environment>(),
    json("GET", "/jobmanager/metrics", metrics::of_job_manager, "The metrics of the JobManager").gives::<Vec<Metric>>().query(&["get"]),
    json("GET", "/taskmanagers", task_managers::task_managers, "The TaskManagers").gives::<task_managers::TaskManagers>(),
    json("GET", "/taskmanagers/metrics", metrics::over_task_managers, "Metrics aggregated over TaskManagers")
        .gives::<Vec<Aggregate>>()
        .query(GET_AND_AGG),
    json("GET", "/taskmanagers/{tm}", task_managers::task_manager, "A TaskManager with its slots and memory")
        .gives::<task_managers::Detail>(),
    json("GET", "/taskmanagers/{tm}/metrics", metrics::of_task_manager, "The metrics of a TaskManager")
        .gives::<Vec<Metric>>()
        .query(&["get"]),
];

/// Calls about what a process writes and was started with, below `/jobmanager` and `/taskmanagers/{tm}`.
const LOGS: &[Route] = &[
    log("/log", LOG, "The log"),
    log("/stdout", STDOUT, "What the process printed"),
    json("GET", "/logs", processes::logs, "The log files").gives::<processes::Logs>(),
    log("/logs/{file}", Which::Named, "A log file"),
    json("GET", "/configuration", processes::config, "The options of the process, each with where it was given (not Flink's)")
        .gives::<Vec<processes::ConfigEntry>>(),
    json("GET", "/thread-dump", processes::thread_dump, "What the threads are doing").gives::<processes::ThreadDump>(),
];

const UPLOAD: Route = Route {
    method: "POST",
    path: "/jars/upload",
    query: &[],
    body: &[],
    action: Action::Upload,
    needs: Role::Deployer,
    quiet: false,
    answer: None,
    summary: "Takes an executable",
};

/// Calls that bring programs into the cluster.
const EXECUTABLES: &[Route] = &[
    json("GET", "/jars", executables::list, "The executables").gives::<executables::Executables>(),
    UPLOAD.gives::<executables::Uploaded>(),
    json("DELETE", "/jars/{executable}", executables::remove, "Removes an executable").gives::<Empty>().needs(Role::Deployer),
    json("GET", "/jars/{executable}/plan", executables::plan, "The graph of a program, and the slots that it asks for")
        .gives::<executables::Preview>()
        .query(RUN)
        .needs(Role::Deployer),
    json("POST", "/jars/{executable}/plan", executables::plan, "The graph of a program, and the slots that it asks for")
        .gives::<executables::Preview>()
        .takes(RUN_BODY)
        .query(RUN)
        .needs(Role::Deployer),
    json("POST", "/jars/{executable}/run", executables::run, "Runs a program")
        .gives::<executables::Started>()
        .takes(RUN_BODY)
        .query(RUN)
        .needs(Role::Deployer),
];

/// All calls with their whole paths.
pub(crate) fn routes(submit: bool) -> impl Iterator<Item = (String, &'static Route)> {
    let groups = [
        ("", CLUSTER),
        ("", JOBS),
        ("", RESCALING),
        ("", SNAPSHOTS),
        ("/jobs/{job}/vertices/{vertex}", VERTICES),
        ("/jobs/{job}/vertices/{vertex}", TAPS),
        ("", PROCESSES),
        ("/jobmanager", LOGS),
        ("/taskmanagers/{tm}", LOGS),
        ("", if submit { EXECUTABLES } else { &[] }),
    ];
    groups.into_iter().flat_map(|(prefix, group)| group.iter().map(move |route| (format!("{prefix}{}", route.path), route)))
}

/// The first parts of the paths of calls.
fn first_parts(submit: bool) -> BTreeSet<String> {
    routes(submit).filter_map(|(path, _)| path.split('/').nth(1).map(str::to_owned)).collect()
}

/// The path of a call without the slashes at its end, which mean nothing; `None`: there are none, or it is the path of a file.
fn without_slash(uri: &Uri, calls: &BTreeSet<String>) -> Option<Uri> {
    let path = uri.path().trim_end_matches('/');
    let below = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if path.len() == uri.path().len() || !calls.contains(below.split('/').nth(1)?) {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = Some(format!("{path}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The router of a server.
pub(crate) fn router(app: Arc<App>) -> Router {
    let first = Arc::new(first_parts(app.options.submit));
    let trim = move |mut request: Request, next: Next| {
        let first = Arc::clone(&first);
        async move {
            if let Some(uri) = without_slash(request.uri(), &first) {
                *request.uri_mut() = uri;
            }
            next.run(request).await
        }
    };
    // Before anything looks at the path, which says what may be done.
    Router::new().fallback_service(all(app)).layer(from_fn(trim))
}

/// All calls, each under the paths that it has.
fn all(app: Arc<App>) -> Router {
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
        calls = calls.route(&path, call.route_layer(from_fn_with_state((Arc::clone(&app), found), access)));
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
