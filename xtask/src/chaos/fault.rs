//! What goes wrong.

use std::fmt;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::cluster::{Cluster, signal};
use super::proxy::{Mode, Proxy};
use crate::process;
use crate::text::Prng;

/// Silence after which processes of the cluster count as gone, ms.
pub(super) const HEARTBEAT_TIMEOUT: u32 = 2000;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// SIGKILL for a worker.
    KillWorker,
    /// SIGKILL for a TaskManager; it comes back.
    KillTaskManager,
    /// SIGKILL for the JobManager that leads, or the one that stands by; it comes back.
    KillJobManager,
    /// SIGSTOP for a worker, then SIGCONT.
    StopWorker,
    /// SIGSTOP for a TaskManager, then SIGCONT; its workers go on.
    StopTaskManager,
    /// SIGSTOP for a TaskManager with its workers, then SIGCONT: a machine that stood still.
    StopMachine,
    /// SIGSTOP for a JobManager, then SIGCONT: if it led, it does not know that another does now.
    StopJobManager,
    /// The connections of a TaskManager and its workers with the JobManager are closed.
    CutLink,
    /// They stay open, but nothing passes; then what was kept passes.
    SilenceLink,
    /// They stay open, but nothing passes; then they are closed.
    HalfOpenLink,
    /// Everything passes late.
    SlowLink,
    /// The connections between workers, and of workers with the JobManager, are reset.
    ResetConnections,
    /// Nothing passes between any processes.
    NetworkDown,
}

impl Fault {
    /// The faults that can be made here.
    pub(super) fn possible(in_namespace: bool, job_managers: usize) -> Vec<Fault> {
        use Fault::*;
        let mut faults = vec![KillWorker, KillTaskManager, StopWorker, StopTaskManager, StopMachine, StopJobManager];
        faults.extend([CutLink, SilenceLink, HalfOpenLink, SlowLink]);
        if job_managers > 1 {
            faults.push(KillJobManager);
        }
        if in_namespace {
            faults.push(NetworkDown);
            if process::find("ss").is_some() {
                faults.push(ResetConnections);
            }
        }
        faults
    }

    /// Brings it about. What lasts goes on in the background.
    pub(super) fn strike(self, cluster: &mut Cluster, prng: &mut Prng) -> Struck {
        // Half of them end before anyone notices, half of them after.
        let lasts = Duration::from_millis(u64::from(50 + prng.below(2 * HEARTBEAT_TIMEOUT)));
        let name = pick(prng, &cluster.task_managers.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let worker = pick(prng, &cluster.workers());
        let manager = cluster.task_managers.get(&name).and_then(|task_manager| task_manager.id());
        let links = cluster.task_managers.get(&name).map(|task_manager| task_manager.links.clone()).unwrap_or_default();
        let job_manager = prng.below(cluster.job_managers.len() as u32) as usize;
        let delay = Duration::from_millis(u64::from(1 + prng.below(300)));
        let what = match self {
            Fault::KillWorker | Fault::StopWorker => worker.map_or_else(|| "nobody".into(), |worker| format!("worker {worker}")),
            Fault::KillJobManager | Fault::StopJobManager => format!("number {job_manager}"),
            Fault::NetworkDown | Fault::ResetConnections => String::new(),
            _ => name.clone(),
        };
        let begin = SystemTime::now();
        let over = match self {
            Fault::KillWorker => {
                worker.iter().for_each(|worker| signal("KILL", *worker));
                None
            }
            Fault::KillTaskManager => {
                cluster.kill_task_manager(&name);
                None
            }
            Fault::StopWorker => Some(stop(worker.into_iter().collect(), lasts)),
            Fault::StopTaskManager => Some(stop(manager.into_iter().collect(), lasts)),
            Fault::StopMachine => {
                let workers = manager.iter().flat_map(|manager| cluster.workers_of(*manager));
                Some(stop(manager.into_iter().chain(workers).collect(), lasts))
            }
            Fault::KillJobManager => {
                cluster.kill_job_manager(job_manager);
                None
            }
            Fault::StopJobManager => Some(stop(cluster.job_managers[job_manager].id().into_iter().collect(), lasts)),
            Fault::CutLink => {
                links.iter().for_each(Proxy::cut);
                None
            }
            Fault::SilenceLink => Some(disturb(links, Mode::Silent, lasts, false)),
            Fault::HalfOpenLink => Some(disturb(links, Mode::Silent, lasts, true)),
            Fault::SlowLink => Some(disturb(links, Mode::Delay(delay), lasts, false)),
            Fault::ResetConnections => {
                reset_connections(cluster);
                None
            }
            Fault::NetworkDown => {
                network(false);
                Some(after(lasts, || network(true)))
            }
        };
        let lasts = if over.is_some() { format!(" for {} ms", lasts.as_millis()) } else { String::new() };
        let stands_still = self == Fault::NetworkDown || self == Fault::StopJobManager && cluster.job_managers.len() == 1;
        Struck { what: format!("{what}{lasts}"), begin, over, stands_still }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fault::KillWorker => "worker killed",
            Fault::KillTaskManager => "TaskManager killed",
            Fault::KillJobManager => "JobManager killed",
            Fault::StopWorker => "worker stopped",
            Fault::StopTaskManager => "TaskManager stopped",
            Fault::StopMachine => "TaskManager and workers stopped",
            Fault::StopJobManager => "JobManager stopped",
            Fault::CutLink => "link cut",
            Fault::SilenceLink => "link silent",
            Fault::HalfOpenLink => "link half open",
            Fault::SlowLink => "link slow",
            Fault::ResetConnections => "connections reset",
            Fault::NetworkDown => "network down",
        })
    }
}

