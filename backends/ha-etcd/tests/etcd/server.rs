//! An etcd of a test's own: Debian's, unpacked into a cache beside the checkout where it is not installed.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a start may take, also on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// An etcd of one member, which ends with this value.
pub(crate) struct Etcd {
    pub(crate) data: TempDir,
    pub(crate) port: u16,
    peer_port: u16,
    scheme: &'static str,
    process: Option<Child>,
}

impl Etcd {
    /// An etcd that is ready.
    pub(crate) fn start() -> Self {
        Etcd::with_scheme("http")
    }

    /// An etcd that is ready, speaks TLS and asks for a certificate: see [`Etcd::file`].
    pub(crate) fn with_tls() -> Self {
        Etcd::with_scheme("https")
    }

    fn with_scheme(scheme: &'static str) -> Self {
        // Another process may take a port before etcd does.
        for attempt in 1.. {
            let (port, peer_port) = free_ports();
            let mut etcd = Etcd { data: tempfile::tempdir().unwrap(), port, peer_port, scheme, process: None };
            if etcd.run() {
                return etcd;
            }
            assert!(attempt < 5, "etcd does not start; it says:\n{}", etcd.log());
        }
        unreachable!("the loop has no end")
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// A file of an etcd with TLS: `ca.pem`, and `server` and `client` with `.pem` and `.key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
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
        assert!(self.run(), "etcd does not start again; it says:\n{}", self.log());
    }

    /// Asks for `path` in its own words. Gives the answer's body.
    pub(crate) fn post(&self, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn run(&mut self) -> bool {
        let (client, peer) = (self.endpoint(), format!("http://127.0.0.1:{}", self.peer_port));
        let log = fs::File::options().create(true).append(true).open(self.data.path().join("log")).unwrap();
        let mut command = tied_command(program());
        command.arg("--data-dir").arg(self.data.path().join("etcd"));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client, "--listen-peer-urls", &peer]);
        command.args(["--initial-advertise-peer-urls", &peer, "--initial-cluster", &format!("default={peer}")]);
        if self.scheme == "https" {
            make_certificates(self.data.path());
            command.arg("--cert-file").arg(self.file("server.pem")).arg("--key-file").arg(self.file("server.key"));
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(self.file("ca.pem"));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        self.is_ready_in_time()
    }

    fn is_ready_in_time(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some()) {
                return false;
            }
            // It listens for clients when it has joined its cluster.
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && (self.scheme == "https" || self.is_healthy()) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn is_healthy(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = String::new();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains("\"true\"")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes an authority, and a certificate by it for each side.
fn make_certificates(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    write("ca.pem", authority.pem());
    for (name, usage) in [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)] {
        let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        // The server's gateway is a client of the server.
        parameters.extended_key_usages = vec![usage, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        write(&format!("{name}.pem"), parameters.signed_by(&key, &authority).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

/// Two ports that nobody listens on.
fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let [client, peer] = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port());
    (client, peer)
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

fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The program `etcd`: the installed one, or Debian's package unpacked into the user's cache. It is not installed, as that would
/// start a server for the whole machine.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(installed) = find("etcd") {
            return installed;
        }
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache"));
        let folder = cache.join("flott/etcd");
        let program = folder.join("usr/bin/etcd");
        if !program.is_file() {
            fs::create_dir_all(&folder).unwrap();
            unpack(&folder);
        }
        program
    })
}

/// Brings Debian's package into `folder`. Another process may do the same: the last step is a rename.
fn unpack(folder: &Path) {
    let work = tempfile::tempdir_in(folder).unwrap();
    let download = || run(Command::new("apt-get").args(["download", "-q", "etcd-server"]).current_dir(work.path()));
    let downloaded = download().or_else(|_| run(Command::new("apt-get").args(["update", "-q"])).and_then(|()| download()));
    if let Err(problem) = downloaded {
        panic!("this test needs etcd: put `etcd` on the PATH, or let `apt-get download etcd-server` work here, which says: {problem}");
    }
    let package =
        fs::read_dir(work.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension() == Some("deb".as_ref()));
    let package = package.expect("apt-get has brought a package");
    run(Command::new("dpkg").arg("--extract").arg(package).arg(work.path())).unwrap();
    // Fails if another process was faster, which is as well.
    let _ = fs::rename(work.path().join("usr"), folder.join("usr"));
    assert!(folder.join("usr/bin/etcd").is_file(), "the package of etcd-server has no `/usr/bin/etcd`");
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
