//! Who may ask the JobManager for what, and a line in the log for everything that was changed.

use flott_core::{Error, ErrorKind};
use flott_rpc::{
    client::JobRequest,
    control::{ClientReply, ClientRequest, Role as Process},
};
use flott_security::{Entrance, Role, Stream, Who};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Connections whose other side has not said who it is, at the most.
const MOST_UNKNOWN: usize = 256;

/// What a request is called, and the role that it needs.
fn needed(request: &ClientRequest) -> (&'static str, Role) {
    match request {
        ClientRequest::ListJobs => ("list jobs", Role::Viewer),
        ClientRequest::Overview(_) | ClientRequest::Figures(_) => ("look at a job", Role::Viewer),
        ClientRequest::Wait(_) => ("wait for a job", Role::Viewer),
        ClientRequest::Job(_, JobRequest::Cancel) => ("cancel", Role::Operator),
        ClientRequest::Job(..) => ("change a job", Role::Operator),
        ClientRequest::DisposeSavepoint(_) => ("remove a savepoint", Role::Operator),
        // What is in an executable may be a secret of whoever built it.
        ClientRequest::HasExecutable(_) => ("look for an executable", Role::Deployer),
        ClientRequest::GetExecutable(..) => ("get an executable", Role::Deployer),
        ClientRequest::PutExecutable(..) => ("bring an executable", Role::Deployer),
        ClientRequest::Submit(_) => ("submit a job", Role::Deployer),
        // What was fetched is gone from the job.
        ClientRequest::AskOperator(..) => ("fetch results", Role::Deployer),
    }
}

/// Whether `request` changes something, so that it leaves a line in the log, and of what. The pieces of an executable leave one
/// together.
fn changed(request: &ClientRequest) -> Option<String> {
    match request {
        ClientRequest::Job(job, request) => Some(match request {
            JobRequest::Cancel => format!("cancel {job}"),
            other => format!("{} {job}", variant(&format!("{other:?}"))),
        }),
        ClientRequest::PutExecutable(id, bytes) if bytes.is_empty() => Some(format!("bring executable {id}")),
        ClientRequest::Submit(submission) => Some(format!("submit {}", submission.program.executable)),
        ClientRequest::DisposeSavepoint(_) => Some("remove a savepoint".to_owned()),
        _ => None,
    }
}

/// The name of a variant as `Debug` writes it, without what it holds.
fn variant(debug: &str) -> &str {
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
}

/// A client that is known.
pub(super) struct Client {
    who: Who,
    from: Option<SocketAddr>,
}

impl Client {
    /// Answers `request` with `answer`, if the client may ask for that.
    pub(super) fn serve(&self, request: ClientRequest, answer: impl FnOnce(ClientRequest) -> Result<ClientReply, Error>) -> ClientReply {
        let (what, role) = needed(&request);
        let change = changed(&request);
        let result = match &self.who {
            Who::Client(caller) if caller.role < role => {
                Err(Error::new(ErrorKind::Invalid, format!("the token's role is `{}`, and to {what} needs the role `{role}`", caller.role)))
            }
            _ => answer(request),
        };
        if let Some(change) = change {
            let who = match &self.who {
                Who::Process => "a process of the cluster".to_owned(),
                Who::Client(caller) => caller.to_string(),
            };
            let from = self.from.map(|from| from.to_string()).unwrap_or_default();
            let result = match &result {
                Ok(ClientReply::Submitted(job)) => format!("job {job}"),
                Ok(_) => "done".to_owned(),
                Err(error) => format!("refused: {error}"),
            };
            tracing::info!(target: "flott::audit", who, from, what = change, result, "asked over the control connection");
        }
        result.unwrap_or_else(|error| ClientReply::Failed(error.kind(), error.to_string()))
    }
}

/// Finds out who is on the other side of `stream`.
pub(super) fn identify(
    entrance: &Entrance,
    stream: &Stream,
    hello: &flott_rpc::control::Hello,
    from: Option<SocketAddr>,
) -> Result<Client, String> {
    match (&hello.role, entrance.authenticate(stream, hello.token.as_ref())?) {
        (Process::Client, who) => Ok(Client { who, from }),
        (Process::TaskManager(_) | Process::Worker(_), Who::Process) => Ok(Client { who: Who::Process, from }),
        (Process::TaskManager(_) | Process::Worker(_), Who::Client(_)) => Err(
            "a process of this cluster must show a certificate: set `security.ssl.internal.certificate` and `security.ssl.internal.key`"
                .to_owned(),
        ),
    }
}

/// Counts connections whose other side is not known yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Unknown(Arc<AtomicUsize>);

impl Unknown {
    /// One more, until what is returned is dropped; `None`: there are too many.
    pub(super) fn one_more(&self) -> Option<Counted> {
        let counted = Counted(self.0.clone());
        (self.0.fetch_add(1, Ordering::SeqCst) < MOST_UNKNOWN).then_some(counted)
    }
}

/// One of them.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::JobId;
    use flott_security::Caller;

    fn reply(role: Role, request: ClientRequest) -> ClientReply {
        let client = Client { who: Who::Client(Caller { name: "alice".to_owned(), role }), from: None };
        client.serve(request, |_| Ok(ClientReply::Done))
    }

    #[test]
    fn each_role_may_do_what_it_is_for_and_no_more() {
        let cancel = || ClientRequest::Job(JobId(1), JobRequest::Cancel);
        let look = || ClientRequest::ListJobs;
        let bring = || ClientRequest::PutExecutable(flott_rpc::control::ExecutableId("ab".repeat(32)), Vec::new());
        assert_eq!(reply(Role::Viewer, look()), ClientReply::Done);
        let refused =
            ClientReply::Failed(ErrorKind::Invalid, "the token's role is `viewer`, and to cancel needs the role `operator`".to_owned());
        assert_eq!(reply(Role::Viewer, cancel()), refused);
        assert_eq!(reply(Role::Operator, cancel()), ClientReply::Done);
        assert!(matches!(reply(Role::Operator, bring()), ClientReply::Failed(..)));
        assert_eq!(reply(Role::Deployer, bring()), ClientReply::Done);
        assert_eq!(reply(Role::Admin, bring()), ClientReply::Done);
    }

    #[test]
    fn a_line_about_a_change_names_no_details() {
        let stop = ClientRequest::Job(JobId(1), JobRequest::StopWithSavepoint { directory: Some("canary".to_owned()), drain: true });
        assert_eq!(changed(&stop).unwrap(), "StopWithSavepoint 00000000000000000000000000000001");
        assert_eq!(changed(&ClientRequest::ListJobs), None);
    }

    #[test]
    fn strangers_are_counted_until_they_are_gone() {
        let unknown = Unknown::default();
        let all: Vec<Counted> = std::iter::from_fn(|| unknown.one_more()).collect();
        assert_eq!(all.len(), MOST_UNKNOWN);
        drop(all);
        assert!(unknown.one_more().is_some());
    }
}
