//! What the compiler says of programs that cannot be jobs: each message must contain its remedy.

use std::{fs, path::Path, process::Command};

/// Programs, and what must be among the errors of each.
const PROGRAMS: [(&str, &str, &[&str]); 5] = [
    (
        "not_serializable",
        "#[derive(Clone)] struct Point(u8);
         env.from_elements([1u8]).map(Point).discard();",
        &["`Point` cannot travel in a stream or be kept in state", "add `#[derive(Clone, Serialize, Deserialize)]` to the type"],
    ),
    (
        "rc_captured",
        "let shared = std::rc::Rc::new(1u8);
         env.from_elements([1u8]).map(move |n| n + *shared).discard();",
        &["`Rc<u8>` cannot be "],
    ),
    (
        "reference_as_record",
        "env.from_elements([1u8]).map(|_| std::rc::Rc::new(1u8)).discard();",
        &["`Rc<u8>` cannot travel in a stream or be kept in state", "`Arc` instead of `Rc`"],
    ),
    (
        "float_key",
        "env.from_elements([1.5f64]).key_by(|n| *n).sum(|n| n).discard();",
        &["`f64` cannot be a key", "`f32` and `f64` have no total equality: key by an integer or a string instead"],
    ),
    (
        "borrowed_key",
        "env.from_data([String::new()]).key_by(|word| word.as_str()).reduce(|a, _| a).discard();",
        &["lifetime may not live long enough"],
    ),
];

#[test]
fn a_program_that_cannot_be_a_job_is_told_what_to_do() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let project = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"refused\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nflott = {{ path = {:?} }}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(repository.join("Cargo.lock"), project.path().join("Cargo.lock")).unwrap();
    fs::create_dir_all(project.path().join("src/bin")).unwrap();
    let write = |name: &str, body: &str| {
        let program = format!(
            "use flott::prelude::*;\nfn main() {{\n    let env = StreamExecutionEnvironment::get().unwrap();\n    {body}\n    env.execute(\"job\").unwrap();\n}}\n"
        );
        fs::write(project.path().join(format!("src/bin/{name}.rs")), program).unwrap();
    };
    // One that is right shows that the others fail for their own fault.
    write("sound", "env.from_data([(String::new(), 1u8)]).key_by_ref(|(word, _)| word.as_str()).sum(|(_, n)| n).discard();");
    PROGRAMS.iter().for_each(|(name, body, _)| write(name, body));
    // A build directory of its own, so that nobody waits for the other's; kept, so that only the first run compiles everything.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-errors");
    let check = |name: &str| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["check", "--quiet", "--offline", "--color", "never", "--bin", name]).current_dir(project.path());
        let output = command.env("CARGO_TARGET_DIR", &target).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (sound, said) = check("sound");
    assert!(sound, "{said}");
    for (name, _, expected) in PROGRAMS {
        let (compiles, said) = check(name);
        assert!(!compiles, "`{name}` compiles");
        for part in expected {
            assert!(said.contains(part), "`{part}` is not said of `{name}`:\n{said}");
        }
    }
}
