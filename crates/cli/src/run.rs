//! Running programs for a cluster.

use crate::{
    job_manager_addresses,
    out::{self, tell},
};
use clap::Args;
use flott_cluster::JobManagerClient;
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, Origin, options},
};
use flott_executable::{Executable, Machine};
use flott_rpc::{
    control::{ORIGINS_VARIABLE, PART_VARIABLE, Part},
    manifest::Panics,
};
use flott_security::Connector;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

/// What a job is run with.
#[derive(Debug, Args)]
pub(crate) struct JobOptions {
    /// The number of subtasks of operators that set none themselves
    #[arg(short, long)]
    parallelism: Option<u32>,
    /// The checkpoint or savepoint to start from, or `latest`
    #[arg(short = 's', long, value_name = "PATH", visible_alias = "fromSavepoint")]
    from_savepoint: Option<String>,
    /// Leave state behind that no operator claims
    #[arg(short = 'n', long, visible_alias = "allowNonRestoredState")]
    allow_non_restored_state: bool,
    /// Who owns what the job starts from; `-cm` is the same
    #[arg(long, value_name = "NO_CLAIM|CLAIM", visible_alias = "claimMode")]
    claim_mode: Option<String>,
}

impl JobOptions {
    /// The configuration with what was given.
    ///
    /// # Errors
    /// A value is none of its option's.
    pub(crate) fn apply(&self, config: &Configuration) -> Result<Configuration, Error> {
        let mut given = vec![];
        given.extend(self.parallelism.map(|parallelism| ("parallelism.default", parallelism.to_string())));
        given.extend(self.from_savepoint.clone().map(|path| ("execution.state-recovery.path", path)));
        given.extend(self.claim_mode.clone().map(|mode| ("execution.state-recovery.claim-mode", mode)));
        given.extend(self.allow_non_restored_state.then(|| ("execution.state-recovery.ignore-unclaimed-state", "true".to_owned())));
        let mut config = config.clone();
        for (key, value) in given {
            config.set_raw(key, &value, Origin::Argument(format!("{key}={value}")))?;
        }
        Ok(config)
    }
}

