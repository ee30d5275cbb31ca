//! The connections of a JobManager: a thread for each.

use super::{JobManager, Registered, State, remote_host::slots_of};
use crate::{
    control::{ConnectionError, Incoming, Link, receive, refusal_of_stranger, send},
    executables::Incoming as IncomingExecutable,
    host::WorkerNotice,
    launch::no_thread,
};
use flott_core::Error;
use flott_rpc::control::{
    ClientReply, ClientRequest, FromTaskManager, FromWorker, Hello, Role, TaskManagerInfo, ToTaskManager, ToWorker, Welcome, WorkerInfo,
    refusal,
};
use std::{
    io,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a new connection may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a TaskManager is given to say how a worker ended whose connection broke.
const REASON_TIMEOUT: Duration = Duration::from_millis(100);
/// How often it is looked whether a name has become free.
const NAME_PAUSE: Duration = Duration::from_millis(10);

/// Takes connections, each on a thread of its own.
pub(super) fn accept(manager: JobManager, listener: TcpListener) -> Result<(), Error> {
    let accept = move || {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| {
                let manager = manager.clone();
                thread::Builder::new().name("flott-peer".to_owned()).spawn(move || greet(&manager, stream)).map(|_| ())
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

fn greet(manager: &JobManager, stream: TcpStream) {
    let hello = stream.set_read_timeout(Some(HELLO_TIMEOUT)).map_err(ConnectionError::Io).and_then(|()| receive::<Hello>(&stream));
    let result = match hello {
        Ok(hello) if refusal(hello.protocol, &hello.version).is_some() => {
            refuse(&stream, refusal(hello.protocol, &hello.version).unwrap_or_default())
        }
        Ok(Hello { role: Role::Client, .. }) => client(manager, stream),
        Ok(Hello { role: Role::TaskManager(info), .. }) => task_manager(manager, stream, info),
        Ok(Hello { role: Role::Worker(info), .. }) => worker(manager, stream, info),
        Err(ConnectionError::NotUnderstood { reason, body }) => refuse(&stream, refusal_of_stranger(&body, &reason)),
        Err(error) => {
            tracing::warn!(%error, "a connection did not say who it is");
            return;
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

fn refuse(stream: &TcpStream, reason: String) -> io::Result<()> {
    tracing::warn!(reason, "a process was refused");
    send(stream, &Welcome::Refused(reason))
}

fn client(manager: &JobManager, stream: TcpStream) -> io::Result<()> {
    let Some(peer) = welcome(manager, &stream)? else { return Ok(()) };
    let mut requests: Incoming<ClientRequest> = Incoming::new(stream.try_clone()?, None)?;
    let mut executable = None;
    loop {
        let reply = match requests.next() {
            Ok(request) => answer(manager, request, &mut executable),
            Err(error @ ConnectionError::NotUnderstood { .. }) => Err(error.into()),
            Err(_) => break,
        };
        send(&stream, &reply.unwrap_or_else(|error| ClientReply::Failed(error.kind(), error.to_string())))?;
    }
    manager.lock().peers.remove(&peer);
    Ok(())
}

/// Lets somebody in, if this JobManager leads; otherwise tells who does. Returns the number of the connection.
fn welcome(manager: &JobManager, stream: &TcpStream) -> io::Result<Option<u64>> {
    let peer = manager.lock().peer(stream)?;
    match peer {
        Some(_) => send(stream, &Welcome::Accepted)?,
        None => send(stream, &Welcome::NotLeader(manager.other_leader().map(|leader| leader.address)))?,
    }
    Ok(peer)
}

/// This JobManager has just stopped to lead.
fn turn_away(stream: &TcpStream) -> io::Result<()> {
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

fn task_manager(manager: &JobManager, stream: TcpStream, info: TaskManagerInfo) -> io::Result<()> {
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
        task_manager_lost(state, &id, None, "its connection was lost");
        let Some(number) = state.peer(&stream)? else { return turn_away(&stream) };
        peer = number;
        send(&stream, &Welcome::Accepted)?;
        link = Link::start(stream.try_clone()?)?;
        tracing::info!(task_manager = id, slots = info.slots, "a TaskManager has registered");
        register(state, info, link.clone(), peer);
    }
    let mut incoming: Incoming<FromTaskManager> = Incoming::new(stream, Some(options.heartbeat_timeout))?;
    let _heart = beat(link, options.heartbeat_interval)?;
    let reason = loop {
        match incoming.next() {
            Ok(FromTaskManager::WorkerEnded { job, worker, reason }) => {
                if let Some(job) = manager.lock().jobs.get_mut(&job) {
                    job.worker_lost(worker, reason);
                }
            }
            Ok(FromTaskManager::Heartbeat) => {}
            // It only tells: to go without is better than to lose its workers.
            Err(error @ ConnectionError::NotUnderstood { .. }) => tracing::warn!(%error, task_manager = id, "passed over"),
            Err(error) => break format!("TaskManager `{id}` is gone: {error}"),
        }
    };
    task_manager_lost(&mut manager.lock(), &id, Some(peer), &reason);
    Ok(())
}

fn register(state: &mut State, info: TaskManagerInfo, link: Link<ToTaskManager>, peer: u64) {
    let (id, slots) = (info.id.clone(), info.slots);
    let workers = info.workers.clone();
    state.task_managers.insert(id.clone(), Registered { info, link, peer });
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

/// A TaskManager is gone, or at least its connection `peer`; `None`: whichever it has.
fn task_manager_lost(state: &mut State, id: &str, peer: Option<u64>, reason: &str) {
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

fn worker(manager: &JobManager, stream: TcpStream, info: WorkerInfo) -> io::Result<()> {
    let (id, number) = (info.job, info.worker);
    let peer;
    {
        let state = &mut *manager.lock();
        let Some(job) = state.jobs.get(&id).filter(|job| job.task_manager_of(number).is_some()) else {
            let reason = format!("job {id} has no worker {number}, or not any more");
            return if state.term.is_some() { refuse(&stream, reason) } else { turn_away(&stream) };
        };
        let task_manager = job.task_manager_of(number).unwrap_or_default().to_owned();
        if info.inventory.is_some() && !state.recovering.contains(&id) {
            return refuse(&stream, format!("job {id} has started elsewhere what worker {number} runs: it came too late"));
        }
        let Some(accepted) = state.peer(&stream)? else { return turn_away(&stream) };
        peer = accepted;
        send(&stream, &Welcome::Accepted)?;
        let link: Link<ToWorker> = Link::start(stream.try_clone()?)?;
        let slots = info.inventory.as_ref().map(slots_of).unwrap_or_default();
        state.resources.adopt(id, &task_manager, &slots);
        if let Some(job) = state.jobs.get_mut(&id) {
            job.worker_connected(number);
            job.adopted(number, &slots);
            job.notice(WorkerNotice::Connected { info: Box::new(info), link });
        }
    }
    let mut incoming: Incoming<FromWorker> = Incoming::new(stream.try_clone()?, Some(manager.0.options.heartbeat_timeout))?;
    let error = loop {
        match incoming.next() {
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
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    // Its TaskManager may know better why.
    thread::sleep(REASON_TIMEOUT);
    if let Some(job) = manager.lock().jobs.get_mut(&id) {
        job.worker_lost(number, format!("worker {number} is gone: {error}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::{ask, connect, find_leader},
        jobmanager::JobManagerOptions,
    };
    use flott_core::ErrorKind;
    use flott_rpc::control::{OLDEST_PROTOCOL, PROTOCOL};
    use serde::Serialize;

    fn job_manager(folder: &tempfile::TempDir) -> JobManager {
        let (interval, timeout) = (Duration::from_secs(1), Duration::from_secs(50));
        JobManager::start(JobManagerOptions {
            bind: "localhost:0".to_owned(),
            folder: folder.path().join("executables"),
            heartbeat_interval: interval,
            heartbeat_timeout: timeout,
            archive: None,
            elected: false,
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
        let stream = find_leader(&job_manager(&folder).address().to_string(), &Role::Client).unwrap().stream;
        send(&stream, &Tomorrow::ReadMinds { of: 7 }).unwrap();
        let reply: ClientReply = receive(&stream).unwrap();
        assert!(matches!(&reply, ClientReply::Failed(ErrorKind::Invalid, reason) if reason.contains("`ReadMinds`")), "{reply:?}");
        assert_eq!(ask(&stream, &ClientRequest::ListJobs).unwrap(), ClientReply::Jobs(Vec::new()));
    }

    #[test]
    fn a_process_of_another_protocol_is_told_which_side_to_renew() {
        let folder = tempfile::tempdir().unwrap();
        let manager = job_manager(&folder);
        for (protocol, says) in [(PROTOCOL + 1, "renew the cluster first"), (OLDEST_PROTOCOL - 1, "no longer understands")] {
            let stream = connect(&manager.address().to_string()).unwrap();
            send(&stream, &Hello { protocol, version: "9.9.9".to_owned(), role: Role::Client }).unwrap();
            let welcome: Welcome = receive(&stream).unwrap();
            assert!(matches!(&welcome, Welcome::Refused(reason) if reason.contains(says) && reason.contains("9.9.9")), "{welcome:?}");
        }
    }
}
