//! `cargo xtask test --only rest`: every call of the REST server of a real cluster, with made-up input, against its OpenAPI document.
//!
//! The calls are made up by `schemathesis`, which is installed into a Python environment of its own in the cache. No answer may be a
//! server error, and every answer must be one that the document describes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::chaos::cluster::{Cluster, Programs, eventually};
use crate::error::{Error, Result};
use crate::{http, paths, process};

/// What is installed.
const SCHEMATHESIS: &str = "4.32.5";
/// Whether an answer is one that the document describes; input that the document forbids may still be taken.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Starts a cluster with a finished job and one that runs, and tries all calls.
///
/// # Errors
/// With what `schemathesis` has found.
pub(crate) fn check() -> Result<()> {
    let schemathesis = installed()?;
    let folder = tempfile::Builder::new().prefix("flott-rest-").tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let options = [
        "execution.checkpointing.interval=500 ms".to_owned(),
        format!("execution.checkpointing.dir={}", folder.path().join("c").display()),
    ];
    let programs = Programs::built(true);
    let program = programs.example("state_machine");
    let mut cluster = Cluster::start(programs, folder.path().to_owned(), &options, 1)?;
    cluster.add_task_manager("tm-a", 3)?;
    let output = folder.path().join("output").display().to_string();
    let job =
        |arguments: &[&str]| cluster.submit(1, &program, &arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>());
    job(&["--events", "1000"])?;
    job(&["--output", &output])?;
    let rest = cluster.job_managers.first().map_or(0, |one| one.rest);
    let jobs = eventually("one job has ended and one runs", || {
        let jobs = http::get(rest, "/jobs").ok()?;
        let in_state =
            |state: &str| jobs["jobs"].as_array()?.iter().find(|job| job["status"] == state)?["id"].as_str().map(ToOwned::to_owned);
        Some((in_state("FINISHED")?, in_state("RUNNING")?))
    })?;
    // With a checkpoint and some figures.
    std::thread::sleep(Duration::from_secs(2));
    let document = folder.path().join("openapi.json");
    for (known, seconds) in [(None, "20"), (Some(&jobs.1), "15"), (Some(&jobs.0), "10")] {
        let mut text = http::get(rest, "/openapi.json")?;
        if let Some(job) = known {
            name_things(&mut text, rest, job)?;
        }
        std::fs::write(&document, text.to_string()).map_err(Error::io("write", &document))?;
        let mut command = process::tied_command(&schemathesis);
        command.current_dir(folder.path()).arg("run").arg(&document).arg("--url").arg(format!("http://127.0.0.1:{rest}"));
        command.args([
            "--checks",
            CHECKS,
            "--seed",
            "1",
            "--workers",
            "2",
            "--max-examples",
            "20",
            "--phases",
            "examples,coverage,fuzzing",
        ]);
        command.args(["--max-time", seconds, "--warnings", "off", "--suppress-health-check", "all", "--request-timeout", "20"]);
        // It would end the cluster.
        command.args(["--exclude-path", "/cluster"]);
        if known.is_some() {
            // These would end the job that the others are about.
            command.args(["--include-method", "GET", "--exclude-path", "/jobs/{job}/yarn-cancel"]);
        }
        process::run(&mut command)?;
    }
    Ok(())
}

/// Writes what is there into the document, so that calls find it: the job, its first vertex, the TaskManager.
fn name_things(document: &mut Value, rest: u16, job: &str) -> Result<()> {
    let details = http::get(rest, &format!("/jobs/{job}"))?;
    let checkpoints = http::get(rest, &format!("/jobs/{job}/checkpoints"))?;
    let latest = checkpoints["latest"]["completed"]["id"].clone();
    let known = [
        ("job", Value::from(job)),
        ("vertex", details["vertices"][0]["id"].clone()),
        ("tm", http::get(rest, "/taskmanagers")?["taskmanagers"][0]["id"].clone()),
        ("subtask", Value::from(0)),
        ("attempt", Value::from(0)),
        ("checkpoint", latest),
    ];
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = operations.filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut());
    for parameter in operations.filter_map(|operation| operation["parameters"].as_array_mut()).flatten() {
        if let Some((_, value)) = known.iter().find(|(name, value)| parameter["name"] == *name && !value.is_null()) {
            parameter["schema"] = serde_json::json!({"enum": [value]});
        }
    }
    Ok(())
}

/// The program, installed if it is not there.
fn installed() -> Result<PathBuf> {
    let environment = paths::cache()?.join(format!("schemathesis-{SCHEMATHESIS}"));
    let program = environment.join("bin/schemathesis");
    if !works(&program) {
        if process::find("python3").is_none() {
            return Err(Error::other("`python3` is not installed (it is needed with `venv` and `pip`)"));
        }
        println!("installing schemathesis {SCHEMATHESIS}");
        paths::remove_dir(&environment)?;
        process::output(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let pip = environment.join("bin/pip");
        process::output(
            Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check"]).arg(format!("schemathesis=={SCHEMATHESIS}")),
        )?;
    }
    Ok(program)
}

fn works(program: &Path) -> bool {
    program.is_file() && process::output(Command::new(program).arg("--version")).is_ok()
}