/// Arguments of `flott run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Do not wait for the end of the job
    #[arg(short, long)]
    detached: bool,
    #[command(flatten)]
    job: JobOptions,
    /// Where the job runs: on the cluster, or in the program itself
    #[arg(short, long, default_value = "remote", value_parser = ["remote", "local"])]
    target: String,
    /// Where the JobManager is, `host:port`; else as configured
    #[arg(short = 'm', long, value_name = "ADDRESS")]
    jobmanager: Option<String>,
    /// The program
    program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Arguments of `flott info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Print what the executable was built for and with, rather than the plan of its job; it is not run
    #[arg(short, long)]
    executable: bool,
    /// The program
    program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs a program as the client of the cluster; ends with its exit code, or with 1 if it has submitted no job.
pub(crate) fn run(config: &Configuration, args: &RunArgs) -> Result<ExitCode, Error> {
    let config = args.job.apply(config)?;
    if args.target == "local" {
        if args.detached || args.jobmanager.is_some() {
            return Err(Error::invalid(
                "with `-t local` the job runs in the program itself: leave out `-d` and `-m`, which are for a cluster",
            ));
        }
        check(&args.program, &config)?;
        return Ok(exit_code(start(&config, None, &args.program, &args.arguments)?));
    }
    check(&args.program, &config)?;
    let job_manager = args.jobmanager.clone().map_or_else(|| job_manager_addresses(&config), Ok)?;
    let client = JobManagerClient::new(job_manager.clone()).with_security(Connector::of_client(&config)?);
    let executable = client.bring(&args.program)?;
    // Its number is chosen here, to see whether it was submitted.
    let job = JobManagerClient::new_job();
    let part = Part::Client { job_manager, executable, detached: args.detached, job: Some(job), handover: false };
    let status = start(&config, Some(&part), &args.program, &args.arguments)?;
    if status.success() && client.jobs().is_ok_and(|jobs| jobs.iter().all(|known| known.id != job)) {
        tell!("{NO_JOB}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(exit_code(status))
}

/// What is said of a program that has done nothing for the cluster.
pub(crate) const NO_JOB: &str = "flott: no job was submitted: the program has ended without calling `execute`";

/// Prints the plan of a program, or what its executable says of itself.
pub(crate) fn info(config: &Configuration, args: &InfoArgs) -> Result<ExitCode, Error> {
    if args.executable {
        out::print(format_args!("{}", describe(&flott_executable::check(&args.program, Machine::here())?)));
        return Ok(ExitCode::SUCCESS);
    }
    check(&args.program, config)?;
    Ok(exit_code(start(config, Some(&Part::Plan), &args.program, &args.arguments)?))
}

/// Checks a program before it is started or brought to anybody; advice on how it was built goes to its owner.
pub(crate) fn check(program: &Path, config: &Configuration) -> Result<(), Error> {
    let executable = flott_executable::check(program, Machine::here())?;
    executable.require(config)?;
    if let Some(advice) = executable.advice() {
        tell!("{advice}");
    }
    Ok(())
}

/// An executable, for people.
fn describe(executable: &Executable) -> String {
    let manifest = &executable.manifest;
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let seen = |fact: Option<bool>| fact.map_or("unknown", |is_so| if is_so { "yes" } else { "no" }).to_owned();
    let library = executable.glibc.map_or("no glibc".to_owned(), |version| format!("glibc {version} or newer"));
    let panics = match manifest.panics {
        Panics::Unwind => "unwind",
        Panics::Abort => "abort",
    };
    let lines = [
        ("executable", executable.name.clone()),
        ("flott", format!("{} (protocol {})", manifest.version, manifest.protocol)),
        ("platform", format!("{} Linux, {library}", executable.architecture)),
        ("state backends", list(&manifest.state_backends)),
        ("storage", list(&manifest.storage_schemes)),
        ("features", list(&manifest.features)),
        ("panics", panics.to_owned()),
        ("overflow checks", seen(executable.overflow_checks)),
        ("frame pointers", seen(executable.frame_pointers)),
        ("own allocator", seen(executable.allocator)),
        ("debug assertions", seen(Some(manifest.debug_assertions))),
    ];
    let mut text: String = lines.map(|(name, value)| format!("{:18}{value}\n", format!("{name}:"))).concat();
    if let Some(advice) = executable.advice() {
        text.push_str(&format!("{advice}\n"));
    }
    text
}

fn start(config: &Configuration, part: Option<&Part>, program: &Path, arguments: &[String]) -> Result<ExitStatus, Error> {
    command(config, part, program, arguments)?.status().map_err(|error| not_startable(program, error))
}

/// The program, with the part that it is to play and what was given for it.
///
/// # Errors
/// The part has no form as text.
pub(crate) fn command(config: &Configuration, part: Option<&Part>, program: &Path, arguments: &[String]) -> Result<Command, Error> {
    // Without a slash a name would be looked for in the search path.
    let path = if program.components().count() == 1 { Path::new(".").join(program) } else { program.to_owned() };
    let mut command = Command::new(&path);
    command.args(arguments);
    let internal = |error: serde_json::Error| Error::new(ErrorKind::Internal, error.to_string());
    let mut origins = BTreeMap::new();
    for (key, value, origin) in config.iter() {
        if let (Origin::Argument(_), Some(option)) = (origin, options::find(key)) {
            command.env(option.variable(), value);
            origins.insert(key, origin);
        }
    }
    command.env(ORIGINS_VARIABLE, serde_json::to_string(&origins).map_err(internal)?);
    if let Some(part) = part {
        command.env(PART_VARIABLE, serde_json::to_string(part).map_err(internal)?);
    }
    Ok(command)
}

/// A program that the operating system does not start.
pub(crate) fn not_startable(program: &Path, error: std::io::Error) -> Error {
    Error::invalid(format!("cannot start `{}`: it must be an executable that was built for this platform", program.display()))
        .with_source(error)
}

/// The exit code of a program that has ended, as a shell tells it.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Flink's short flag for the claim mode. Of two letters, which no parser of arguments takes.
const CLAIM_MODE: &str = "-cm";

/// Makes [`CLAIM_MODE`] among `flott`'s own arguments of a program that is run the long one.
pub(crate) fn lengthen_flags(own: &mut [String]) {
    for argument in own {
        if let Some(rest) = argument.strip_prefix(CLAIM_MODE).filter(|rest| rest.is_empty() || rest.starts_with('=')) {
            *argument = format!("--claim-mode{rest}");
        }
    }
}

/// How many of the arguments are `flott`'s own: those up to the program of `run`, `run-application` and `info`.
pub(crate) fn own_arguments(arguments: &[String]) -> usize {
    const WITH_VALUE: [&str; 12] = [
        "-p",
        "--parallelism",
        "-s",
        "--from-savepoint",
        "--fromSavepoint",
        "--claim-mode",
        "--claimMode",
        CLAIM_MODE,
        "-t",
        "--target",
        "-m",
        "--jobmanager",
    ];
    let Some(command) = arguments.iter().skip(1).position(|argument| !argument.starts_with('-')).map(|at| at + 1) else {
        return arguments.len();
    };
    if !["run", "run-application", "info"].contains(&arguments[command].as_str()) {
        return arguments.len();
    }
    let mut at = command + 1;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        if !argument.starts_with('-') {
            return at;
        }
        if argument == "-D" || WITH_VALUE.contains(&argument.as_str()) {
            at += 1;
        }
    }
    arguments.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(line: &str) -> usize {
        own_arguments(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_short_flag_for_the_claim_mode_is_the_long_one_before_the_program_alone() {
        for (line, long) in [
            ("flott run -s a -cm CLAIM job -cm x", "flott run -s a --claim-mode CLAIM job -cm x"),
            ("flott run -cm=NO_CLAIM -s a job", "flott run --claim-mode=NO_CLAIM -s a job"),
            ("flott run -cmx job", "flott run -cmx job"),
        ] {
            let mut arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let own = own_arguments(&arguments);
            lengthen_flags(&mut arguments[..own]);
            assert_eq!(arguments.join(" "), long);
        }
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        assert_eq!(own("flott run word_count -Dx=1"), 3);
        assert_eq!(own("flott run -d -p 2 -D a=b -s latest ./word_count --input x"), 10);
        assert_eq!(own("flott -Da=b run -Dc=d prog -De=f"), 5);
        assert_eq!(own("flott run-application --without-taskmanager -p 2 prog -De=f"), 6);
        assert_eq!(own("flott list -Da=b"), 3);
        assert_eq!(own("flott run -d"), 3);
    }
}
