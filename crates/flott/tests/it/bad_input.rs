//! Input and settings that are not as they should be.

use crate::support::{assert_says, collect, env, failure, sorted, text};
use flott::{
    Error,
    config::{Configuration, Origin},
    connector::file::{FileSource, InvalidUtf8},
    prelude::*,
};
use std::{fs, path::PathBuf};

/// A directory with a file `input` of this content.
fn input(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("input");
    fs::write(&path, content).unwrap();
    (dir, path)
}

fn lines(content: &[u8]) -> Vec<String> {
    let (_dir, path) = input(content);
    collect(&env(1).read_text_file(&path))
}

#[test]
fn a_missing_file_fails_the_job_with_its_path_and_the_place_of_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = text(&dir.path().join("nowhere.txt"));
    let message = failure(&env(2).read_text_file(&path));
    assert_says(&message, &[&format!("operator `Source: File {path}`"), &format!("input `{path}` does not exist"), "bad_input.rs:"]);
}

#[test]
fn a_file_that_cannot_be_read_fails_the_job_with_its_path() {
    let (dir, path) = input(b"secret");
    let below = text(&path.join("below"));
    assert_says(&failure(&env(1).read_text_file(&below)), &[&below, "operator `Source: File "]);
    assert_says(&failure(&env(1).read_text_file("/dev/null")), &["`/dev/null` is neither a regular file nor a directory"]);
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        println!("this user may read every file: permissions are not tested");
        return;
    }
    assert_says(&failure(&env(1).read_text_file(&path)), &["cannot open input file", &text(&path), "caused by: Permission denied"]);
    drop(dir);
}

#[test]
fn an_empty_file_an_empty_directory_and_a_file_of_empty_lines_are_no_errors() {
    assert!(lines(b"").is_empty());
    assert_eq!(lines(b"\n\n"), ["", ""]);
    let dir = tempfile::tempdir().unwrap();
    assert!(collect(&env(2).read_text_file(dir.path())).is_empty());
}

#[test]
fn lines_end_with_or_without_a_carriage_return_and_the_last_one_may_end_with_nothing() {
    assert_eq!(lines(b"a\nb"), ["a", "b"]);
    assert_eq!(lines(b"a\r\nb\r\n"), ["a", "b"]);
    assert_eq!(lines(b"a\r\nb\nc\r"), ["a", "b", "c\r"]);
    assert_eq!(lines(b"\xef\xbb\xbfmark\n"), ["mark"]);
}

#[test]
fn invalid_utf8_fails_is_skipped_or_is_replaced() {
    let (_dir, path) = input(b"good\nb\xffd\nfine\n");
    let read = |policy| env(1).from_source(FileSource::text_lines(&path).invalid_utf8(policy), WatermarkStrategy::no_watermarks(), "lines");
    let message = failure(&read(InvalidUtf8::Fail));
    assert_says(
        &message,
        &[&format!("`{}` has invalid UTF-8 at byte 6, in the line that starts at byte 5", path.display()), "`InvalidUtf8::Skip`"],
    );
    assert_eq!(collect(&read(InvalidUtf8::Skip)), ["good", "fine"]);
    assert_eq!(collect(&read(InvalidUtf8::Replace)), ["good", "b\u{fffd}d", "fine"]);
    assert_says(&failure(&env(1).read_text_file(&path)), &["has invalid UTF-8 at byte 6"]);
}

#[test]
fn a_line_of_64_megabytes_is_read_or_refused_by_its_limit() {
    let length = 64 << 20;
    let mut content = vec![b'x'; length];
    content.extend_from_slice(b"\nshort\n");
    let (_dir, path) = input(&content);
    let source = |max| env(2).from_source(FileSource::text_lines(&path).max_line_bytes(max), WatermarkStrategy::no_watermarks(), "lines");
    assert_eq!(sorted(&source(1 << 30).map(|line| line.len())), [5, length]);
    assert_says(
        &failure(&source(1 << 20)),
        &[&text(&path), "has a line of more than 1048576 bytes, which starts at byte 0", "`max_line_bytes`"],
    );
}

#[test]
fn a_glob_without_a_match_and_a_malformed_one_fail_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let glob = text(&dir.path().join("*.txt"));
    assert_says(&failure(&env(1).read_text_file(&glob)), &[&format!("glob `{glob}` matches no file"), "create the input first"]);
    fs::write(dir.path().join("a.txt"), "a\n").unwrap();
    fs::write(dir.path().join("b.log"), "b\n").unwrap();
    assert_eq!(collect(&env(1).read_text_file(&glob)), ["a"]);
    let malformed = text(&dir.path().join("[a"));
    assert_says(&failure(&env(1).read_text_file(&malformed)), &["[a"]);
}

