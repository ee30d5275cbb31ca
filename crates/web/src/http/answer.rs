//! Answers, and refusals in Flink's form `{"errors": [...]}`.

use crate::cluster::ClusterError;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

/// An answer: JSON, as a rule.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    media: &'static str,
    body: Vec<u8>,
}

impl Answer {
    /// A text, with status 200.
    pub(crate) fn text(media: &'static str, text: String) -> Self {
        Answer { status: StatusCode::OK, media, body: text.into_bytes() }
    }
}

/// What a handler returns.
pub(crate) type Handled = Result<Answer, Refusal>;

/// An object without fields.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Empty {}

/// `value`, with status 200.
pub(crate) fn ok(value: &impl Serialize) -> Handled {
    with_status(StatusCode::OK, value)
}

/// `value`, with status 202: begun, not done.
pub(crate) fn accepted(value: &impl Serialize) -> Handled {
    with_status(StatusCode::ACCEPTED, value)
}

fn with_status(status: StatusCode, value: &impl Serialize) -> Handled {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(Answer { status, media: "application/json; charset=UTF-8", body }),
        Err(error) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the answer cannot be written as JSON: {error}"))),
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media));
        response
    }
}

/// Why a call is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with `status`.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal { status, message: message.into() }
    }

    /// What was named is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, message)
    }

    /// The call makes no sense.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    /// A value of the address cannot be read.
    pub(crate) fn parameter(kind: &str, name: &str, value: &str) -> Self {
        Refusal::bad_request(format!("the {kind} parameter `{name}` cannot be read from `{value}`"))
    }
}

impl From<ClusterError> for Refusal {
    fn from(error: ClusterError) -> Self {
        let status = match &error {
            ClusterError::NotFound(_) => StatusCode::NOT_FOUND,
            ClusterError::Conflict(_) => StatusCode::CONFLICT,
            ClusterError::BadRequest(_) => StatusCode::BAD_REQUEST,
            ClusterError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            ClusterError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, error.to_string())
    }
}

#[derive(Serialize, JsonSchema)]
struct Errors<'a> {
    errors: [&'a str; 1],
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Strings are always JSON, so that this cannot go round in circles.
        match with_status(self.status, &Errors { errors: [&self.message] }) {
            Ok(answer) => answer.into_response(),
            Err(_) => self.status.into_response(),
        }
    }
}
