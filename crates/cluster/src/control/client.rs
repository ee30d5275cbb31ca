//! Asking the JobManager something.

use super::connection::{ConnectionError, connect, receive, send};
use crate::launch::no_thread;
use flott_core::{Error, ErrorKind};
use flott_rpc::control::{ClientReply, ClientRequest, Hello, PROTOCOL, Role, Welcome};
use flott_security::{Connector, Stream};
use std::time::Duration;

/// How long a JobManager may take to answer a greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one of several may: it may have hung, and another leads.
const GREETING_TIMEOUT_OF_MANY: Duration = Duration::from_secs(1);
/// Why nobody may be at the only address.
const HINT: &str = ": is the JobManager running, and is the address right (`jobmanager.rpc.address`, `jobmanager.rpc.port`)?";

/// A connection to the JobManager that leads, on which this process has introduced itself as `connector` does. `job_managers` are the
/// addresses of those that may lead, `host:port`, separated by commas: each is asked, and whoever it names.
///
/// # Errors
/// None answers, none leads, or the one that leads refuses this process.
pub(crate) fn find_leader(job_managers: &str, connector: &Connector, role: &Role) -> Result<Leader, Error> {
    let mut to_ask: Vec<String> = job_managers.split(',').map(|address| address.trim().to_owned()).collect();
    let mut reasons: Vec<Error> = Vec::new();
    let mut next = 0;
    let (patience, hint) = if to_ask.len() > 1 { (GREETING_TIMEOUT_OF_MANY, "") } else { (GREETING_TIMEOUT, HINT) };
    while let Some(address) = to_ask.get(next).cloned() {
        next += 1;
        match connect(&address, connector, hint).and_then(|stream| greet(&stream, connector, role, patience).map(|answer| (stream, answer)))
        {
            Ok((stream, None)) => return Ok(Leader { stream, address }),
            Ok((_, Some(NotLeader(other)))) => {
                reasons.push(Error::new(ErrorKind::Unavailable, format!("`{address}` does not lead")));
                if let Some(other) = other.filter(|other| !to_ask.contains(other)) {
                    to_ask.push(other);
                }
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => reasons.push(error),
            Err(error) => return Err(error),
        }
    }
    Err(no_leader(job_managers, reasons))
}

/// Of several addresses each may have another reason.
fn no_leader(job_managers: &str, mut reasons: Vec<Error>) -> Error {
    match reasons.pop() {
        None => Error::invalid("no address of a JobManager is set: `jobmanager.rpc.address`"),
        Some(only) if reasons.is_empty() && !job_managers.contains(',') => only,
        Some(last) => {
            let all: Vec<String> = reasons.iter().chain([&last]).map(Error::to_string).collect();
            let asked: Vec<String> = job_managers.split(',').map(|address| format!("`{}`", address.trim())).collect();
            let (asked, all) = (asked.join(", "), all.join("\n  "));
            let text = format!("no JobManager leads; asked were {asked} (`high-availability.jobmanagers`):\n  {all}");
            Error::new(ErrorKind::Unavailable, text)
        }
    }
}

/// The JobManager that leads.
pub(crate) struct Leader {
    pub(crate) stream: Stream,
    /// Where it is, `host:port`.
    pub(crate) address: String,
}

/// The JobManager does not lead; it may know who does.
struct NotLeader(Option<String>);

/// Introduces this process on a new connection, with the token of `connector`.
///
/// # Errors
/// The other side refuses it, or does not answer.
fn greet(stream: &Stream, connector: &Connector, role: &Role, patience: Duration) -> Result<Option<NotLeader>, Error> {
    let token = connector.token().cloned();
    let hello = Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), role: role.clone(), token };
    send(stream, &hello).map_err(|error| Error::new(ErrorKind::Unavailable, "cannot reach the JobManager").with_source(error))?;
    // One that has hung must not keep this process from asking the others.
    let limited = |limit| stream.set_read_timeout(limit).map_err(no_thread);
    limited(Some(patience))?;
    let welcome = receive::<Welcome>(stream).map_err(|error| match error {
        ConnectionError::Silent(_) => {
            let text = format!("the JobManager takes connections and says nothing for {} s: it may have hung", patience.as_secs());
            Error::new(ErrorKind::Unavailable, text)
        }
        ConnectionError::Closed => Error::new(ErrorKind::Unavailable, "the JobManager ended the connection without a word"),
        error => error.into(),
    })?;
    limited(None)?;
    match welcome {
        Welcome::Accepted => Ok(None),
        Welcome::NotLeader(other) => Ok(Some(NotLeader(other))),
        Welcome::Refused(reason) => Err(Error::invalid(format!("the JobManager refuses this process: {reason}"))),
    }
}

