//! `cargo xtask test`: the one command that runs every check and test.

mod dashboard;
mod package;
mod steps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::paths;
use steps::{STEPS, Step};

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Run only this step; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Print the steps and end
    #[arg(long)]
    list: bool,
    /// Run the steps after a failed one too
    #[arg(long)]
    keep_going: bool,
}

/// Runs the steps and prints how long each took.
///
/// # Errors
/// With the names of the steps that failed, or of one that does not exist.
pub(crate) fn run(args: &TestArgs) -> Result<()> {
    if args.list {
        for step in STEPS {
            println!("{:12} {}", step.name, step.about);
        }
        return Ok(());
    }
    let chosen = choose(&args.only)?;
    // Said by `.ci/run`, which alone knows whether the directory was there before this program was built into it.
    let mut cache = std::env::var_os("XTASK_CACHED_BUILD").map(|_| paths::target());
    let mut results: Vec<(&Step, Duration, Option<Error>)> = Vec::new();
    for step in chosen {
        println!("\n=== {}: {}", step.name, step.about);
        let start = Instant::now();
        let error = run_step(step, &mut cache).err();
        if let Some(error) = &error {
            eprintln!("=== {} failed: {error}", step.name);
        }
        let stop = error.is_some() && !args.keep_going;
        results.push((step, start.elapsed(), error));
        if stop {
            break;
        }
    }
    summarise(&results)
}

/// The steps named, in their usual order; all if none is named.
fn choose(only: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(Error::other(format!("there is no step `{unknown}`; the steps are {}", known.join(", "))));
    }
    Ok(STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect())
}

/// Runs one step. A build that fails in a build directory of earlier runs is tried once more in an empty one, since a damaged
/// cache must not fail a sound change; tests that fail are never tried again.
fn run_step(step: &Step, cache: &mut Option<PathBuf>) -> Result<()> {
    if let Err(error) = (step.build)() {
        // At most once: what fails in an empty directory does not fail because of the cache.
        let Some(directory) = cache.take() else { return Err(error) };
        println!("=== {}: {error}; trying again without the cached build in {}", step.name, directory.display());
        build_in_empty(&directory, step.build)?;
    }
    (step.check)()
}

/// Builds with an empty build directory. The old one is thrown away if that helps, and comes back if not.
fn build_in_empty(directory: &Path, build: fn() -> Result<()>) -> Result<()> {
    let aside = directory.with_extension("aside");
    paths::remove_dir(&aside)?;
    std::fs::rename(directory, &aside).map_err(Error::io("rename", directory))?;
    let result = build();
    if result.is_ok() {
        paths::remove_dir(&aside)?;
    } else {
        paths::remove_dir(directory)?;
        std::fs::rename(&aside, directory).map_err(Error::io("rename", &aside))?;
    }
    result
}

fn summarise(results: &[(&Step, Duration, Option<Error>)]) -> Result<()> {
    println!("\n{:12} {:>8}", "step", "seconds");
    for (step, took, error) in results {
        println!("{:12} {:>8.1}  {}", step.name, took.as_secs_f64(), if error.is_some() { "FAILED" } else { "ok" });
    }
    let total: f64 = results.iter().map(|(_, took, _)| took.as_secs_f64()).sum();
    println!("{:12} {total:>8.1}", "together");
    let failed: Vec<&str> = results.iter().filter(|(_, _, error)| error.is_some()).map(|(step, _, _)| step.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::other(format!("failed: {}", failed.join(", ")))) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    const BAD: fn() -> Result<()> = || Err(Error::other("bad"));
    const GOOD: fn() -> Result<()> = || Ok(());

    #[test]
    fn steps_have_distinct_names_and_only_picks_among_them() {
        let names: std::collections::HashSet<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
        assert_eq!(choose(&["clippy".into(), "fmt".into()]).unwrap().iter().map(|step| step.name).collect::<Vec<_>>(), ["fmt", "clippy"]);
        assert_eq!(choose(&[]).unwrap().len(), STEPS.len());
        assert!(choose(&["nope".into()]).is_err_and(|error| error.to_string().contains("`nope`")));
    }

    #[test]
    fn a_failed_build_or_check_fails_the_step() {
        let step = |build, check| Step { name: "x", about: "", build, check };
        assert!(run_step(&step(GOOD, GOOD), &mut None).is_ok());
        assert!(run_step(&step(BAD, GOOD), &mut None).is_err());
        assert!(run_step(&step(GOOD, BAD), &mut None).is_err());
    }

    #[test]
    fn a_failing_build_is_tried_again_without_the_cache_but_a_failing_check_is_not() {
        static BUILDS: AtomicU32 = AtomicU32::new(0);
        let step = |check| Step { name: "x", about: "", build: || if BUILDS.fetch_add(1, SeqCst) == 0 { BAD() } else { GOOD() }, check };
        let cache = tempfile::tempdir().unwrap().path().join("target");
        std::fs::create_dir_all(cache.join("damaged")).unwrap();
        assert!(run_step(&step(GOOD), &mut Some(cache.clone())).is_ok());
        assert!(!cache.join("damaged").exists());
        let mut unused = Some(cache);
        assert!(run_step(&step(BAD), &mut unused).is_err());
        assert_eq!((BUILDS.load(SeqCst), unused.is_some()), (3, true));
    }

    #[test]
    fn the_cache_comes_back_when_an_empty_one_does_not_help_and_is_not_tried_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("target");
        std::fs::create_dir_all(path.join("kept")).unwrap();
        let mut cache = Some(path.clone());
        assert!(run_step(&Step { name: "x", about: "", build: BAD, check: GOOD }, &mut cache).is_err());
        assert!(path.join("kept").exists() && cache.is_none());
    }

    #[test]
    fn the_summary_names_the_failed_step() {
        let step = Step { name: "x", about: "", build: GOOD, check: GOOD };
        assert!(summarise(&[(&step, Duration::ZERO, None)]).is_ok());
        let failed = summarise(&[(&step, Duration::ZERO, Some(Error::other("bad")))]);
        assert_eq!(failed.unwrap_err().to_string(), "failed: x");
    }
}
