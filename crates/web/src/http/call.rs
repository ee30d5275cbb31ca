//! A call, taken apart; and the way from a route to its handler.

use crate::{
    app::App,
    cluster::Cluster,
    http::{
        answer::{Handled, Refusal},
        fields::Fields,
    },
    operations::TriggerId,
};
use axum::{
    body::to_bytes,
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::Bytes;
use flott_core::id::{JobId, OperatorId};
use flott_core::time::Timestamp;
use flott_security::Caller;
use std::sync::Arc;

/// JSON bodies are options and arguments: nobody needs more.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A call that has arrived in full.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    host: Option<String>,
    caller: Option<Caller>,
    body: Bytes,
}

/// The handler of a route. It may block.
pub(crate) type Handler = fn(&Call) -> Handled;

/// The route that `handler` answers.
pub(crate) fn route(method: MethodFilter, handler: Handler) -> MethodRouter<Arc<App>> {
    on(method, move |State(app): State<Arc<App>>, params: Params, request: Request| async move {
        match Call::receive(app, params, request).await {
            Ok(call) => {
                let app = Arc::clone(&call.app);
                blocking(&app, move || handler(&call)).await
            }
            Err(refusal) => refusal.into_response(),
        }
    })
}

/// The path parameters, or why there are none.
pub(crate) type Params = Result<RawPathParams, RawPathParamsRejection>;

/// Runs `work`, which may block, when there is a thread for it, and answers with what it returns.
pub(crate) async fn blocking<T: IntoResponse + Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Response {
    match finished(app, work).await {
        Ok(answer) => answer.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// What `work`, which may block, returns.
pub(crate) async fn finished<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let turn = app.turn().await?;
    // The turn goes along: the thread is occupied until the work is done, even if the client has gone.
    let working = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn);
        result
    });
    working.await.unwrap_or_else(|error| {
        tracing::error!("a REST call was not answered: {error}");
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the call has panicked; the log says more"))
    })
}

impl Call {
    /// Waits for the rest of a call.
    async fn receive(app: Arc<App>, params: Params, request: Request) -> Result<Call, Refusal> {
        let (mut call, request) = Call::without_body(app, params, request)?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            call.body = to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| {
                let message = format!("the body could not be read; it must not be longer than {BODY_BYTES_MAX} bytes");
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
            })?;
        }
        Ok(call)
    }

    /// A call whose body someone else reads.
    pub(crate) fn without_body(app: Arc<App>, params: Params, request: Request) -> Result<(Call, Request), Refusal> {
        let params = params.map_err(|error| Refusal::bad_request(error.body_text()))?;
        let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let query = request.uri().query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        let caller = request.extensions().get::<Caller>().cloned();
        Ok((Call { app, params, query, host, caller, body: Bytes::new() }, request))
    }

    /// Who calls; anyone where nobody is asked.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.clone().unwrap_or_else(Caller::anyone)
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &dyn Cluster {
        &*self.app.cluster
    }

    /// The present, as people count it.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.options.clock.wall()
    }

    /// Where the client has found the server.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.app.options.tls.is_some() { "https" } else { "http" };
        match &self.host {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{}", self.app.address),
        }
    }

    /// The path parameter `name`; empty if the route has none.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The job that the path names.
    pub(crate) fn job(&self) -> Result<JobId, Refusal> {
        let text = self.param("job");
        parse_job(text).ok_or_else(|| Refusal::parameter("path", "jobid", text))
    }

    /// The application that the path names: a job, each being one of its own.
    pub(crate) fn application(&self) -> Result<JobId, Refusal> {
        let text = self.param("application");
        parse_job(text).ok_or_else(|| Refusal::parameter("path", "applicationid", text))
    }

    /// The vertex that the path names.
    pub(crate) fn vertex(&self) -> Result<OperatorId, Refusal> {
        let text = self.param("vertex");
        let number = parse_hex(text).ok_or_else(|| Refusal::parameter("path", "vertexid", text))?;
        // A vertex has the id of an operator, which is shorter than Flink's; a longer one is nobody's.
        let id = u64::try_from(number).map_err(|_| Refusal::not_found(format!("the job has no vertex `{text}`")))?;
        Ok(OperatorId(id))
    }

    /// The operation that the path names.
    pub(crate) fn trigger(&self) -> Result<TriggerId, Refusal> {
        let text = self.param("trigger");
        parse_hex(text).map(TriggerId).ok_or_else(|| Refusal::parameter("path", "triggerid", text))
    }

    /// The number that the path gives as `name`, which Flink calls `shown`.
    pub(crate) fn number(&self, name: &str, shown: &str) -> Result<u64, Refusal> {
        let text = self.param(name);
        text.parse().map_err(|_| Refusal::parameter("path", shown, text))
    }

    /// The value of `name` in the query; an empty one counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The values of `name` in the query, divided at commas; `None` if it is absent.
    pub(crate) fn query_list(&self, name: &str) -> Option<Vec<&str>> {
        let mut values = self.query.iter().filter(|(n, _)| n == name).peekable();
        values.peek()?;
        Some(values.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty()).collect())
    }

    /// The number that the query gives as `name`.
    pub(crate) fn query_number(&self, name: &str) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.query(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::parameter("query", name, text))
    }

    /// The body as a JSON object.
    pub(crate) fn fields(&self) -> Result<Fields, Refusal> {
        Fields::parse(&self.body)
    }
}

/// Reads 32 hexadecimal digits.
pub(crate) fn parse_hex(text: &str) -> Option<u128> {
    // `from_str_radix` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && text.len() == 32 { u128::from_str_radix(text, 16).ok() } else { None }
}

/// Reads a job id.
pub(crate) fn parse_job(text: &str) -> Option<JobId> {
    parse_hex(text).map(JobId)
}
