//! Sends callers to the server of the JobManager that leads.

use crate::app::App;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// Lets a request pass if this server's JobManager leads, or if it is not known who does.
pub(crate) async fn follow_leader(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let leader = app.options.elsewhere.as_ref().and_then(|elsewhere| elsewhere());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match leader.and_then(|leader| HeaderValue::from_str(&format!("{leader}{path}")).ok()) {
        // With this status the method and the body stay as they are.
        Some(location) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response(),
        None => next.run(request).await,
    }
}