/// Asks on a connection to the [leader](find_leader). Blocks for the answer.
///
/// # Errors
/// What the JobManager answers, or that it does not.
pub(crate) fn ask(stream: &Stream, request: &ClientRequest) -> Result<ClientReply, Error> {
    answered(exchange(stream, request)?)
}

/// As [`ask`], but what the JobManager refuses is an answer like others: an error is one of the connection, and nobody knows what the
/// JobManager has done.
///
/// # Errors
/// The connection broke.
pub(crate) fn exchange(stream: &Stream, request: &ClientRequest) -> Result<ClientReply, Error> {
    send_request(stream, request)?;
    receive_reply(stream)
}

/// Sends a request whose answer is [received](receive_reply) later. The JobManager answers in the order of the requests.
///
/// # Errors
/// The connection broke.
pub(crate) fn send_request(stream: &Stream, request: &ClientRequest) -> Result<(), Error> {
    send(stream, request).map_err(|error| Error::new(ErrorKind::Unavailable, "the link to the JobManager broke").with_source(error))
}

/// Waits for the next answer.
///
/// # Errors
/// The connection broke.
pub(crate) fn receive_reply(stream: &Stream) -> Result<ClientReply, Error> {
    receive(stream).map_err(|error| match error {
        ConnectionError::Closed => Error::new(ErrorKind::Unavailable, "the JobManager ended the connection before it answered"),
        error => error.into(),
    })
}

/// A refusal as an error.
///
/// # Errors
/// It is one.
pub(crate) fn answered(reply: ClientReply) -> Result<ClientReply, Error> {
    match reply {
        ClientReply::Failed(kind, reason) => Err(Error::new(kind, reason)),
        reply => Ok(reply),
    }
}

/// As [`ask`], for an answer within `limit`. After an error the connection is good for nothing.
///
/// # Errors
/// What the JobManager answers, or that it does not.
pub(crate) fn ask_within(limit: Duration, stream: &Stream, request: &ClientRequest) -> Result<ClientReply, Error> {
    stream.set_read_timeout(Some(limit)).map_err(no_thread)?;
    send_request(stream, request)?;
    match receive(stream) {
        Ok(ClientReply::Failed(kind, reason)) => Err(Error::new(kind, reason)),
        Ok(reply) => Ok(reply),
        Err(ConnectionError::Silent(_)) => {
            Err(Error::new(ErrorKind::Unavailable, format!("the JobManager took a question and did not answer in {} s", limit.as_secs())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks on a connection of its own.
///
/// # Errors
/// Nobody answers there, or what the JobManager answers.
pub(crate) fn ask_once(job_managers: &str, connector: &Connector, request: &ClientRequest) -> Result<ClientReply, Error> {
    let leader = find_leader(job_managers, connector, &Role::Client)?;
    ask(&leader.stream, request)
}

#[cfg(test)]
mod tests {
    use super::{ask_within, find_leader, receive, send};
    use flott_core::{
        ErrorKind,
        id::{JobId, OperatorId},
    };
    use flott_rpc::control::{ClientRequest, Hello, Role, Welcome};
    use flott_security::Connector;
    use std::{net::TcpListener, thread, time::Duration};

    #[test]
    fn who_asks_something_of_an_operator_does_not_wait_for_ever_for_a_job_manager_that_hangs() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hangs = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            receive::<Hello>(&stream).unwrap();
            send(&stream, &Welcome::Accepted).unwrap();
            receive::<ClientRequest>(&stream).unwrap();
            // Until the other side gives up.
            receive::<ClientRequest>(&stream).is_err()
        });
        let leader = find_leader(&address, &Connector::open(), &Role::Client).unwrap();
        let request = ClientRequest::AskOperator(JobId(1), OperatorId(1), Vec::new());
        let error = ask_within(Duration::from_millis(20), &leader.stream, &request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "another may lead: {error}");
        assert!(error.to_string().contains("did not answer"), "{error}");
        drop(leader);
        assert!(hangs.join().unwrap());
    }

    #[test]
    fn if_nobody_leads_the_error_names_all_that_were_asked() {
        let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let [hangs_at, closed_at] = [&hangs, &closed].map(|listener| listener.local_addr().unwrap().to_string());
        drop(closed);
        let error = find_leader(&format!("{closed_at}, {hangs_at}"), &Connector::open(), &Role::Client).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        for part in [&format!("`{closed_at}`, `{hangs_at}`"), "`high-availability.jobmanagers`", "says nothing for 1 s"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("jobmanager.rpc.address") && !text.contains(" 0 ms"), "{text}");
        let text = find_leader(&closed_at, &Connector::open(), &Role::Client).err().unwrap().to_string();
        assert!(text.contains("`jobmanager.rpc.port`"), "{text}");
    }
}
