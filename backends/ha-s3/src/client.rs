//! One call to S3, and what its failure means.

use crate::{
    S3Settings,
    clock::Clock,
    signature::{Request, Signer, encode, sha256},
};
use std::io;
use ureq::{Agent, Timeout, http};

/// The largest answer that is read, in bytes.
const ANSWER_MAX: u64 = 256 << 20;

/// Asks S3.
pub(crate) struct Client {
    settings: S3Settings,
    agent: Agent,
    clock: Clock,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    /// The object; empty for the bucket.
    pub(crate) object: &'a str,
    /// Names, in order, and values.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// `if-match` or `if-none-match`, and its value.
    pub(crate) condition: Option<(&'a str, &'a str)>,
    pub(crate) body: &'a [u8],
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    date: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Why a call has no answer that says what was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It was not done, and will not be.
    #[error("{0}")]
    NotDone(String),
    /// It may have been done, or still be.
    #[error("{0}")]
    Unknown(String),
}

impl Client {
    pub(crate) fn new(settings: S3Settings) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // What coordinates the cluster is asked directly, whatever the environment says about the web.
            .proxy(None)
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(settings.timeout / 2))
            .allow_non_standard_methods(true)
            .build();
        Client { settings, agent: config.new_agent(), clock: Clock::default() }
    }

    pub(crate) fn settings(&self) -> &S3Settings {
        &self.settings
    }

    /// Asks until there is an answer: for calls that change nothing. Twice, as a connection that was kept may have ended since.
    pub(crate) fn ask(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        self.call(call).or_else(|_| self.call(call))
    }

    /// Asks. An answer is one that says what was done: success, or that a condition does not hold.
    pub(crate) fn call(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let mut answer = self.send(call)?;
        if answer.status == 403
            && answer.code() == Some("RequestTimeTooSkewed")
            && answer.date.as_ref().is_some_and(|date| self.clock.set(date))
        {
            answer = self.send(call)?;
        }
        match answer.status {
            200..300 | 404 | 412 => Ok(answer),
            // Another write of the same object was just at work.
            409 if answer.code() == Some("ConditionalRequestConflict") => Ok(answer),
            400..=499 | 501 => Err(CallError::NotDone(self.explain(&answer))),
            _ => Err(CallError::Unknown(self.explain(&answer))),
        }
    }

    fn send(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let (address, host) = self.settings.bucket_address();
        let path = if call.object.is_empty() { String::new() } else { format!("/{}", encode(call.object, true)) };
        let query: Vec<String> =
            call.query.iter().map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false))).collect();
        let (query, body_hash, date) = (query.join("&"), sha256(call.body), self.clock.now());
        let mut headers = vec![("host", host.as_str()), ("x-amz-content-sha256", &body_hash), ("x-amz-date", &date)];
        headers.extend(call.condition);
        headers.extend(self.settings.session_token.as_ref().map(|token| ("x-amz-security-token", token.expose())));
        headers.sort_unstable();
        let signed_path = if self.settings.path_style { format!("/{}{path}", self.settings.bucket) } else { path.clone() };
        let S3Settings { access_key, secret_key, region, .. } = &self.settings;
        let authorization = Signer { access_key, secret_key: secret_key.expose(), region, date: &date }.authorization(&Request {
            method: call.method,
            path: if signed_path.is_empty() { "/" } else { &signed_path },
            query: &query,
            headers: &headers,
            body_hash: &body_hash,
        });
        let question = if query.is_empty() { "" } else { "?" };
        let mut request = http::Request::builder().method(call.method).uri(format!("{address}{path}{question}{query}"));
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        let request = request.header("authorization", authorization).body(call.body);
        let request = request.map_err(|error| CallError::NotDone(error.to_string()))?;
        self.receive(request)
    }

    fn receive(&self, request: http::Request<&[u8]>) -> Result<Answer, CallError> {
        let at = |problem: &dyn std::fmt::Display| format!("{}: {problem}", self.settings.endpoint);
        let mut answer = self.agent.run(request).map_err(|error| match was_sent(&error) {
            true => CallError::Unknown(at(&error)),
            false => CallError::NotDone(at(&error)),
        })?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, etag, date) = (answer.status().as_u16(), header("etag"), header("date"));
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().map_err(|error| CallError::Unknown(at(&error)))?;
        Ok(Answer { status, etag, date, body })
    }

    /// What an answer says that is none.
    pub(crate) fn explain(&self, answer: &Answer) -> String {
        let (code, message) = (answer.code().unwrap_or("no code"), answer.element("Message").unwrap_or("no message"));
        format!("{}: status {}, {code}: {message}", self.settings.endpoint, answer.status)
    }
}

impl Answer {
    /// The code of an error.
    fn code(&self) -> Option<&str> {
        self.element("Code")
    }

    /// The text of the first element `name`.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        element(std::str::from_utf8(&self.body).ok()?, name)
    }
}

/// The text in the first element `name`. All that is read in this way are words, numbers and keys, which hold nothing that XML writes in
/// another way; and messages for people.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Whether a request that failed may have reached the server.
fn was_sent(error: &ureq::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => false,
        ureq::Error::Io(error) => !matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable),
        _ => true,
    }
}
