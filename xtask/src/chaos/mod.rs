//! `cargo xtask chaos`: a job on a cluster of processes, of which everything is killed, stopped and cut off, loses nothing and
//! writes nothing twice.
//!
//! The job is the example `state_machine`, which writes to files exactly once; its own `--check` proves from the files alone that
//! each event was handled once. Faults come from a seed; when they strike depends on the machine.

pub(crate) mod cluster;
mod fault;
mod flow;
mod proxy;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};
use crate::process;
use crate::text::Prng;
use cluster::{Cluster, Programs, eventually};
use fault::{Fault, HEARTBEAT_TIMEOUT};
use flow::Flow;

/// Set for the part of us that runs in a network of its own.
const IN_NAMESPACE: &str = "XTASK_CHAOS_NAMESPACE";
/// The job runs on two of the TaskManagers.
const TASK_MANAGERS: [&str; 3] = ["tm-a", "tm-b", "tm-c"];
const PARALLELISM: u32 = 2;
/// Time between checkpoints, ms.
const CHECKPOINT_INTERVAL: u32 = 200;
/// What the job generates, and what its checker must know.
const EVENTS: [&str; 6] = ["--seed", "7", "--keys", "600", "--error-rate", "0.1"];

/// Arguments of `cargo xtask chaos`.
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosArgs {
    /// How long faults come
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Decides which faults come, and how long they last
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With more than one they stand in for each other, and are killed too
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=5))]
    job_managers: u8,
    /// Only these faults, by their names in the report
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Run the programs of the development profile
    #[arg(long)]
    debug: bool,
    /// They are built already
    #[arg(long, hide = true)]
    built: bool,
    /// Leave logs and output where they are
    #[arg(long)]
    keep: bool,
    /// Further options of the cluster, as `key=value`
    #[arg(long = "option", value_name = "KEY=VALUE")]
    options: Vec<String>,
}

/// Runs the chaos test, in a network of its own where that can be made.
///
/// # Errors
/// When output does not flow again after a fault, or is not exact.
pub(crate) fn run(args: &ChaosArgs) -> Result<()> {
    if std::env::var_os(IN_NAMESPACE).is_some() {
        return inside(args, true);
    }
    if !args.built {
        Programs::build(args.debug, &["state_machine"])?;
    }
    match own_network() {
        Some(mut command) => {
            command.args(std::env::args_os().skip(1)).env(IN_NAMESPACE, "1");
            process::run(&mut command)
        }
        None => inside(args, false),
    }
}

/// The short form for `cargo xtask test`.
///
/// # Errors
/// As of [`run`].
pub(crate) fn check() -> Result<()> {
    let us = crate::paths::this_program().map_err(|error| Error::other(format!("which program this is cannot be told: {error}")))?;
    // As a process of its own, so that it can have a network of its own.
    process::run(Command::new(us).args(["chaos", "--debug", "--built", "--minutes", "0.3"]))
}

