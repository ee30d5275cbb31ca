//! Clusters that ask who comes: TLS everywhere, certificates of processes, tokens of clients.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, flott, job_program},
};
use flott_security::{Connector, Stream, TlsMaterial};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

/// Stands in the configuration of all processes, as a secret.
const CANARY: &str = "canary-4b1d";
const JSON: &str = "application/json";

/// A cluster with everything switched on, and a token for each role.
struct Secure {
    cluster: Cluster,
    tokens: BTreeMap<String, String>,
}

/// Runs `flott security init` in a folder; gives what it printed.
pub(crate) fn init(folder: &Path, arguments: &[&str]) -> String {
    let output = flott(folder).args(["security", "init"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Secure {
    fn start(task_managers: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let printed = init(folder.path(), &["--host", "flott.example"]);
        let tokens = printed.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words[..], [_, _, token] if token.starts_with("flott_")).then(|| (words[0].to_owned(), words[2].to_owned()))
        });
        let tokens: BTreeMap<String, String> = tokens.collect();
        assert_eq!(tokens.len(), 4, "{printed}");
        let of_processes = printed.split("clients, which need").next().unwrap();
        let mut config: String =
            of_processes.lines().filter(|line| line.starts_with("security.")).map(|line| format!("{line}\n")).collect();
        config.push_str(&format!("security.token: {CANARY}\nenv.log.dir: {}\n", folder.path().join("log").display()));
        fs::create_dir_all(folder.path().join("log")).unwrap();
        fs::write(folder.path().join("conf/config.yaml"), config).unwrap();
        let log = |name: &str| fs::File::create(folder.path().join("log").join(name)).unwrap();
        let (job_manager, task_manager) = (log("flott-jobmanager.log"), log("flott-taskmanager.log"));
        let mut cluster = Cluster::start_in(folder, job_manager);
        for number in 0..task_managers {
            let log = task_manager.try_clone().unwrap();
            let mut command = cluster.flott();
            command.arg(format!("-Dtaskmanager.resource-id=tm{number}")).arg("taskmanager").stdout(Stdio::null()).stderr(log);
            let child = command.spawn().unwrap();
            cluster.task_managers.insert(format!("tm{number}"), child);
        }
        Secure { cluster, tokens }
    }

    fn token(&self, role: &str) -> &str {
        &self.tokens[role]
    }

    /// `flott` with the token of a role.
    fn ask(&self, role: &str, arguments: &[&str]) -> Output {
        self.cluster.flott().env("FLOTT_SECURITY_TOKEN", self.token(role)).args(arguments).output().unwrap()
    }

    fn run(&self, role: &str, options: &[&str], rate: f64) -> Command {
        let mut command = self.cluster.run(options, "plain", RECORDS, rate);
        command.env("FLOTT_SECURITY_TOKEN", self.token(role));
        command
    }

    fn connector(&self) -> Connector {
        let authority = fs::read_to_string(self.cluster.path("conf/security/ca.pem")).unwrap();
        Connector::new(Some(TlsMaterial { authority, identity: None }), None).unwrap()
    }

    /// Calls the REST server; gives the answer's head and body.
    fn send(&self, method: &str, path: &str, authorization: Option<&str>, content: (&str, &[u8])) -> (String, String) {
        let (kind, body) = content;
        let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{authorization}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let socket = TcpStream::connect(&self.cluster.rest).unwrap();
        let stream: Stream = self.connector().connect(socket, Duration::from_secs(20)).unwrap();
        (&stream).write_all(head.as_bytes()).unwrap();
        // Who is refused is not listened to.
        let _ = (&stream).write_all(body);
        let mut answer = Vec::new();
        let _ = (&stream).read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer}"));
        (head.to_owned(), body.to_owned())
    }

    fn call(&self, role: &str, method: &str, path: &str, content: (&str, &[u8])) -> (u16, Value) {
        let (head, body) = self.send(method, path, Some(&format!("Bearer {}", self.token(role))), content);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("viewer", "GET", path, (JSON, b""));
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.cluster.path("log").join(name)).unwrap()
    }

    /// Nothing that is a secret stands in `text`.
    #[track_caller]
    fn assert_no_secret(&self, what: &str, text: &str) {
        let secrets = self.tokens.values().map(String::as_str).chain([CANARY, "PRIVATE KEY"]);
        for secret in secrets {
            assert!(!text.contains(secret), "{what} holds `{secret}`");
        }
    }
}

