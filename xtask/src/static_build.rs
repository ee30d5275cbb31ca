//! `cargo xtask static-build`: a job that needs no C library, run in its own process and on a cluster.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};
use crate::{paths, process};

/// The job: small, and without an allocator of its own, which would need a C compiler for the target.
const MAIN: &str = r#"use flott::prelude::*;

fn main() -> Result<(), flott::Error> {
    let env = StreamExecutionEnvironment::get()?;
    env.from_sequence(1, 100).key_by(|number| number % 3).sum(|number| number).print();
    let result = env.execute("static")?;
    println!("ended after {} restarts", result.restarts);
    Ok(())
}
"#;

/// What is printed at its end.
const ENDED: &str = "ended after 0 restarts";

/// Builds a job for the musl target of this machine, and runs it. Skipped, with the reason, where the target cannot be installed.
///
/// # Errors
/// When it does not build, does not say what it should, or does not run.
pub(crate) fn run() -> Result<()> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    if let Err(error) = process::output(Command::new("rustup").args(["target", "add", &target])) {
        println!("static-build: skipped, since the target {target} cannot be installed: {error}");
        return Ok(());
    }
    let directory = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let package = directory.path().join("static-job");
    make(&package)?;
    let built = paths::target().join("static");
    process::run(process::cargo().args(["build", "--quiet", "--target", &target]).current_dir(&package).env("CARGO_TARGET_DIR", &built))?;
    let job = built.join(&target).join("debug/static-job");
    expect(&process::output(&mut Command::new(&job))?, ENDED)?;

    process::run(process::cargo().args(["build", "--quiet", "--package", "flott-cli"]))?;
    let flott = paths::target().join("debug/flott");
    expect(&process::output(Command::new(&flott).args(["info", "--executable"]).arg(&job))?, "no glibc")?;
    let cluster = Cluster::start(&flott, directory.path())?;
    expect(&process::output(cluster.flott(&flott, directory.path()).arg("run").arg(&job))?, ENDED)?;
    println!("static-build: a job for {target} runs in its own process and on a cluster");
    Ok(())
}

fn make(package: &Path) -> Result<()> {
    let flott = paths::repository().join("crates/flott");
    let manifest = format!(
        "[package]\nname = \"static-job\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nflott = {{ path = {flott:?} }}\n\n[workspace]\n"
    );
    let source = package.join("src");
    fs::create_dir_all(&source).map_err(Error::io("create", &source))?;
    for (path, text) in [(package.join("Cargo.toml"), manifest.as_str()), (source.join("main.rs"), MAIN)] {
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    let (ours, lock) = (paths::repository().join("Cargo.lock"), package.join("Cargo.lock"));
    fs::copy(&ours, &lock).map(|_| ()).map_err(Error::io("copy", &ours))
}

fn expect(said: &str, part: &str) -> Result<()> {
    if said.contains(part) { Ok(()) } else { Err(Error::other(format!("expected `{part}` in\n{said}"))) }
}

/// A JobManager and a TaskManager. Ended when dropped.
struct Cluster {
    port: String,
    processes: Vec<Child>,
}

impl Cluster {
    fn start(flott: &Path, folder: &Path) -> Result<Self> {
        let mut cluster = Cluster { port: "0".to_owned(), processes: Vec::new() };
        let mut command = cluster.flott(flott, folder);
        command.args(["-Drest.port=0", "jobmanager"]).stdout(Stdio::piped());
        let mut job_manager = command.spawn().map_err(process::start_error(&command))?;
        let lines = job_manager.stdout.take().map(|out| BufReader::new(out).lines());
        cluster.processes.push(job_manager);
        let mut lines = lines.into_iter().flatten().map_while(std::result::Result::ok);
        let line = lines.find(|line| line.starts_with("JobManager at "));
        let port = line.as_deref().and_then(|line| line.rsplit(':').next());
        cluster.port = port.ok_or_else(|| Error::other("the JobManager did not say where it is"))?.to_owned();
        let mut command = cluster.flott(flott, folder);
        command.arg("taskmanager").stdout(Stdio::null());
        cluster.processes.push(command.spawn().map_err(process::start_error(&command))?);
        Ok(cluster)
    }

    fn flott(&self, flott: &Path, folder: &Path) -> Command {
        let mut command = process::tied_command(flott);
        command.current_dir(folder).env("FLOTT_IO_TMP_DIRS", folder).env("RUST_LOG", "warn");
        command.arg(format!("-Djobmanager.rpc.port={}", self.port));
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
