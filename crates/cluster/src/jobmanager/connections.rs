//! The connections of a JobManager: a thread for each.

use super::{
    JobManager, Registered, State,
    access::{self, Client, Counted, Unknown},
    remote_host::slots_of,
};
use crate::{
    control::{ConnectionError, Incoming, Link, receive_up_to, refusal_of_stranger, send},
    executables::Incoming as IncomingExecutable,
    host::WorkerNotice,
    launch::no_thread,
};
use flott_core::Error;
use flott_rpc::control::{
    ClientReply, ClientRequest, FromTaskManager, FromWorker, Hello, Role, TaskManagerInfo, ToTaskManager, ToWorker, Welcome, WorkerInfo,
    refusal,
};
use flott_security::{Accepted, Connector, Socket, Stream};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a new connection may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// What someone may say before it is known who they are, bytes: a client says little.
const CLIENT_HELLO_BYTES: u32 = 64 << 10;
/// A worker tells its graph.
const PROCESS_HELLO_BYTES: u32 = 64 << 20;
/// How long a TaskManager is given to say how a worker ended whose connection broke.
const REASON_TIMEOUT: Duration = Duration::from_millis(100);
/// How often it is looked whether a name has become free.
const NAME_PAUSE: Duration = Duration::from_millis(10);

/// Takes connections, each on a thread of its own.
pub(super) fn accept(manager: JobManager, listener: TcpListener) -> Result<(), Error> {
    let unknown = Unknown::default();
    let accept = move || {
        for stream in listener.incoming() {
            let Some(counted) = unknown.one_more() else {
                tracing::warn!("a connection was turned away: too many others have not said who they are");
                continue;
            };
            let served = stream.and_then(|stream| {
                let manager = manager.clone();
                thread::Builder::new().name("flott-peer".to_owned()).spawn(move || greet(&manager, stream, counted)).map(|_| ())
            });
            if let Err(error) = served {
                // Too many open files, as a rule: it may pass.
                tracing::warn!(%error, "a connection could not be taken");
                thread::sleep(Duration::from_millis(10));
            }
        }
    };
    thread::Builder::new().name("flott-listener".to_owned()).spawn(accept).map(|_| ()).map_err(no_thread)
}

