//! The program of the server: the installed one, or one that Go has built into a cache beside the checkout.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The module of the server, and the version that is built.
const SERVER: &str = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
/// The release of Go that builds it where the installed one is too old to fetch a later one by itself.
const GO: &str = "go1.26.8";

/// Where a program lies on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The server's program.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(installed) = find("versitygw") {
            return installed;
        }
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache"));
        let folder = cache.join("flott/versitygw").join(SERVER.rsplit('@').next().unwrap_or_default());
        let program = folder.join("versitygw");
        if !program.is_file() {
            fs::create_dir_all(&folder).unwrap();
            if let Err(problem) = build(&folder) {
                panic!(
                    "this test needs a server: put `versitygw` on the PATH, or let `go install {SERVER}` work here, which says: {problem}"
                );
            }
        }
        program
    })
}

/// Builds the server into `folder`. Another process may do the same: the last step is a rename.
fn build(folder: &Path) -> Result<(), String> {
    // What it takes to build is thrown away with it: it is ten times what is kept.
    let work = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    let go = recent_go(&installed_go()?, work.path())?;
    // Not optimised: that would take a third longer.
    let flags = ["install", "-trimpath", "-ldflags=-s -w", "-gcflags=all=-N -l", SERVER];
    run(go_command(&go, work.path()).env("GOBIN", work.path().join("bin")).args(flags))?;
    fs::rename(work.path().join("bin/versitygw"), folder.join("versitygw")).map_err(|error| error.to_string())
}

fn installed_go() -> Result<PathBuf, String> {
    let usual = || Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.is_file());
    if let Some(go) = find("go").or_else(usual) {
        return Ok(go);
    }
    let install = || run(Command::new("apt-get").args(["install", "-q", "-y", "--no-install-recommends", "golang-go"]));
    install().or_else(|_| run(Command::new("apt-get").args(["update", "-q"])).and_then(|_| install()))?;
    find("go").ok_or_else(|| "the package `golang-go` has brought no program `go`".to_owned())
}

/// A Go that can build the server: since 1.21, Go fetches the release that a module asks for. An older one fetches it as a module.
fn recent_go(installed: &Path, work: &Path) -> Result<PathBuf, String> {
    let said = run(Command::new(installed).args(["env", "GOVERSION", "GOOS", "GOARCH"]))?;
    let mut said = said.lines();
    let (version, system, machine) = (said.next().unwrap_or_default(), said.next().unwrap_or_default(), said.next().unwrap_or_default());
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor >= 21) {
        return Ok(installed.to_owned());
    }
    let module = format!("golang.org/toolchain@v0.0.1-{GO}.{system}-{machine}");
    run(go_command(installed, work).args(["mod", "download", &module]))?;
    let folder = work.join("path/pkg/mod").join(module);
    for programs in [folder.join("bin"), folder.join("pkg/tool").join(format!("{system}_{machine}"))] {
        for entry in fs::read_dir(&programs).map_err(|error| format!("{}: {error}", programs.display()))? {
            // A module's files are not made executable.
            let path = entry.map_err(|error| error.to_string())?.path();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        }
    }
    Ok(folder.join("bin/go"))
}

fn go_command(go: &Path, work: &Path) -> Command {
    let mut command = Command::new(go);
    command.env("GOPATH", work.join("path")).env("GOCACHE", work.join("cache")).env("GOFLAGS", "-modcacherw");
    command.env_remove("GOROOT").current_dir(work);
    command
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(format!("{command:?}: {}", text(&output.stderr))) }
}
