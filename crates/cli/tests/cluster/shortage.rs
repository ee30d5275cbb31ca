//! Too few slots, and no space on the disk.

use crate::{
    RECORDS,
    processes::{Cluster, assert_exact, eventually, flott, job_program, lines_in},
};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// How long a job waits for slots before that is a failure.
const WAIT: &str = "-Djobmanager.adaptive-scheduler.submission.resource-wait-timeout=4 s";

#[test]
fn a_job_that_needs_more_slots_than_there_are_says_so_after_the_timeout() {
    let cluster = Cluster::with_task_managers(&[1]);
    eventually("the TaskManager is there", || cluster.get("/overview")["slots-total"] == 1);
    let output = cluster.run(&[WAIT, "-Drestart-strategy.type=none", "-p", "3"], "plain", RECORDS, 1e6).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(err.contains("the job needs 3 slots, 1 were there after 4 s; start more TaskManagers"), "{err}");
}

#[test]
fn a_job_that_waits_for_slots_in_vain_keeps_no_other_from_running_and_runs_when_they_come() {
    let mut cluster = Cluster::with_task_managers(&[2]);
    eventually("the TaskManager is there", || cluster.get("/overview")["slots-total"] == 2);
    assert!(cluster.run(&[WAIT, "-d", "-p", "3"], "plain", RECORDS, 1e6).status().unwrap().success());
    eventually("it holds all that there are", || cluster.get("/overview")["slots-available"] == 0);
    let mut other = cluster.flott();
    other.args(["run", "-p", "2"]).arg(job_program()).args(["plain", "other", &RECORDS.to_string(), "1e6"]);
    assert!(other.status().unwrap().success());
    assert_exact(&cluster.path("other"), RECORDS);
    assert!(cluster.lines().is_empty());
    cluster.add_task_manager("late", 1);
    eventually("the job is at its end", || {
        let listed = cluster.say(&["list", "-a"]);
        listed.matches("(FINISHED)").count() == 2
    });
    cluster.assert_exact(RECORDS);
}

#[test]
fn a_running_job_that_is_told_to_take_more_slots_than_there_are_keeps_no_other_from_running_and_takes_them_when_they_come() {
    let mut cluster = Cluster::with_task_managers(&[3]);
    eventually("the TaskManager is there", || cluster.get("/overview")["slots-total"] == 3);
    assert!(cluster.run(&[WAIT, "-d", "-p", "1"], "plain", RECORDS, 250.0).status().unwrap().success());
    let job = cluster.job();
    eventually("the job runs", || cluster.lines().len() > 10);
    let lacking = cluster.ask(&["rescale", &job, "--parallelism", "4", "--wait", "0"]);
    assert!(String::from_utf8_lossy(&lacking.stderr).contains("lacks"), "{}", String::from_utf8_lossy(&lacking.stderr));
    let mut other = cluster.flott();
    other.args(["run", "-p", "2"]).arg(job_program()).args(["plain", "other", &RECORDS.to_string(), "1e6"]);
    assert!(other.status().unwrap().success());
    assert_exact(&cluster.path("other"), RECORDS);
    assert!(cluster.say(&["list"]).contains("(RUNNING)"), "{}", cluster.say(&["list", "-a"]));
    eventually("all but one are free", || cluster.get("/overview")["slots-available"] == 2);
    let has_parallelism = |cluster: &Cluster, wanted: u64| {
        let details = cluster.get(&format!("/jobs/{job}"));
        details["vertices"].as_array().unwrap().iter().all(|vertex| vertex["parallelism"] == wanted)
    };
    assert!(has_parallelism(&cluster, 1));
    cluster.add_task_manager("late", 1);
    eventually("they are used", || has_parallelism(&cluster, 4));
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).matches("(FINISHED)").count() == 2);
    cluster.assert_exact(RECORDS);
}

/// A program with a cluster of its own that sees a small disk where its checkpoints go. `None` where namespaces cannot be made.
struct OnSmallDisk {
    folder: tempfile::TempDir,
    child: Child,
}

impl OnSmallDisk {
    fn start(options: &[&str], records: u64, rate: &str) -> Option<Self> {
        let mount = "mount -t tmpfs -o size=256k none checkpoints";
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("checkpoints")).unwrap();
        let unshare = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(["-rm", "sh", "-c", script]).current_dir(folder.path()).stdin(Stdio::null());
            command
        };
        if !unshare(mount).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            println!("no disk is filled: mount namespaces cannot be made here");
            return None;
        }
        // The environment is that of `flott` in this folder.
        let flott = flott(folder.path());
        let mut command = unshare(&format!("{mount} && exec \"$0\" \"$@\""));
        command.arg(flott.get_program());
        for (name, value) in flott.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command
            .args(["-Djobmanager.rpc.port=0", "-Drest.port=0", "-Dexecution.checkpointing.interval=50 ms"])
            .args(["-Dexecution.checkpointing.dir=checkpoints", "-Drestart-strategy.type=none", "run-application"])
            .args(options)
            .arg(job_program())
            .args(["plain", "counts", &records.to_string(), rate])
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Some(OnSmallDisk { folder, child })
    }

    /// A file on the small disk, as seen from outside.
    fn ballast(&self) -> PathBuf {
        let inside = self.folder.path().join("checkpoints/ballast");
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(inside.strip_prefix("/").unwrap())
    }

    fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).unwrap();
        for size in [4096, 1] {
            while ballast.write(&vec![7; size]).is_ok_and(|written| written > 0) {}
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn lines(&self) -> usize {
        lines_in(&self.folder.path().join("counts")).len()
    }

    fn assert_names_path_and_cause(&self) {
        let log = self.log();
        assert!(log.contains("no space left; free some, or point `execution.checkpointing.dir` at a larger disk"), "{log}");
        assert!(log.contains(self.folder.path().join("checkpoints").to_str().unwrap()), "{log}");
    }
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn checkpoints_fail_while_the_disk_is_full_and_complete_again_when_it_is_not() {
    let tolerant = ["-Dexecution.checkpointing.tolerable-failed-checkpoints=1000000", "-p", "1"];
    let Some(mut job) = OnSmallDisk::start(&tolerant, RECORDS, "1000") else { return };
    eventually("counts are visible", || job.lines() > 300);
    job.fill();
    eventually("a checkpoint fails", || job.log().contains("no space left"));
    job.assert_names_path_and_cause();
    fs::remove_file(job.ballast()).unwrap();
    let before = job.lines();
    eventually("checkpoints complete again", || job.lines() > before + 300);
    assert!(job.child.wait().unwrap().success(), "{}", job.log());
    assert_exact(&job.folder.path().join("counts"), RECORDS);
}

#[test]
fn a_job_that_tolerates_no_failed_checkpoint_ends_with_what_is_wrong_with_the_disk() {
    let Some(mut job) = OnSmallDisk::start(&["-p", "1"], 100 * RECORDS, "1000") else { return };
    eventually("counts are visible", || job.lines() > 300);
    job.fill();
    assert!(!job.child.wait().unwrap().success());
    job.assert_names_path_and_cause();
}