/// Starts this program again where the network is its own, with nothing in it but loopback.
fn own_network() -> Option<Command> {
    let us = crate::paths::this_program().ok()?;
    for arguments in [&["--net"][..], &["--user", "--map-root-user", "--net"]] {
        let mut unshare = process::tied_command("unshare");
        unshare.args(arguments).arg("--");
        let mut probe = Command::new("unshare");
        probe.args(arguments).args(["--", "ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
        if probe.status().is_ok_and(|status| status.success()) {
            unshare.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(us);
            return Some(unshare);
        }
    }
    None
}

/// What happened, by kind of fault.
#[derive(Debug, Default)]
struct Report {
    recoveries: BTreeMap<String, Vec<f64>>,
}

fn inside(args: &ChaosArgs, in_namespace: bool) -> Result<()> {
    let links = if in_namespace { "a network namespace, and a proxy before each TaskManager" } else { "a proxy before each TaskManager" };
    println!("seed {}; links are cut by {links}", args.seed);
    let job_managers = usize::from(args.job_managers);
    let mut faults = Fault::possible(in_namespace, job_managers);
    faults.retain(|fault| args.only.is_empty() || args.only.contains(&fault.to_string()));
    if faults.is_empty() {
        let names: Vec<String> = Fault::possible(in_namespace, job_managers).iter().map(ToString::to_string).collect();
        return Err(Error::other(format!("no such fault is possible here; there are {}", names.join(", "))));
    }
    let folder = tempfile::Builder::new().prefix("flott-chaos-").tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let path = folder.path().to_owned();
    if args.keep {
        println!("logs and output: {}", folder.keep().display());
    }
    let programs = Programs::built(args.debug);
    let checker = programs.example("state_machine");
    let mut options = vec![
        format!("heartbeat.timeout={HEARTBEAT_TIMEOUT} ms"),
        "heartbeat.interval=400 ms".to_owned(),
        format!("execution.checkpointing.interval={CHECKPOINT_INTERVAL} ms"),
        format!("execution.checkpointing.dir={}", path.join("checkpoints").display()),
        "execution.checkpointing.tolerable-failed-checkpoints=1000000".to_owned(),
        "restart-strategy.type=fixed-delay".to_owned(),
        "restart-strategy.fixed-delay.attempts=1000000".to_owned(),
        "restart-strategy.fixed-delay.delay=100 ms".to_owned(),
    ];
    options.extend(args.options.iter().cloned());
    let mut cluster = Cluster::start(programs, path.clone(), &options, job_managers)?;
    for name in TASK_MANAGERS {
        cluster.add_task_manager(name, 1)?;
    }
    let output = path.join("output");
    let shown = output.to_string_lossy().into_owned();
    let arguments: Vec<String> = ["--output", &shown, "--rate", "5000"].into_iter().chain(EVENTS).map(ToOwned::to_owned).collect();
    let job = cluster.submit(PARALLELISM, &checker, &arguments)?;
    let mut flow = Flow::of(output.clone());
    let result = torment(args, &faults, &mut cluster, &mut flow).and_then(|report| {
        report.print();
        process::output(cluster.client().args(["stop", "--savepoint-path"]).arg(path.join("savepoints")).arg(&job))?;
        check_output(&checker, &output)
    });
    if let Err(error) = result {
        let logs = ["jobmanager"]
            .into_iter()
            .chain(TASK_MANAGERS)
            .map(|name| format!("--- {name}\n{}", process::tail(&path.join(format!("{name}.log")), 30)));
        return Err(Error::other(format!("{error}\n{}", logs.collect::<Vec<_>>().join("\n"))));
    }
    Ok(())
}

/// Brings about fault after fault, each when output flows.
fn torment(args: &ChaosArgs, faults: &[Fault], cluster: &mut Cluster, flow: &mut Flow) -> Result<Report> {
    let mut prng = Prng::new(args.seed);
    let mut report = Report::default();
    let start = Instant::now();
    recover(cluster, flow, SystemTime::now()).map_err(|error| Error::other(format!("the job does not begin: {error}")))?;
    let mut next = Vec::new();
    while start.elapsed().as_secs_f64() < args.minutes * 60.0 {
        thread::sleep(Duration::from_millis(u64::from(prng.below(2 * CHECKPOINT_INTERVAL))));
        // What is measured without a fault is what checkpoints alone take.
        report.note("none", recover(cluster, flow, SystemTime::now())?);
        if next.is_empty() {
            next = shuffled(faults, &mut prng);
        }
        // One in four strikes while the cluster is busy with the one before.
        let together = 1 + usize::from(next.len() > 1 && prng.below(4) == 0);
        let mut struck = Vec::new();
        let mut name = String::new();
        for fault in next.drain(..together) {
            if !struck.is_empty() {
                thread::sleep(Duration::from_millis(u64::from(prng.below(HEARTBEAT_TIMEOUT / 4))));
            }
            let one = fault.strike(cluster, &mut prng);
            println!("{:8.1} s  {fault} {}", start.elapsed().as_secs_f64(), one.what);
            struck.push(one);
            name = if name.is_empty() { fault.to_string() } else { "two at once".into() };
            bring_back(cluster)?;
        }
        let after = |error| Error::other(format!("after fault `{name}`: {error}"));
        let stands_still = together > 1 || struck.iter().any(|one| one.stands_still);
        if !stands_still {
            // While it lasts.
            let begin = struck.iter().map(|one| one.begin).max().unwrap_or_else(SystemTime::now);
            report.note(&name, recover(cluster, flow, begin).map_err(after)?);
        }
        for over in struck.into_iter().filter_map(|one| one.over) {
            over.join().map_err(|_| Error::other("a fault could not be ended"))?;
        }
        bring_back(cluster)?;
        let took = recover(cluster, flow, SystemTime::now()).map_err(after)?;
        if stands_still {
            report.note(&name, took);
        }
    }
    Ok(report)
}

/// Starts what was killed, and TaskManagers that have ended by themselves.
fn bring_back(cluster: &mut Cluster) -> Result<()> {
    for name in cluster.ended_task_managers() {
        println!("            {name} has ended by itself, and is started again");
        cluster.kill_task_manager(&name);
    }
    let gone: Vec<String> = cluster.task_managers.iter().filter(|(_, one)| one.id().is_none()).map(|(name, _)| name.clone()).collect();
    gone.iter().try_for_each(|name| cluster.start_task_manager(name, 1))?;
    for number in cluster.gone_job_managers() {
        cluster.start_job_manager(number)?;
    }
    Ok(())
}

/// Waits until there is output of after `moment`, and gives the time since then in ms.
fn recover(cluster: &mut Cluster, flow: &mut Flow, moment: SystemTime) -> Result<f64> {
    eventually("output flows", || {
        thread::sleep(Duration::from_millis(5));
        match bring_back(cluster) {
            Ok(()) => flow.since(moment).then_some(Ok(())),
            failed => Some(failed),
        }
    })??;
    Ok(moment.elapsed().unwrap_or_default().as_secs_f64() * 1e3)
}

fn shuffled(faults: &[Fault], prng: &mut Prng) -> Vec<Fault> {
    let mut faults = faults.to_vec();
    for last in (1..faults.len()).rev() {
        faults.swap(last, prng.below(last as u32 + 1) as usize);
    }
    faults
}

fn check_output(checker: &Path, output: &Path) -> Result<()> {
    let said = process::output(Command::new(checker).arg("--check").arg(output).args(EVENTS))?;
    print!("the output is exact: {said}");
    Ok(())
}

impl Report {
    fn note(&mut self, name: &str, took: f64) {
        self.recoveries.entry(name.to_owned()).or_default().push(took);
    }

    fn print(&self) {
        println!("\n{:32} {:>6} {:>12} {:>12} {:>12}", "fault", "number", "median, ms", "p99, ms", "max, ms");
        for (name, times) in &self.recoveries {
            let mut times = times.clone();
            times.sort_by(f64::total_cmp);
            let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
            println!("{name:32} {:>6} {:>12.0} {:>12.0} {:>12.0}", times.len(), at(0.5), at(0.99), at(1.0));
        }
        println!(
            "time until a file is finished that was begun after the fault; checkpoints every {CHECKPOINT_INTERVAL} ms, heartbeat timeout {HEARTBEAT_TIMEOUT} ms"
        );
    }
}
