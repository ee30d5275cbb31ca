//! The scripts of `bin/`, in a package of their own.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

/// A folder with `bin/`, the program, and a configuration. Its cluster is stopped when this is dropped.
struct Package {
    folder: tempfile::TempDir,
    others: Vec<Child>,
}

impl Package {
    /// With these lines of configuration besides ports of its own.
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for made in ["bin", "conf", "log", "target/release", "elsewhere"] {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        for script in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bin")).unwrap() {
            let script = script.unwrap();
            fs::copy(script.path(), root.join("bin").join(script.file_name())).unwrap();
            symlink(root.join("bin").join(script.file_name()), root.join("elsewhere").join(script.file_name())).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_flott"), root.join("target/release/flott")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!("jobmanager.rpc.port: {port}\nrest.port: 0\nio.tmp.dirs: {}\n{config}", root.display());
        fs::write(root.join("conf/config.yaml"), text).unwrap();
        Package { folder, others: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a script through a link, from another folder.
    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.path("elsewhere").join(script));
        command.args(arguments).current_dir(self.path("elsewhere")).env_remove("FLOTT_CONF_DIR").env("RUST_LOG", "warn");
        command.output().unwrap()
    }

    /// As [`Package::run`], for one that succeeds; gives what it printed.
    #[track_caller]
    fn say(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.run(script, arguments);
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Gives the number of a process that is none of the cluster's to one of its names.
    fn mistake_another_for(&mut self, name: &str) {
        let other = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(self.path(&format!("log/{name}.pid")), format!("{}\n", other.id())).unwrap();
        self.others.push(other);
    }

    /// Those that were mistaken for others still run.
    fn assert_others_run(&mut self) {
        for other in &mut self.others {
            assert_eq!(other.try_wait().unwrap(), None);
        }
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        self.run("stop-cluster.sh", &[]);
        for other in &mut self.others {
            // It may have been ended.
            let _ = other.kill();
            let _ = other.wait();
        }
    }
}

#[test]
fn a_cluster_is_started_once_and_stopped_and_what_is_none_of_it_is_left_alone() {
    let mut package = Package::new("");
    package.mistake_another_for("jobmanager");
    package.mistake_another_for("taskmanager");
    let stopped = package.say("stop-cluster.sh", &[]);
    assert_eq!(stopped, "taskmanager does not run\njobmanager does not run\n");
    package.assert_others_run();
    package.mistake_another_for("jobmanager");
    package.mistake_another_for("taskmanager");
    let started = package.say("start-cluster.sh", &[]);
    assert!(
        started.contains("REST at ") && started.contains("JobManager at ") && started.contains("TaskManager registered at "),
        "{started}"
    );
    assert!(package.path("log/flott-taskmanager.log").is_file() && package.path("history").is_dir());
    let again = package.say("start-cluster.sh", &[]);
    assert_eq!(again.matches(" runs already (process ").count(), 2, "{again}");
    // The package's own configuration says where the JobManager is.
    assert_eq!(package.say("flott", &["list"]), "No running jobs.\n");
    let stopped = package.say("stop-cluster.sh", &[]);
    assert_eq!(stopped, "taskmanager has ended\njobmanager has ended\n");
    assert!(!package.run("flott", &["list"]).status.success());
    package.assert_others_run();
}

#[test]
fn what_the_user_has_configured_is_left_as_it_is() {
    let package = Package::new("env.log.dir: my-logs\njobmanager.archive.fs.dir: my-history\n");
    package.say("start-cluster.sh", &[]);
    assert!(package.path("elsewhere/my-logs/flott-jobmanager.log").is_file() && package.path("elsewhere/my-history").is_dir());
    assert!(!package.path("log/flott-jobmanager.log").exists() && !package.path("history").exists());
}