/// A fault that has struck.
#[derive(Debug)]
pub(super) struct Struck {
    /// Whom, and how long.
    pub(super) what: String,
    /// When.
    pub(super) begin: SystemTime,
    /// Ends with the fault.
    pub(super) over: Option<JoinHandle<()>>,
    /// Whether the cluster cannot do without what has failed: output flows again when it is over.
    pub(super) stands_still: bool,
}

fn pick<T: Clone>(prng: &mut Prng, from: &[T]) -> Option<T> {
    (!from.is_empty()).then(|| from[prng.below(from.len() as u32) as usize].clone())
}

fn after(time: Duration, then: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        thread::sleep(time);
        then();
    })
}

fn stop(processes: Vec<u32>, lasts: Duration) -> JoinHandle<()> {
    processes.iter().for_each(|process| signal("STOP", *process));
    after(lasts, move || processes.iter().for_each(|process| signal("CONT", *process)))
}

fn disturb(links: Vec<Proxy>, mode: Mode, lasts: Duration, then_cut: bool) -> JoinHandle<()> {
    links.iter().for_each(|link| link.set(mode));
    after(lasts, move || {
        for link in &links {
            if then_cut {
                link.cut();
            }
            link.set(Mode::Pass);
        }
    })
}

fn network(up: bool) {
    // Where this cannot be done it was not said to be possible.
    let _ = Command::new("ip").args(["link", "set", "lo", if up { "up" } else { "down" }]).status();
}

/// Resets every connection that a worker has.
fn reset_connections(cluster: &Cluster) {
    let Ok(listed) = process::output(Command::new("ss").args(["-H", "-t", "-n", "-p", "state", "established"])) else { return };
    let workers = cluster.workers();
    for line in listed.lines() {
        let of_worker = workers.iter().any(|worker| line.contains(&format!("pid={worker},")));
        let mut addresses = line.split_whitespace().filter_map(|word| word.rsplit_once(':')?.1.parse::<u16>().ok());
        if let (true, Some(near), Some(far)) = (of_worker, addresses.next(), addresses.next()) {
            let ports = [format!("sport = :{near}"), format!("dport = :{far}")];
            // It may be closed by now.
            let _ = Command::new("ss").args(["-K", "-t", &ports[0], "and", &ports[1]]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}