#[test]
fn a_job_runs_over_two_task_managers_that_speak_tls_and_no_secret_is_told() {
    let secure = Secure::start(2);
    let program = secure.run("deployer", &["-p", "2"], 5000.0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("counts are visible", || !secure.cluster.lines().is_empty());
    let workers = secure.cluster.workers();
    assert_eq!(workers.len(), 2);
    for process in workers {
        for file in ["environ", "cmdline"] {
            let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap();
            secure.assert_no_secret(file, &String::from_utf8_lossy(&bytes));
            assert!(!String::from_utf8_lossy(&bytes).contains("FLOTT_SECURITY_TOKEN"));
        }
    }
    let listed = secure.ask("viewer", &["list"]);
    let job = String::from_utf8_lossy(&listed.stdout).split(' ').next().unwrap().to_owned();
    let paths = ["/config", "/jobmanager/config", "/jobmanager/environment", "/jobmanager/log", "/taskmanagers/tm0/log", "/overview"];
    let of_job = ["", "/config", "/exceptions", "/plan", "/jobmanager/config", "/jobmanager/environment", "/checkpoints"];
    for path in paths.iter().map(|path| (*path).to_owned()).chain(of_job.iter().map(|path| format!("/jobs/{job}{path}"))) {
        let (head, body) = secure.send("GET", &path, Some(&format!("Bearer {}", secure.token("viewer"))), (JSON, b""));
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        secure.assert_no_secret(&path, &body);
    }
    assert!(secure.get("/jobmanager/config").to_string().contains("security.ssl.internal.enabled"));
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    secure.assert_no_secret("the program's output", &(err(&output) + &String::from_utf8_lossy(&output.stdout)));
    secure.cluster.assert_exact(RECORDS);
    for name in ["flott-jobmanager.log", "flott-taskmanager.log"] {
        secure.assert_no_secret(name, &secure.log(name));
    }
    let log = secure.log("flott-jobmanager.log");
    let submitted = log.lines().find(|line| line.contains("flott::audit") && line.contains("submit ")).unwrap_or_else(|| panic!("{log}"));
    assert!(submitted.contains("deployer (deployer)") && submitted.contains(&format!("job {job}")), "{submitted}");
}

#[test]
fn a_client_may_do_what_its_token_is_for() {
    let secure = Secure::start(1);
    assert!(secure.run("deployer", &["-d"], 500.0).status().unwrap().success());
    let listed = secure.ask("viewer", &["list", "-a"]);
    let job = String::from_utf8_lossy(&listed.stdout).split(' ').next().unwrap().to_owned();
    let refused = |output: &Output, reason: &str| {
        assert!(!output.status.success());
        assert!(err(output).contains(reason), "{}", err(output));
    };
    refused(&secure.ask("viewer", &["cancel", &job]), "to cancel needs the role `operator`");
    refused(&secure.run("operator", &["-d"], 1e6).output().unwrap(), "needs the role `deployer`");
    refused(&secure.cluster.ask(&["list"]), "the token is not known here");
    let mut without = secure.cluster.flott();
    fs::create_dir_all(secure.cluster.path("other")).unwrap();
    let authority = secure.cluster.path("conf/security/ca.pem").display().to_string();
    fs::write(
        secure.cluster.path("other/config.yaml"),
        format!("security.ssl.internal.enabled: true\nsecurity.ssl.internal.authority: {authority}\n"),
    )
    .unwrap();
    without.env("FLOTT_CONF_DIR", "other");
    refused(&without.args(["list"]).output().unwrap(), "`security.token.file`");
    refused(&secure.ask("admin", &["-Dsecurity.ssl.internal.enabled=false", "list"]), "features = [\"tls\"]");
    refused(&secure.ask("admin", &["-Dsecurity.token=x", "list"]), "`FLOTT_SECURITY_TOKEN`");

    let file = secure.cluster.path("token");
    fs::write(&file, secure.token("operator")).unwrap();
    let with_file = |secure: &Secure| {
        let mut command = secure.cluster.flott();
        command.env("FLOTT_CONF_DIR", "other").args(["-Dsecurity.token.file=token", "cancel", &job]).output().unwrap()
    };
    let chmod = |mode: &str| assert!(Command::new("chmod").args([mode, file.to_str().unwrap()]).status().unwrap().success());
    chmod("644");
    refused(&with_file(&secure), "chmod 600");
    chmod("600");
    assert!(with_file(&secure).status.success());
    eventually("the job is cancelled", || err(&secure.ask("operator", &["cancel", &job])).contains("has ended"));

    let made = secure.cluster.ask(&["security", "token", "--role", "viewer", "--name", "ci"]);
    let token = String::from_utf8_lossy(&made.stdout).split_whitespace().last().unwrap().to_owned();
    let ask_as_ci = || secure.cluster.flott().env("FLOTT_SECURITY_TOKEN", &token).args(["list"]).output().unwrap();
    assert!(ask_as_ci().status.success(), "{}", err(&made));
    assert!(secure.cluster.say(&["security", "tokens"]).contains("ci : viewer"));
    assert!(secure.cluster.say(&["security", "revoke", "ci"]).contains("revoked"));
    refused(&ask_as_ci(), "not any more");
}

#[test]
fn rest_asks_for_tokens_and_runs_programs_that_have_none() {
    let secure = Secure::start(1);
    let (head, body) = secure.send("GET", "/overview", None, (JSON, b""));
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert!(head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{head}");
    let (_, unknown) = secure.send("GET", "/overview", Some("Bearer flott_0"), (JSON, b""));
    assert_eq!(body, unknown);
    assert!(serde_json::from_str::<Value>(&body).unwrap()["errors"][0].as_str().unwrap().contains("Bearer"), "{body}");
    eventually("the TaskManager is there", || secure.get("/overview")["taskmanagers"] == 1);
    let upload = |role: &str, program: &[u8]| {
        let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"cluster_job\"\r\n\r\n".to_vec();
        body.extend(program);
        body.extend(b"\r\n--cut--\r\n");
        secure.call(role, "POST", "/jars/upload", ("multipart/form-data; boundary=cut", &body))
    };
    assert_eq!(upload("operator", b"small"), (403, json!({"errors": ["this needs a token with the role `deployer`"]})));
    let (status, uploaded) = upload("deployer", &fs::read(job_program()).unwrap());
    assert_eq!(status, 200, "{uploaded}");
    let id = uploaded["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let request = json!({"programArgsList": ["plain", secure.cluster.path("counts"), RECORDS.to_string(), "500"]}).to_string();
    let run = |role: &str| secure.call(role, "POST", &format!("/jars/{id}/run"), (JSON, request.as_bytes()));
    assert_eq!(run("operator").0, 403);
    let (status, started) = run("deployer");
    assert_eq!(status, 200, "{started}");
    let job = started["jobid"].as_str().unwrap();
    eventually("the job runs", || secure.get(&format!("/jobs/{job}"))["state"] == "RUNNING");
    let vertex = secure.get(&format!("/jobs/{job}"))["vertices"][0]["id"].as_str().unwrap().to_owned();
    let tap = format!("/jobs/{job}/vertices/{vertex}/tap");
    let begun = |role: &str| secure.call(role, "POST", &tap, (JSON, b"{}")).0;
    // It is switched off, which only those hear of who might use it.
    assert_eq!((begun("viewer"), begun("operator")), (403, 409));
    let look = |role: &str| secure.call(role, "GET", &format!("{tap}/{}", "0".repeat(32)), (JSON, b"")).0;
    assert_eq!((look("viewer"), look("operator")), (403, 409));
    let cancel = |role: &str| secure.call(role, "PATCH", &format!("/jobs/{job}?mode=cancel"), (JSON, b"")).0;
    assert_eq!(cancel("viewer"), 403);
    assert_eq!(cancel("operator"), 202);
    eventually("the job is cancelled", || secure.get(&format!("/jobs/{job}/status"))["status"] == "CANCELED");
    assert_eq!(secure.call("deployer", "DELETE", "/cluster", (JSON, b"")).0, 403);
    let log = secure.log("flott-jobmanager.log");
    let line = |parts: [&str; 3]| log.lines().any(|line| line.contains("flott::audit") && parts.iter().all(|part| line.contains(part)));
    assert!(line(["viewer (viewer)", &format!("PATCH /jobs/{job}"), "result=403"]), "{log}");
    assert!(line(["operator (operator)", &format!("PATCH /jobs/{job}"), "result=202"]), "{log}");
    assert!(line(["nobody known", "GET /overview", "result=401"]), "{log}");
    assert!(line(["operator (operator)", &format!("POST {tap}"), "result=409"]), "{log}");
    assert!(line(["viewer (viewer)", &format!("GET {tap}/0"), "result=403"]), "{log}");
    assert!(!line(["operator (operator)", &format!("GET {tap}/0"), ""]), "each look is no line of its own: {log}");
    secure.assert_no_secret("the log", &log);
}

#[test]
fn processes_of_another_authority_are_refused() {
    let secure = Secure::start(0);
    init(secure.cluster.folder.path(), &["--dir", "theirs"]);
    let theirs = |file: &str| format!("-Dsecurity.ssl.internal.{file}", file = file.replace('=', "=theirs/"));
    // It believes another authority, and so does not speak to the JobManager.
    let stranger =
        secure.cluster.ask(&[&theirs("authority=ca.pem"), &theirs("certificate=process.pem"), &theirs("key=process.key"), "taskmanager"]);
    assert!(!stranger.status.success());
    assert!(err(&stranger).contains("not signed by this cluster's authority"), "{}", err(&stranger));
    // It believes the right one, and shows what another has signed.
    let liar = secure.cluster.ask(&[&theirs("certificate=process.pem"), &theirs("key=process.key"), "taskmanager"]);
    assert!(!liar.status.success());
    assert!(err(&liar).contains("refuses this process's certificate"), "{}", err(&liar));
    // One that shows none at all is a client, however good its token is.
    let plain = secure.ask("admin", &["-Dsecurity.ssl.internal.enabled=false", "-Dsecurity.tokens.file=", "taskmanager"]);
    assert!(!plain.status.success());
    assert!(err(&plain).contains("encrypted connections alone"), "{}", err(&plain));
    assert_eq!(secure.get("/taskmanagers")["taskmanagers"], json!([]));
}

#[test]
fn an_address_that_others_reach_is_opened_only_with_everything_set() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ["-Djobmanager.rpc.port=0", "-Drest.port=0"];
    let refusal = |arguments: &[&str]| {
        let output = flott(folder.path()).args(ports).args(arguments).output().unwrap();
        assert!(!output.status.success());
        err(&output)
    };
    let open = refusal(&["-Djobmanager.rpc.address=0.0.0.0", "jobmanager"]);
    for part in ["`security.ssl.internal.enabled`", "`security.tokens.file`", "`jobmanager.rpc.address`", "flott security init"] {
        assert!(open.contains(part), "{open}");
    }
    let rest = refusal(&["-Drest.bind-address=0.0.0.0", "jobmanager"]);
    for part in ["`security.ssl.rest.enabled`", "`security.tokens.file`", "`rest.bind-address`"] {
        assert!(rest.contains(part), "{rest}");
    }
    let exchange = refusal(&["-Dtaskmanager.bind-host=0.0.0.0", "taskmanager"]);
    assert!(exchange.contains("`security.ssl.internal.enabled`") && exchange.contains("`taskmanager.bind-host`"), "{exchange}");
    init(folder.path(), &[]);
    let file = |name: &str| folder.path().join("conf/security").join(name).display().to_string();
    let half = [
        "-Dsecurity.ssl.internal.enabled=true".to_owned(),
        format!("-Dsecurity.ssl.internal.authority={}", file("ca.pem")),
        format!("-Dsecurity.ssl.internal.certificate={}", file("process.pem")),
    ];
    let half: Vec<&str> = half.iter().map(String::as_str).chain(["jobmanager"]).collect();
    let incomplete = refusal(&half);
    assert!(incomplete.contains("needs `security.ssl.internal.key` as well"), "{incomplete}");
    let tokens = format!("-Dsecurity.tokens.file={}", file("tokens"));
    assert!(refusal(&[&tokens, "jobmanager"]).contains("`security.ssl.internal.enabled`"));
    let key = format!("-Dsecurity.ssl.internal.key={}", file("process.key"));
    let mut all: Vec<&str> = ports.to_vec();
    all.extend(&half[..3]);
    all.extend([key.as_str(), tokens.as_str(), "-Dsecurity.ssl.rest.enabled=true"]);
    all.extend(["-Djobmanager.rpc.address=0.0.0.0", "-Drest.bind-address=0.0.0.0", "jobmanager"]);
    let mut started = flott(folder.path()).args(all).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 24];
    started.stdout.take().unwrap().read_exact(&mut line).unwrap();
    started.kill().unwrap();
    started.wait().unwrap();
    assert!(line.starts_with(b"REST at https://0.0.0.0:"), "{}", String::from_utf8_lossy(&line));
    let again = flott(folder.path()).args(["security", "init"]).output().unwrap();
    assert!(err(&again).contains("is there already"), "{}", err(&again));
}

#[test]
fn top_shows_a_cluster_that_speaks_tls_to_whoever_has_a_token() {
    let secure = Secure::start(1);
    assert!(secure.run("deployer", &["-d"], 500.0).status().unwrap().success());
    let rest = secure.cluster.rest_address().to_owned();
    let shown = secure.ask("viewer", &["top", "--once", "-m", &rest]);
    assert!(shown.status.success(), "{}", err(&shown));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("cluster-job"), "{text}");
    let job = String::from_utf8_lossy(&secure.ask("viewer", &["list"]).stdout).split(' ').next().unwrap().to_owned();
    let shown = secure.ask("viewer", &["top", "--once", "-m", &format!("https://{rest}"), &job]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("numbers"), "{}", err(&shown));
    let refused = |output: &Output, reason: &str| {
        assert!(!output.status.success());
        assert!(err(output).contains(reason), "{}", err(output));
        secure.assert_no_secret("an error", &err(output));
    };
    refused(&secure.cluster.ask(&["top", "--once", "-m", &rest]), "Bearer");
    refused(&secure.ask("viewer", &["top", "--once", "-m", &format!("http://{rest}")]), "`https://`");
    refused(&secure.ask("viewer", &["-Dsecurity.ssl.internal.enabled=false", "top", "--once", "-m", &rest]), "");
}

