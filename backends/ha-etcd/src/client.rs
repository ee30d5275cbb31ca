//! One call to etcd: which member is asked, and what its failure means.

use crate::{
    EtcdSettings,
    message::{AuthenticateRequest, AuthenticateResponse, ErrorResponse},
};
use flott_ha::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs, io,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use ureq::{
    Agent, Timeout,
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem},
};

/// The largest answer that is read, in bytes. etcd itself refuses values beyond 1.5 MB.
const ANSWER_MAX: u64 = 256 << 20;
/// Codes of gRPC with which a call was refused before anything was done: invalid argument, permission denied, resource exhausted,
/// failed precondition, unimplemented, unauthenticated.
const REFUSALS: [u32; 6] = [3, 7, 8, 9, 12, 16];
/// What etcd says about a token that it does not know, or no more. Depending on its release the code is 3 or 16.
const STALE_TOKENS: [&str; 3] = ["invalid auth token", "revision of auth store is old", "user name is empty"];

/// Asks the members in turn, from the one that answered last.
pub(crate) struct Client {
    settings: EtcdSettings,
    agent: Agent,
    /// Which member answered last.
    member: AtomicUsize,
    token: Mutex<Option<String>>,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It was not done, and will not be.
    #[error("{0}")]
    NotDone(String),
    /// The token is old, or there is none.
    #[error("{0}")]
    StaleToken(String),
    /// It may have been done, or still be.
    #[error("{0}")]
    Unknown(String),
}

impl Client {
    pub(crate) fn new(settings: EtcdSettings) -> Result<Self, StoreError> {
        let mut tls = TlsConfig::builder();
        if let Some(ca) = &settings.ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(ca)?));
        }
        if let Some((certificate, key)) = &settings.identity {
            let key = PrivateKey::from_pem(&read(key)?).map_err(|error| invalid(key, error))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates(certificate)?, key)));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // What coordinates the cluster is asked directly, whatever the environment says about the web.
            .proxy(None)
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(settings.timeout / 2))
            .tls_config(tls.build())
            .build();
        Ok(Client { agent: config.new_agent(), settings, member: AtomicUsize::new(0), token: Mutex::new(None) })
    }

    pub(crate) fn settings(&self) -> &EtcdSettings {
        &self.settings
    }

    /// Asks until a member answers: for calls that change nothing.
    pub(crate) fn ask<A: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<A, CallError> {
        let mut result = self.call(path, request);
        // Twice each: a connection that was kept may be one to a member that has been started again since.
        for _ in 1..2 * self.settings.endpoints.len() {
            if result.is_ok() {
                break;
            }
            result = self.call(path, request);
        }
        result
    }

    /// Asks the members until one may have got the request: for calls that change something.
    pub(crate) fn change<A: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<A, CallError> {
        let mut result = self.call(path, request);
        for _ in 1..self.settings.endpoints.len() {
            if !matches!(result, Err(CallError::NotDone(_))) {
                break;
            }
            result = self.call(path, request);
        }
        result
    }

    /// Asks one member. The next is asked after it if it does not answer.
    fn call<A: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<A, CallError> {
        let member = self.member.load(Ordering::Relaxed) % self.settings.endpoints.len();
        let endpoint = &self.settings.endpoints[member];
        let mut result = self.token(endpoint).and_then(|token| self.post(endpoint, path, request, token.as_deref()));
        if let Err(CallError::StaleToken(_)) = result
            && self.settings.user.is_some()
        {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
            result = self.token(endpoint).and_then(|token| self.post(endpoint, path, request, token.as_deref()));
        }
        if result.is_err() {
            self.member.store(member + 1, Ordering::Relaxed);
        }
        result.map_err(|error| match error {
            CallError::StaleToken(message) => CallError::NotDone(message),
            error => error,
        })
    }

    /// What shows who we are; `None` if nobody asks.
    fn token(&self, endpoint: &str) -> Result<Option<String>, CallError> {
        let Some((name, password)) = &self.settings.user else { return Ok(None) };
        // Held while another thread asks for a token, which then serves both.
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if token.is_none() {
            let request = AuthenticateRequest { name, password: password.expose() };
            let answer: Result<AuthenticateResponse, CallError> = self.post(endpoint, "/v3/auth/authenticate", &request, None);
            // It changes nothing that anybody sees.
            let answer = answer.map_err(|error| CallError::NotDone(format!("user `{name}` is not let in: {error}")))?;
            *token = Some(answer.token);
        }
        Ok(token.clone())
    }

    fn post<A: DeserializeOwned>(&self, endpoint: &str, path: &str, request: &impl Serialize, token: Option<&str>) -> Result<A, CallError> {
        let body = serde_json::to_vec(request).map_err(|error| CallError::NotDone(error.to_string()))?;
        let mut call = self.agent.post(format!("{endpoint}{path}")).header("Content-Type", "application/json");
        if let Some(token) = token {
            call = call.header("Authorization", token);
        }
        let at = |problem: &dyn std::fmt::Display| format!("{endpoint}: {problem}");
        let mut answer = call.send(&body).map_err(|error| match was_sent(&error) {
            true => CallError::Unknown(at(&error)),
            false => CallError::NotDone(at(&error)),
        })?;
        let status = answer.status();
        let bytes = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().map_err(|error| CallError::Unknown(at(&error)))?;
        if status == 200 {
            return serde_json::from_slice(&bytes).map_err(|error| CallError::Unknown(at(&format!("the answer does not decode: {error}"))));
        }
        // A proxy in between says anything.
        let error: ErrorResponse = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = at(&format!("status {status}, {}", error.text()));
        if status == 401 || STALE_TOKENS.iter().any(|stale| error.text().contains(stale)) {
            return Err(CallError::StaleToken(message));
        }
        Err(if REFUSALS.contains(&error.code) { CallError::NotDone(message) } else { CallError::Unknown(message) })
    }
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

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(|error| invalid(path, error))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, StoreError> {
    let items: Result<Vec<PemItem<'_>>, _> = parse_pem(&read(path)?).collect();
    let items = items.map_err(|error| invalid(path, error))?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() { Err(invalid(path, "it has no certificate")) } else { Ok(certificates) }
}

fn invalid(path: &Path, problem: impl std::fmt::Display) -> StoreError {
    StoreError::Invalid { message: format!("`{}`, which `high-availability.etcd.tls` names, cannot be used: {problem}", path.display()) }
}
