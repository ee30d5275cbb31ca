//! A checkpoint directory that cannot be written to for a while.

use crate::support::{assert_says, await_checkpoints, cancel, counted, end_of, endless, env, eventually, restarts, text};
use flott::prelude::*;
use std::{fs, path::Path, process::Command};

/// A file system of a megabyte where this machine lets us mount one; else a folder that is replaced by a file.
struct Disk {
    dir: tempfile::TempDir,
    mounted: bool,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(dir.path()).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        println!("checkpoints go to {}", if mounted { "a tmpfs of 1 MiB" } else { "a folder that is replaced by a file" });
        Disk { dir, mounted }
    }

    fn checkpoints(&self) -> std::path::PathBuf {
        self.dir.path().join("checkpoints")
    }

    fn filler(&self) -> std::path::PathBuf {
        self.dir.path().join("filler")
    }

    /// From now on nothing can be written.
    fn break_it(&self) {
        if self.mounted {
            // Until the last byte is taken, whatever the job takes and gives back meanwhile.
            let mut bytes = 1 << 20;
            while bytes > 0 {
                if append(&self.filler(), bytes).is_err() {
                    bytes /= 2;
                }
            }
        } else {
            fs::rename(self.checkpoints(), self.filler()).unwrap();
            fs::write(self.checkpoints(), "in the way").unwrap();
        }
    }

    fn repair(&self) {
        if self.mounted {
            fs::remove_file(self.filler()).unwrap();
        } else {
            fs::remove_file(self.checkpoints()).unwrap();
            fs::rename(self.filler(), self.checkpoints()).unwrap();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg(self.dir.path()).status();
        }
    }
}

fn append(path: &Path, bytes: usize) -> std::io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(&vec![0; bytes])
}

fn counting(disk: &Disk, tolerated: u32) -> JobClient {
    let env = env(2);
    env.enable_checkpointing(Duration::from_millis(10));
    env.set(&options::CHECKPOINTING_DIR, Some(text(&disk.checkpoints())));
    env.set(&options::CHECKPOINTING_TOLERABLE_FAILED_CHECKPOINTS, tolerated);
    restarts(&env, 0);
    counted(&endless(&env, 10_000.0), 2000).discard();
    env.execute_async("counting").unwrap()
}

#[test]
fn failed_checkpoints_are_borne_and_later_ones_succeed_when_there_is_space_again() {
    let disk = Disk::new();
    let client = counting(&disk, 1_000_000);
    await_checkpoints(&client, 2);
    disk.break_it();
    let failed = client.overview().unwrap().checkpoints.failed;
    eventually("checkpoints fail", || {
        if disk.mounted {
            // Old checkpoints that were removed have left space.
            let _ = append(&disk.filler(), 1 << 12);
        }
        client.overview().unwrap().checkpoints.failed >= failed + 3
    });
    let records = |client: &JobClient| client.figures().unwrap().iter().map(|task| task.task["numRecordsIn"]).sum::<i64>();
    let read = records(&client);
    eventually("the job goes on", || records(&client) > read + 100);
    disk.repair();
    await_checkpoints(&client, 2);
    assert_eq!(client.overview().unwrap().restarts, 0);
    cancel(&client);
}

#[test]
fn without_tolerance_the_first_failed_checkpoint_fails_the_job_and_says_why() {
    let disk = Disk::new();
    let client = counting(&disk, 0);
    await_checkpoints(&client, 1);
    disk.break_it();
    if disk.mounted {
        eventually("the job fails", || append(&disk.filler(), 1 << 12).is_ok() || client.status().unwrap().is_terminal());
    }
    let message = end_of(&client).unwrap_err().to_string();
    assert_says(
        &message,
        &["1 checkpoints failed in a row", "execution.checkpointing.tolerable-failed-checkpoints", &text(&disk.checkpoints())],
    );
    if disk.mounted {
        assert_says(&message, &["no space left"]);
    }
}

#[test]
fn a_checkpoint_directory_that_cannot_be_made_is_refused_when_the_job_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let env = env(1);
    env.enable_checkpointing(Duration::from_millis(10));
    env.set(&options::CHECKPOINTING_DIR, Some(text(&file.join("checkpoints"))));
    endless(&env, 10.0).discard();
    let error = env.execute_async("refused").unwrap_err().to_string();
    assert_says(&error, &[&text(&file)]);
}