#[test]
fn a_file_that_is_named_as_if_compressed_fails_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plain.gz");
    fs::write(&path, "not compressed\n").unwrap();
    assert_says(&failure(&env(1).read_text_file(&path)), &["plain.gz` is named as if compressed by", "rename it"]);
}

#[test]
fn all_files_of_a_directory_are_read_once_by_any_number_of_subtasks() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for file in 0..20 {
        let lines: Vec<String> = (0..500).map(|line| format!("file {file} line {line}")).collect();
        fs::create_dir_all(dir.path().join(format!("sub{}", file % 3))).unwrap();
        fs::write(dir.path().join(format!("sub{}/{file}.txt", file % 3)), lines.join("\n")).unwrap();
        expected.extend(lines);
    }
    expected.sort();
    for parallelism in [1, 3, 8] {
        let source = FileSource::text_lines(dir.path()).split_bytes(1000);
        let lines = env(parallelism).from_source(source, WatermarkStrategy::no_watermarks(), "files");
        assert_eq!(sorted(&lines), expected, "parallelism {parallelism}");
    }
}

#[test]
fn an_output_directory_that_is_a_file_fails_the_job_with_its_path() {
    let (_dir, path) = input(b"");
    let env = env(1);
    env.from_sequence(1, 3).sink_to(flott::connector::file::FileSink::text(&path)).name("out");
    let message = env.execute("test").unwrap_err().to_string();
    assert_says(&message, &["operator `out`", &format!("output `{}` is not a directory", path.display())]);
}

fn wrong(arguments: &[&str]) -> String {
    let error = Configuration::new().add_arguments(arguments.iter().map(ToString::to_string)).unwrap_err();
    Error::from(error).to_string()
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest_one() {
    assert_says(&wrong(&["-Dparalelism.default=2"]), &["unknown option `paralelism.default`", "did you mean `parallelism.default`?"]);
    let message = wrong(&["-D", "checkpointing.interval=1s"]);
    assert_says(&message, &["did you mean `execution.checkpointing.interval`?", "-D checkpointing.interval=******"]);
    assert!(!wrong(&["-Dquite.different=2"]).contains("did you mean"));
    let variables = Configuration::new().add_variables([("FLOTT_PARALELISM_DEFAULT", "2")]).unwrap()[0].to_string();
    assert_says(&variables, &["`FLOTT_PARALELISM_DEFAULT` sets no option", "did you mean `FLOTT_PARALLELISM_DEFAULT`?"]);
}

#[test]
fn a_value_of_the_wrong_form_is_refused_with_what_it_must_be() {
    assert_says(&wrong(&["-Dparallelism.default=two"]), &["option `parallelism.default` is `two` (", "but must be "]);
    assert_says(&wrong(&["-Dexecution.runtime-mode=STREEMING"]), &["`STREEMING`", "one of `STREAMING`, `BATCH`, `AUTOMATIC`"]);
    assert_says(&wrong(&["-Dexecution.checkpointing.interval=10 parsecs"]), &["`10 parsecs`", "but must be "]);
    assert_says(&wrong(&["-Dparallelism.default"]), &["argument `-Dparallelism.default` is not of the form `-Dkey=value`"]);
    let mut configuration = Configuration::new();
    let file = configuration
        .add_file("conf/config.yaml", "parallelism.default: 2\nrestart-strategy:\n  type: sometimes\n")
        .unwrap_err()
        .to_string();
    assert_says(&file, &["option `restart-strategy.type` is `sometimes` (", "conf/config.yaml", "3", "`fixed-delay`"]);
}

#[test]
fn a_stronger_place_wins_and_code_wins_over_all() {
    let mut configuration = Configuration::new();
    configuration.add_file("config.yaml", "parallelism.default: 5\npipeline.name: from file\n").unwrap();
    configuration.set_raw("parallelism.default", "3", Origin::Variable("FLOTT_PARALLELISM_DEFAULT".into())).unwrap();
    let env = StreamExecutionEnvironment::with_configuration(configuration);
    assert_eq!(env.option(&options::PARALLELISM_DEFAULT).unwrap(), 3);
    env.set_parallelism(2);
    env.from_sequence(1, 3).discard();
    let plan = env.execution_plan("by the program").unwrap();
    assert_eq!((plan.name.as_str(), plan.vertices[0].parallelism), ("from file", 2));
}
