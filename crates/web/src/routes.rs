//! Which path is answered by what. Every path is there twice: as it is, and under `/v1`.

use crate::{
    api::{
        applications, checkpoint_details, checkpoints, cluster, executables, job, jobs, metrics, operations, processes, task_managers,
        vertices,
    },
    app::App,
    http::{
        answer::Refusal,
        call::{delete, get, patch, post},
        guard::guard,
        log_file::{Which, log_file},
        upload::upload,
    },
    model::LogKind,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// The routes of a server.
pub(crate) fn router(app: Arc<App>) -> Router {
    let calls = whole_cluster().merge(jobs_routes()).merge(vertex_routes()).merge(process_routes());
    let calls = if app.options.submit { calls.merge(executable_routes(app.options.upload_bytes_max)) } else { calls };
    Router::new()
        .nest("/v1", calls.clone())
        .merge(calls)
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

fn whole_cluster() -> Router<Arc<App>> {
    Router::new()
        .route("/config", get(cluster::config))
        .route("/overview", get(cluster::overview))
        .route("/datasets", get(cluster::data_sets))
        .route("/cluster", delete(cluster::shut_down))
        .route("/applications/overview", get(applications::overview))
        .route("/savepoint-disposal", post(operations::dispose_savepoint))
        .route("/savepoint-disposal/{trigger}", get(operations::poll_disposal))
}

fn jobs_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/jobs", get(jobs::jobs))
        .route("/jobs/overview", get(jobs::overview))
        .route("/jobs/metrics", get(metrics::over_jobs))
        .route("/jobs/{job}", get(job::job).merge(patch(jobs::terminate)))
        .route("/jobs/{job}/status", get(jobs::status))
        .route("/jobs/{job}/plan", get(jobs::plan))
        .route("/jobs/{job}/config", get(jobs::config))
        .route("/jobs/{job}/exceptions", get(jobs::exceptions))
        .route("/jobs/{job}/accumulators", get(jobs::accumulators))
        .route("/jobs/{job}/execution-result", get(jobs::execution_result))
        .route("/jobs/{job}/metrics", get(metrics::of_job))
        .route("/jobs/{job}/yarn-cancel", get(jobs::yarn_cancel))
        .route("/jobs/{job}/stop", post(operations::stop))
        .route("/jobs/{job}/savepoints", post(operations::trigger_savepoint))
        .route("/jobs/{job}/savepoints/{trigger}", get(operations::poll_savepoint))
        .route("/jobs/{job}/checkpoints", get(checkpoints::checkpoints).merge(post(operations::trigger_checkpoint)))
        .route("/jobs/{job}/checkpoints/config", get(checkpoints::config))
        .route("/jobs/{job}/checkpoints/details/{checkpoint}", get(checkpoint_details::checkpoint))
        .route("/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}", get(checkpoint_details::subtasks))
        .route("/jobs/{job}/checkpoints/{trigger}", get(operations::poll_checkpoint))
        .route("/jobs/{job}/jobmanager/config", get(processes::config_of_job))
        .route("/jobs/{job}/jobmanager/environment", get(processes::environment_of_job))
        .route("/jobs/{job}/jobmanager/log-url", get(processes::log_url))
        .route("/jobs/{job}/taskmanagers/{tm}/log-url", get(processes::log_url))
}

fn vertex_routes() -> Router<Arc<App>> {
    let routes = Router::new()
        .route("/", get(vertices::vertex))
        .route("/accumulators", get(vertices::accumulators))
        .route("/backpressure", get(vertices::backpressure))
        .route("/flamegraph", get(vertices::flame_graph))
        .route("/jm-operator-metrics", get(metrics::of_coordinator))
        .route("/metrics", get(metrics::of_vertex))
        .route("/subtasktimes", get(vertices::subtask_times))
        .route("/taskmanagers", get(vertices::task_managers))
        .route("/watermarks", get(vertices::watermarks))
        .route("/subtasks/accumulators", get(vertices::subtasks_accumulators))
        .route("/subtasks/metrics", get(metrics::over_subtasks))
        .route("/subtasks/{subtask}", get(vertices::attempt))
        .route("/subtasks/{subtask}/metrics", get(metrics::of_subtask))
        .route("/subtasks/{subtask}/attempts/{attempt}", get(vertices::attempt))
        .route("/subtasks/{subtask}/attempts/{attempt}/accumulators", get(vertices::attempt_accumulators));
    Router::new().nest("/jobs/{job}/vertices/{vertex}", routes)
}

fn process_routes() -> Router<Arc<App>> {
    let logs = || {
        Router::new()
            .route("/log", log_file(Which::Current(LogKind::Log)))
            .route("/stdout", log_file(Which::Current(LogKind::Stdout)))
            .route("/logs", get(processes::logs))
            .route("/logs/{file}", log_file(Which::Named))
            .route("/thread-dump", get(processes::thread_dump))
    };
    let job_manager = logs()
        .route("/config", get(processes::config))
        .route("/environment", get(processes::environment))
        .route("/metrics", get(metrics::of_job_manager));
    let task_manager = logs().route("/", get(task_managers::task_manager)).route("/metrics", get(metrics::of_task_manager));
    Router::new()
        .route("/taskmanagers", get(task_managers::task_managers))
        .route("/taskmanagers/metrics", get(metrics::over_task_managers))
        .nest("/taskmanagers/{tm}", task_manager)
        .nest("/jobmanager", job_manager)
}

fn executable_routes(bytes_max: u64) -> Router<Arc<App>> {
    Router::new()
        .route("/jars", get(executables::list))
        .route("/jars/upload", upload(bytes_max))
        .route("/jars/{executable}", delete(executables::remove))
        .route("/jars/{executable}/plan", get(executables::plan).merge(post(executables::plan)))
        .route("/jars/{executable}/run", post(executables::run))
}

/// A path that is none of the calls: a file of the dashboard, or nothing.
async fn unknown(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(assets) = app.options.assets.as_ref().filter(|_| reads) {
        let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
        if let Some(asset) = assets(name) {
            let mut response = Response::new(Body::from(asset.body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
            return response;
        }
    }
    Refusal::not_found(format!("Unable to load requested file {path}.")).into_response()
}