/// All files under a folder but executables, as text.
fn texts_under(folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts_under(&path, into);
        } else if entry.metadata().is_ok_and(|file| file.len() < 10 << 20)
            && let Ok(bytes) = fs::read(&path)
        {
            into.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

#[test]
fn a_secret_that_is_given_with_a_job_is_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("conf")).unwrap();
    fs::write(folder.path().join("conf/config.yaml"), "high-availability.type: file\nhigh-availability.storageDir: shared\n").unwrap();
    let log = fs::File::create(folder.path().join("jobmanager.log")).unwrap();
    let mut cluster = Cluster::start_in(folder, log);
    eventually("it leads", || Cluster::status_of(&cluster.rest, "/overview") == 200);
    cluster.add_task_manager("tm0", 1);
    let no_canary = |what: &str, text: &str| assert!(!text.contains(CANARY), "{what} holds the secret: {text}");
    // In an argument it is refused, and not repeated; of what is no option nobody knows whether it is one.
    for key in ["security.token", "s3.secret-key", "my.password"] {
        let option = format!("-D{key}={CANARY}");
        let program = job_program();
        for command in ["run", "run-application"] {
            let output = cluster.flott().args([command, &option]).arg(&program).args(["plain", "counts", "10", "1e6"]).output().unwrap();
            assert!(!output.status.success());
            no_canary(command, &(err(&output) + &String::from_utf8_lossy(&output.stdout)));
        }
    }
    // In the environment it is where it belongs, and goes no further.
    let submitted = cluster.run(&["-d"], "plain", RECORDS, 100.0).env("FLOTT_SECURITY_TOKEN", CANARY).output().unwrap();
    assert!(submitted.status.success(), "{}", err(&submitted));
    no_canary("the program's output", &(err(&submitted) + &String::from_utf8_lossy(&submitted.stdout)));
    let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"cluster_job\"\r\n\r\n".to_vec();
    body.extend(fs::read(job_program()).unwrap());
    body.extend(b"\r\n--cut--\r\n");
    let (status, uploaded) = cluster.call("POST", "/jars/upload", ("multipart/form-data; boundary=cut", &body));
    assert_eq!(status, 200, "{uploaded}");
    let id = uploaded["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (key, calls, expected) in [
        ("security.token", &["run", "plan"][..], 400),
        ("s3.secret-key", &["run", "plan"], 400),
        // What is no option is passed over.
        ("my.password", &["plan"], 200),
    ] {
        let request = json!({"programArgsList": ["plain", "counts", "10", "1e6"], "flinkConfiguration": {key: CANARY}}).to_string();
        for call in calls {
            let (status, body) = cluster.call("POST", &format!("/jars/{id}/{call}"), (JSON, request.as_bytes()));
            assert_eq!(status, expected, "{key}: {body}");
            no_canary(call, &body.to_string());
        }
    }
    let job = cluster.job();
    eventually("the job runs", || cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING" && !cluster.workers().is_empty());
    let document = cluster.get("/openapi.json");
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{job}", &job).replace("{tm}", "tm0").replace("{executable}", &id);
        if methods.get("get").is_some() && !path.contains('{') && !path.ends_with("/yarn-cancel") {
            no_canary(&path, &cluster.send("GET", &path, "", b"").1);
        }
    }
    let processes = cluster.workers().into_iter().chain(cluster.task_managers.values().map(std::process::Child::id));
    for process in processes.chain([cluster.job_manager_process()]) {
        for file in ["environ", "cmdline"] {
            no_canary(file, &String::from_utf8_lossy(&fs::read(format!("/proc/{process}/{file}")).unwrap()));
        }
    }
    let mut texts = Vec::new();
    texts_under(cluster.folder.path(), &mut texts);
    assert!(texts.iter().any(|(path, _)| path.contains("shared")) && texts.iter().any(|(path, _)| path.contains("jobmanager.log")));
    texts.iter().for_each(|(path, text)| no_canary(path, text));
    cluster.say(&["cancel", &job]);
}
