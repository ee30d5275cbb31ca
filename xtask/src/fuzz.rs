//! `cargo xtask fuzz`: feeds a decoder with bytes that a fuzzer makes up. Needs a nightly compiler, and for nothing else.

use std::process::Command;

use crate::error::{Error, Result};
use crate::{paths, process};

/// What is fuzzed.
const TARGETS: [&str; 4] = ["frames", "messages", "metadata", "elements"];

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct FuzzArgs {
    /// The decoder: frames (of connections), messages (of the control plane), metadata (of checkpoints) or elements (of channels)
    #[arg(value_parser = TARGETS)]
    target: String,
    /// For how long
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
}

/// Runs one target on one core, from the corpus in `fuzz/corpus`; what is new is kept in the cache, what crashes in
/// `fuzz/artifacts`.
///
/// # Errors
/// When the fuzzer cannot be had, or has found something.
pub(crate) fn run(args: &FuzzArgs) -> Result<()> {
    let tool = tool()?;
    let found = paths::create_dir(paths::cache()?.join("corpus").join(&args.target))?;
    let committed = paths::repository().join("fuzz/corpus").join(&args.target);
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(tool).args(["run", "--target-dir"]).arg(paths::target().join("fuzz"));
    // The first directory is the one that the fuzzer writes to.
    command.arg(&args.target).arg(found).arg(committed);
    let seconds = (args.minutes * 60.0).ceil();
    command.args(["--", &format!("-max_total_time={seconds}"), "-rss_limit_mb=2048", "-malloc_limit_mb=1024", "-print_final_stats=1"]);
    command.env("RUSTUP_TOOLCHAIN", "nightly").env_remove("CARGO_TARGET_DIR").current_dir(paths::repository());
    // Of the compiler that runs us, not of the nightly one.
    command.env_remove("CARGO").env_remove("RUSTC");
    process::run(&mut command)
}

/// `cargo-fuzz`, installed if it is not there.
fn tool() -> Result<std::path::PathBuf> {
    let root = paths::cache()?.join("cargo-fuzz");
    let tool = root.join("bin/cargo-fuzz");
    if !tool.is_file() {
        println!("installing cargo-fuzz");
        process::run(process::cargo().args(["install", "--quiet", "--locked", "cargo-fuzz", "--root"]).arg(&root))?;
    }
    let nightly = process::output(Command::new("rustup").args(["run", "nightly", "rustc", "--version"]));
    nightly.map_err(|error| {
        Error::other(format!("{error}\na nightly compiler is needed: rustup toolchain install nightly --profile minimal"))
    })?;
    Ok(tool)
}
