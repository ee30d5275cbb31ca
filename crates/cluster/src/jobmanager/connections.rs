//! The connections of a JobManager: a thread for each.

use super::JobManager;
use crate::{
    control::{ConnectionError, Incoming, Link, receive, send},
    executables::Incoming as IncomingExecutable,
    host::WorkerNotice,
    launch::no_thread,
};
use flott_core::Error;
use flott_rpc::control::{
    ClientReply, ClientRequest, FromTaskManager, FromWorker, Hello, PROTOCOL, Role, TaskManagerInfo, ToTaskManager, ToWorker, Welcome,
    WorkerInfo,
};
use std::{
    io,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a new connection may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a TaskManager is given to say how a worker ended whose connection broke.
const REASON_TIMEOUT: Duration = Duration::from_millis(100);

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
        Ok(hello) if hello.protocol != PROTOCOL => refuse(
            &stream,
            format!(
                "it was built with Flott {} (protocol {}), the JobManager with {} (protocol {PROTOCOL}): build both with one version",
                hello.version,
                hello.protocol,
                env!("CARGO_PKG_VERSION")
            ),
        ),
        Ok(Hello { role: Role::Client, .. }) => client(manager, stream),
        Ok(Hello { role: Role::TaskManager(info), .. }) => task_manager(manager, stream, info),
        Ok(Hello { role: Role::Worker(info), .. }) => worker(manager, stream, info),
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
    send(&stream, &Welcome::Accepted)?;
    let mut requests: Incoming<ClientRequest> = Incoming::new(stream.try_clone()?, None)?;
    let mut executable = None;
    while let Ok(request) = requests.next() {
        let reply = answer(manager, request, &mut executable);
        send(&stream, &reply.unwrap_or_else(|error| ClientReply::Failed(error.kind(), error.to_string())))?;
    }
    Ok(())
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

fn task_manager(manager: &JobManager, stream: TcpStream, info: TaskManagerInfo) -> io::Result<()> {
    let (id, options) = (info.id.clone(), &manager.0.options);
    let link: Link<ToTaskManager>;
    {
        let state = &mut *manager.lock();
        if state.task_managers.contains_key(&id) {
            return refuse(&stream, format!("there is a TaskManager `{id}` already: give each one a name of its own"));
        }
        send(&stream, &Welcome::Accepted)?;
        link = Link::start(stream.try_clone()?)?;
        tracing::info!(task_manager = id, slots = info.slots, "a TaskManager has registered");
        let slots = info.slots;
        state.task_managers.insert(id.clone(), (info, link.clone()));
        let grants = state.resources.register(&id, slots);
        state.grant(grants);
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
            Ok(other) => manager.observe(&id, other),
            Err(error) => break format!("TaskManager `{id}` is gone: {error}"),
        }
    };
    tracing::warn!(reason, "a TaskManager is gone");
    manager.0.observed.lost(&id);
    let state = &mut *manager.lock();
    state.task_managers.remove(&id);
    state.resources.lost(&id);
    state.jobs.values_mut().for_each(|job| job.task_manager_lost(&id, &reason));
    Ok(())
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
    {
        let state = manager.lock();
        let Some(job) = state.jobs.get(&id).filter(|job| job.task_manager_of(number).is_some()) else {
            return refuse(&stream, format!("job {id} has no worker {number}, or not any more"));
        };
        send(&stream, &Welcome::Accepted)?;
        let link: Link<ToWorker> = Link::start(stream.try_clone()?)?;
        job.notice(WorkerNotice::Connected { info: Box::new(info), link });
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
    manager.lock().stop_worker(id, number);
    let _ = stream.shutdown(std::net::Shutdown::Both);
    // Its TaskManager may know better why.
    thread::sleep(REASON_TIMEOUT);
    if let Some(job) = manager.lock().jobs.get_mut(&id) {
        job.worker_lost(number, format!("worker {number} is gone: {error}"));
    }
    Ok(())
}
