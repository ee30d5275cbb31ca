//! A server of a test's own: versitygw, which keeps objects as files.

use crate::install::{find, program};
use flott_core::secret::Secret;
use flott_ha::Key;
use flott_ha_s3::S3Settings;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a start may take, also on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
const BUCKET: &str = "coordination";
const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";

/// A server of one bucket, which ends with this value.
pub(crate) struct Server {
    data: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl Server {
    /// A server that is ready.
    pub(crate) fn start() -> Self {
        // Another process may take the port before the server does.
        for attempt in 1.. {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let mut server = Server { data: tempfile::tempdir().unwrap(), port, process: None };
            // A bucket is a folder.
            fs::create_dir_all(server.data.path().join("buckets").join(BUCKET)).unwrap();
            if server.run() {
                return server;
            }
            assert!(attempt < 5, "the server does not start; it says:\n{}", server.log());
        }
        unreachable!("the loop has no end")
    }

    pub(crate) fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            prefix: "flott/default/".to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: Secret::new(SECRET_KEY),
            session_token: None,
            path_style: true,
            timeout: Duration::from_secs(20),
        }
    }

    /// Puts something else where the value of `key` is.
    pub(crate) fn garble(&self, key: &Key) {
        let path = self.data.path().join("buckets").join(BUCKET).join(format!("flott/default/{key}.value"));
        fs::write(path, b"something else").unwrap();
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts it again with what it had stored.
    pub(crate) fn restart(&mut self) {
        assert!(self.run(), "the server does not start again; it says:\n{}", self.log());
    }

    fn run(&mut self) -> bool {
        let log = fs::File::options().create(true).append(true).open(self.data.path().join("log")).unwrap();
        let mut command = tied_command(program());
        command.args([
            "--access",
            ACCESS_KEY,
            "--secret",
            SECRET_KEY,
            "--port",
            &format!("127.0.0.1:{}", self.port),
            "--keep-alive",
            "posix",
        ]);
        command.arg(self.data.path().join("buckets")).current_dir(self.data.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = command.spawn().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                self.process = Some(process);
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that the kernel ends when this program does, however that happens (where `setpriv` is installed).
fn tied_command(program: &Path) -> Command {
    if find("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}
