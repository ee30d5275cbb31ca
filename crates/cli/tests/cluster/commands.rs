//! Commands that ask no cluster.

use crate::processes::Cluster;
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
        assert!(!output.status.success() && err.contains(&message), "{err}");
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
