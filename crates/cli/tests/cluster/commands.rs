//! Commands that ask no cluster.

use crate::processes::{Cluster, job_program};
use std::fs;

#[test]
fn the_configuration_is_printed_with_the_places_that_gave_it_and_a_wrong_key_with_the_right_one() {
    let cluster = Cluster::start();
    fs::create_dir(cluster.path("conf")).unwrap();
    fs::write(
        cluster.path("conf/config.yaml"),
        "# of this cluster\nparallelism.default: 2\nexecution:\n  checkpointing:\n    interval: 10 s\n",
    )
    .unwrap();
    let output = cluster.flott().args(["config", "-Dparallelism.default=3"]).env("FLOTT_PIPELINE_NAME", "mine").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let words: Vec<String> = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "execution.checkpointing.interval: 10 s # conf/config.yaml:5",
        "parallelism.default: 3 # argument `-Dparallelism.default=3`",
        "pipeline.name: mine # environment variable `FLOTT_PIPELINE_NAME`",
    ] {
        assert!(words.iter().any(|one| one == line), "{line}: {printed}");
    }
    assert!(!printed.contains("rest.bind-address") && cluster.say(&["config", "--all"]).contains("rest.bind-address: localhost"));
    for (wrong, right) in [
        ("paralelism.default", "parallelism.default"),
        ("state.checkpoints.dir", "execution.checkpointing.dir"),
        ("rest.prot", "rest.port"),
    ] {
        fs::write(cluster.path("conf/config.yaml"), format!("# of this cluster\n{wrong}: 1\n")).unwrap();
        let output = cluster.ask(&["config"]);
        let err = String::from_utf8_lossy(&output.stderr);
        let message = format!("unknown option `{wrong}` (conf/config.yaml:2); did you mean `{right}`?");
        assert!(output.status.success() && err.contains(&message), "{err}");
        let output = cluster.ask(&[&format!("-D{wrong}=1"), "config"]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains(&format!("did you mean `{right}`?")), "{err}");
    }
    // The program that `flott` starts does not say it again.
    let output = cluster.run(&[], "nothing", 1, 1.0).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("unknown option `rest.prot`").count(), 1);
}

#[test]
fn whoever_has_read_enough_is_told_no_more_and_no_panic() {
    let cluster = Cluster::start();
    for arguments in [&["config", "--all"][..], &["list"], &["new", "a-job"], &["info", "--executable", job_program().to_str().unwrap()]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = cluster.flott().args(arguments).stdout(writer).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{arguments:?}: {err}");
        assert!(!err.contains("panic") && !err.contains("Broken pipe"), "{arguments:?}: {err}");
    }
}

#[test]
fn a_program_that_submits_no_job_is_told_of() {
    let cluster = Cluster::with_task_managers(&[1]);
    let none = "no job was submitted";
    for options in [&[][..], &["-d"]] {
        let output = cluster.run(options, "nothing", 1, 1.0).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && err.contains(none), "{err}");
        let output = cluster.run(options, "plain", 1, 1e6).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !err.contains(none), "{err}");
        // Scripts take the number of a detached job from what is printed; what an attached program prints is its own.
        let says =
            |stream: &[u8]| String::from_utf8_lossy(stream).lines().any(|line| line.starts_with("Job has been submitted with JobID "));
        assert_eq!((says(&output.stdout), says(&output.stderr)), (!options.is_empty(), options.is_empty()), "{options:?}");
    }
    let output = cluster.run(&["-t", "local"], "nothing", 1, 1.0).output().unwrap();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stderr).contains(none), "it asks no cluster");
}

#[test]
fn flags_of_run_are_taken_or_refused_and_never_passed_over() {
    let cluster = Cluster::start();
    for (options, reason) in [
        (&["-cm", "sometimes"][..], "`execution.state-recovery.claim-mode` is `sometimes`"),
        (&["-cm=never"], "`execution.state-recovery.claim-mode` is `never`"),
        (&["-t", "local", "-d"], "leave out `-d` and `-m`"),
        (&["-t", "local", "-m", "localhost:1"], "leave out `-d` and `-m`"),
    ] {
        let output = cluster.run(options, "plain", 1, 1.0).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains(reason), "{options:?}: {err}");
    }
}

#[test]
fn a_package_for_a_job_is_written_once() {
    let cluster = Cluster::start();
    let said = cluster.say(&["new", "my-job"]);
    assert!(said.contains("cd my-job") && cluster.path("my-job/src/main.rs").is_file(), "{said}");
    fs::write(cluster.path("my-job/src/main.rs"), "mine").unwrap();
    let again = cluster.ask(&["new", "my-job"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("`my-job` is there already"));
    assert_eq!(fs::read_to_string(cluster.path("my-job/src/main.rs")).unwrap(), "mine");
}