fn greet(manager: &JobManager, socket: TcpStream, counted: Counted) {
    let (from, entrance) = (socket.peer_addr().ok(), &manager.0.options.security);
    let set = socket.set_nodelay(true);
    let socket = Socket::counted(socket, manager.0.traffic.clone());
    let (stream, in_clear) = match set.and_then(|()| entrance.accept(socket, HELLO_TIMEOUT)) {
        Ok(Accepted::Ready(stream)) => (stream, false),
        Ok(Accepted::InClear(stream)) => (stream, true),
        Err(error) => {
            tracing::warn!(?from, %error, "a connection was turned away");
            return;
        }
    };
    let is_open = entrance.authority().is_none();
    let limit = if is_open || stream.is_process() { PROCESS_HELLO_BYTES } else { CLIENT_HELLO_BYTES };
    let hello = stream.set_read_timeout(Some(HELLO_TIMEOUT)).map_err(Into::into).and_then(|()| receive_up_to::<Hello>(limit, &stream));
    drop(counted);
    let hello = match hello {
        Ok(hello) => hello,
        Err(error) if in_clear => {
            tracing::warn!(?from, %error, "a connection in clear was turned away");
            // If it is a process of Flott, it reads why.
            let _ = send(&stream, &Welcome::Refused(Connector::refused_in_clear()));
            return;
        }
        Err(ConnectionError::NotUnderstood { reason, body }) => {
            if let Err(error) = refuse(&stream, refusal_of_stranger(&body, &reason)) {
                tracing::debug!(%error, "a connection ended");
            }
            return;
        }
        Err(error) => {
            tracing::warn!(?from, %error, "a connection did not say who it is");
            return;
        }
    };
    if let Err(error) = admit(manager, stream, hello, from, in_clear) {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Serves the other side of `stream`, if it may be here.
fn admit(manager: &JobManager, stream: Stream, hello: Hello, from: Option<SocketAddr>, in_clear: bool) -> io::Result<()> {
    if let Some(reason) = refusal(hello.protocol, &hello.version) {
        return refuse(&stream, reason);
    }
    if in_clear {
        return refuse(&stream, Connector::refused_in_clear());
    }
    let known = match access::identify(&manager.0.options.security, &stream, &hello, from) {
        Ok(known) => known,
        Err(reason) => return refuse(&stream, reason),
    };
    match hello.role {
        Role::Client => client(manager, stream, &known),
        Role::TaskManager(info) => task_manager(manager, stream, info, from),
        Role::Worker(info) => worker(manager, stream, info),
    }
}

fn refuse(stream: &Stream, reason: String) -> io::Result<()> {
    tracing::warn!(reason, "a process was refused");
    send(stream, &Welcome::Refused(reason))
}

fn client(manager: &JobManager, stream: Stream, known: &Client) -> io::Result<()> {
    let Some(peer) = welcome(manager, &stream)? else { return Ok(()) };
    let mut requests: Incoming<ClientRequest> = Incoming::new(stream.try_clone()?, None)?;
    let mut executable = None;
    loop {
        let reply = match requests.next() {
            Ok(request) => known.serve(request, |request| answer(manager, request, &mut executable)),
            Err(error @ ConnectionError::NotUnderstood { .. }) => {
                let error = Error::from(error);
                ClientReply::Failed(error.kind(), error.to_string())
            }
            Err(_) => break,
        };
        send(&stream, &reply)?;
    }
    manager.lock().peers.remove(&peer);
    Ok(())
}

/// Lets somebody in, if this JobManager leads; otherwise tells who does. Returns the number of the connection.
fn welcome(manager: &JobManager, stream: &Stream) -> io::Result<Option<u64>> {
    let peer = manager.lock().peer(stream)?;
    match peer {
        Some(_) => send(stream, &Welcome::Accepted)?,
        None => send(stream, &Welcome::NotLeader(manager.other_leader().map(|leader| leader.address)))?,
    }
    Ok(peer)
}

/// This JobManager has just stopped to lead.
fn turn_away(stream: &Stream) -> io::Result<()> {
    send(stream, &Welcome::NotLeader(None))
}

fn answer(manager: &JobManager, request: ClientRequest, executable: &mut Option<IncomingExecutable>) -> Result<ClientReply, Error> {
    let store = &manager.0.executables;
    Ok(match request {
        ClientRequest::HasExecutable(id) => ClientReply::Is(store.has(&id)),
        ClientRequest::PutExecutable(id, bytes) => {
            let mut incoming = match executable.take() {
                Some(incoming) if incoming.id == id => incoming,
                _ => store.begin(&id)?,
            };
            if bytes.is_empty() {
                incoming.finish()?;
            } else {
                incoming.take(&bytes)?;
                *executable = Some(incoming);
            }
            ClientReply::Done
        }
        ClientRequest::GetExecutable(id, offset) => ClientReply::Bytes(store.read(&id, offset)?),
        ClientRequest::Submit(submission) => ClientReply::Submitted(manager.submit(*submission)?),
        ClientRequest::ListJobs => ClientReply::Jobs(manager.jobs()),
        ClientRequest::Overview(job) => ClientReply::Overview(Box::new(manager.overview(job)?)),
        ClientRequest::Figures(job) => ClientReply::Figures(manager.figures(job)?),
        ClientRequest::Job(job, request) => ClientReply::Job(manager.request(job, request)?),
        ClientRequest::Wait(job) => ClientReply::Ended(Box::new(manager.wait(job)?)),
        ClientRequest::DisposeSavepoint(path) => {
            manager.dispose_savepoint(&path)?;
            ClientReply::Done
        }
        ClientRequest::AskOperator(job, operator, body) => ClientReply::Operator(manager.ask_operator(job, operator, body)?),
    })
}

/// Waits while another process has the name. One that was started in the place of a killed one is often here before it was noticed
/// that the other is gone, if its connection broke silently.
fn await_name(manager: &JobManager, info: &TaskManagerInfo) {
    let taken = || manager.lock().task_managers.get(&info.id).is_some_and(|known| known.info.incarnation != info.incarnation);
    let until = Instant::now() + manager.0.options.heartbeat_timeout;
    while taken() && Instant::now() < until {
        thread::sleep(NAME_PAUSE);
    }
}

fn task_manager(manager: &JobManager, stream: Stream, info: TaskManagerInfo, from: Option<SocketAddr>) -> io::Result<()> {
    let (id, options) = (info.id.clone(), &manager.0.options);
    let link: Link<ToTaskManager>;
    await_name(manager, &info);
    let peer;
    {
        let state = &mut *manager.lock();
        if state.task_managers.get(&id).is_some_and(|known| known.info.incarnation != info.incarnation) {
            return refuse(&stream, format!("there is a TaskManager `{id}` already: give each one a name of its own"));
        }
        // It has noticed before this side that their connection is gone.
        task_manager_lost(state, &id, None, &has_come_again(&id));
        let Some(number) = state.peer(&stream)? else { return turn_away(&stream) };
        peer = number;
        send(&stream, &Welcome::Accepted)?;
        link = Link::start(stream.try_clone()?)?;
        tracing::info!(task_manager = id, slots = info.slots, "a TaskManager has registered");
        register(state, info, link.clone(), peer, from);
    }
    let mut incoming: Incoming<FromTaskManager> = Incoming::new(stream, Some(options.heartbeat_timeout))?;
    let _heart = beat(link, options.heartbeat_interval)?;
    let reason = loop {
        match incoming.next() {
            Ok(FromTaskManager::WorkerEnded { job, worker, reason }) => {
                if let Some(job) = manager.lock().jobs.get_mut(&job) {
                    job.worker_lost(worker, &reason);
                }
            }
            Ok(other) => manager.observe(&id, other),
            // It only tells: to go without is better than to lose its workers.
            Err(error @ ConnectionError::NotUnderstood { .. }) => tracing::warn!(%error, task_manager = id, "passed over"),
            Err(error) => break format!("TaskManager `{id}` is gone: {error}"),
        }
    };
    task_manager_lost(&mut manager.lock(), &id, Some(peer), &reason);
    manager.0.observed.lost(&id);
    Ok(())
}

/// Why a TaskManager is gone that has just registered.
pub(super) fn has_come_again(id: &str) -> String {
    format!("TaskManager `{id}` is gone: it has lost its connection, and registered once more")
}

pub(super) fn register(state: &mut State, info: TaskManagerInfo, link: Link<ToTaskManager>, peer: u64, from: Option<SocketAddr>) {
    let (id, slots) = (info.id.clone(), info.slots);
    let workers = info.workers.clone();
    state.task_managers.insert(id.clone(), Registered { info, link, peer, from });
    for (job, worker) in workers {
        // Of a job that has its tasks elsewhere by now, it would do what others do.
        match state.jobs.get_mut(&job).filter(|_| state.recovering.contains(&job)) {
            Some(job) => job.found_worker(worker, &id),
            None => state.tell(&id, ToTaskManager::StopWorker { job, worker }),
        }
    }
    let grants = state.resources.register(&id, slots);
    state.grant(grants);
}

/// A TaskManager is gone, or at least its connection `peer`; `None`: whichever it has. The reason names it.
pub(super) fn task_manager_lost(state: &mut State, id: &str, peer: Option<u64>, reason: &str) {
    if let Some(peer) = peer {
        state.peers.remove(&peer);
    }
    let newer = |known: &Registered| peer.is_some_and(|peer| known.peer != peer);
    if state.task_managers.get(id).is_none_or(newer) {
        return;
    }
    tracing::warn!(task_manager = id, reason, "a TaskManager is gone");
    if let Some(gone) = state.task_managers.remove(id) {
        state.peers.remove(&gone.peer);
    }
    state.resources.lost(id);
    state.jobs.values_mut().for_each(|job| job.task_manager_lost(id, reason));
}

/// Sends signs of life until what is returned is dropped.
fn beat(link: Link<ToTaskManager>, interval: Duration) -> io::Result<mpsc::Sender<()>> {
    let (alive, dropped) = mpsc::channel::<()>();
    let beat = move || {
        while dropped.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
            link.send(ToTaskManager::Heartbeat);
        }
    };
    thread::Builder::new().name("flott-heartbeat".to_owned()).spawn(beat)?;
    Ok(alive)
}

impl State {
    /// Why a worker must end, if it must.
    pub(super) fn refusal(&self, info: &WorkerInfo) -> Option<String> {
        let (id, number) = (info.job, info.worker);
        if self.jobs.get(&id).and_then(|job| job.task_manager_of(number)).is_none() {
            return Some(format!("job {id} has no worker {number}, or not any more"));
        }
        let late = info.inventory.is_some() && !self.recovering.contains(&id);
        late.then(|| format!("job {id} has started elsewhere what worker {number} runs: it came too late"))
    }

    /// A worker that was not refused is there.
    pub(super) fn worker_connected(&mut self, info: WorkerInfo, link: Link<ToWorker>) {
        let Some(job) = self.jobs.get_mut(&info.job) else { return };
        let slots = info.inventory.as_ref().map(slots_of).unwrap_or_default();
        if let Some(task_manager) = job.task_manager_of(info.worker) {
            self.resources.adopt(info.job, task_manager, &slots);
        }
        job.worker_connected(info.worker, info.answers);
        job.adopted(info.worker, &slots);
        job.notice(WorkerNotice::Connected { info: Box::new(info), link });
    }
}

fn worker(manager: &JobManager, stream: Stream, info: WorkerInfo) -> io::Result<()> {
    let (id, number) = (info.job, info.worker);
    let peer;
    {
        let state = &mut *manager.lock();
        match state.refusal(&info) {
            None => {}
            Some(_) if state.term.is_none() => return turn_away(&stream),
            Some(reason) => return refuse(&stream, reason),
        }
        let Some(accepted) = state.peer(&stream)? else { return turn_away(&stream) };
        peer = accepted;
        send(&stream, &Welcome::Accepted)?;
        let link: Link<ToWorker> = Link::start(stream.try_clone()?)?;
        state.worker_connected(info, link);
    }
    let mut incoming: Incoming<FromWorker> = Incoming::new(stream.try_clone()?, Some(manager.0.options.heartbeat_timeout))?;
    let error = loop {
        match incoming.next() {
            Ok(FromWorker::Answer(question, answer)) => manager.worker_answered(question, id, number, answer),
            Ok(message) => {
                if let Some(job) = manager.lock().jobs.get(&id) {
                    job.notice(WorkerNotice::Said { worker: number, message });
                }
            }
            Err(error) => break error,
        }
    };
    // One that is silent may still run: it must not, since others will do its work.
    {
        let state = &mut *manager.lock();
        if state.peers.remove(&peer).is_none() {
            // The term is over: it is another leader's.
            return Ok(());
        }
        state.stop_worker(id, number);
        if let (Some(job), ConnectionError::Silent(_)) = (state.jobs.get_mut(&id), &error) {
            // Its TaskManager would say that it was killed, which it is only now.
            job.worker_silent(number, format!("is gone: {error}"));
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    // Its TaskManager may know better why.
    thread::sleep(REASON_TIMEOUT);
    if let Some(job) = manager.lock().jobs.get_mut(&id) {
        job.worker_lost(number, &format!("is gone: {error}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::{ask, find_leader, receive},
        jobmanager::JobManagerOptions,
    };
    use flott_core::ErrorKind;
    use flott_rpc::control::{OLDEST_PROTOCOL, PROTOCOL};
    use flott_security::{Entrance, Traffic};
    use serde::Serialize;

    fn job_manager(folder: &tempfile::TempDir) -> JobManager {
        let (interval, timeout) = (Duration::from_secs(1), Duration::from_secs(50));
        JobManager::start(JobManagerOptions {
            bind: "localhost:0".to_owned(),
            folder: folder.path().join("executables"),
            heartbeat_interval: interval,
            heartbeat_timeout: timeout,
            archive: None,
            savepoints: None,
            on_end: None,
            elected: false,
            scheduler: Default::default(),
            security: Entrance::open(),
        })
        .unwrap()
    }

    #[test]
    fn a_request_of_tomorrow_is_answered_and_the_next_one_too() {
        #[derive(Serialize)]
        enum Tomorrow {
            ReadMinds { of: u32 },
        }
        let folder = tempfile::tempdir().unwrap();
        let stream = find_leader(&job_manager(&folder).address().to_string(), &Connector::open(), &Role::Client).unwrap().stream;
        send(&stream, &Tomorrow::ReadMinds { of: 7 }).unwrap();
        let reply: ClientReply = receive(&stream).unwrap();
        assert!(matches!(&reply, ClientReply::Failed(ErrorKind::Invalid, reason) if reason.contains("`ReadMinds`")), "{reply:?}");
        assert_eq!(ask(&stream, &ClientRequest::ListJobs).unwrap(), ClientReply::Jobs(Vec::new()));
    }

    #[test]
    fn what_goes_over_a_control_connection_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let manager = job_manager(&folder);
        let client = Traffic::default();
        let socket = Socket::counted(TcpStream::connect(manager.address()).unwrap(), client.clone());
        let stream = Connector::open().connect(socket, HELLO_TIMEOUT).unwrap();
        send(&stream, &Hello { protocol: PROTOCOL, version: "1".to_owned(), role: Role::Client, token: None }).unwrap();
        assert_eq!(receive::<Welcome>(&stream).unwrap(), Welcome::Accepted);
        assert_eq!(ask(&stream, &ClientRequest::ListJobs).unwrap(), ClientReply::Jobs(Vec::new()));
        let sides = || [(client.sent(), client.received()), (manager.traffic().received(), manager.traffic().sent())];
        let until = Instant::now() + Duration::from_secs(20);
        // An answer is here before it is counted there.
        while sides()[0] != sides()[1] && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let [here, there] = sides();
        assert_eq!(here, there);
        assert!(here.0 > 50 && here.1 > 16, "{here:?}");
    }

    #[test]
    fn a_process_of_another_protocol_is_told_which_side_to_renew() {
        let folder = tempfile::tempdir().unwrap();
        let manager = job_manager(&folder);
        for (protocol, says) in [(PROTOCOL + 1, "renew the cluster first"), (OLDEST_PROTOCOL - 1, "no longer understands")] {
            let stream = TcpStream::connect(manager.address()).unwrap();
            send(&stream, &Hello { protocol, version: "9.9.9".to_owned(), role: Role::Client, token: None }).unwrap();
            let welcome: Welcome = receive(&stream).unwrap();
            assert!(matches!(&welcome, Welcome::Refused(reason) if reason.contains(says) && reason.contains("9.9.9")), "{welcome:?}");
        }
    }
}
