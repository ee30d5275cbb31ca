//! Sends callers to the server of the JobManager that leads.

use crate::{app::App, http::answer::Refusal, server::Leading};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// Lets a request pass if this server's JobManager leads. While nobody does, only what it tells of itself can be had.
pub(crate) async fn follow_leader(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let leading = app.options.elsewhere.as_ref().map_or(Leading::Here, |elsewhere| elsewhere());
    match leading {
        Leading::Here => next.run(request).await,
        Leading::At(leader) => {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            match HeaderValue::from_str(&format!("{leader}{path}")) {
                // With this status the method and the body stay as they are.
                Ok(location) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response(),
                Err(_) => nobody(),
            }
        }
        Leading::Nobody if is_own(&app, request.uri().path()) => next.run(request).await,
        Leading::Nobody => nobody(),
    }
}

/// Whether `path` is of this process and not of the cluster: a file of the dashboard, what that asks first, and what people look at to
/// find out why nobody leads.
fn is_own(app: &App, path: &str) -> bool {
    let call = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let file = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
    matches!(call, "/config" | "/auth/whoami" | "/openapi.json" | "/metrics")
        || call.starts_with("/jobmanager/")
        || app.options.assets.as_ref().is_some_and(|assets| assets(file).is_some())
}

fn nobody() -> Response {
    let text = "no JobManager leads right now, as far as this one knows: one will in a moment, if enough of them and their store are there; \
                try again";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
