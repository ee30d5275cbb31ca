//! The program, run on a small text.

use std::process::Command;

#[test]
fn final_counts_are_written_sorted_and_the_number_of_words_is_printed() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (input, output) = (directory.join("input.txt"), directory.join("counts.txt"));
    std::fs::write(&input, "To be, or not\nto BE.\n\nthat_is").unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_loop-word-count"))
        .args(["--input".as_ref(), input.as_os_str(), "--output".as_ref(), output.as_os_str()])
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(std::fs::read_to_string(output).unwrap(), "be 2\nnot 1\nor 1\nthat_is 1\nto 2\n");
    assert_eq!(String::from_utf8(run.stderr).unwrap(), "{\"words\":7,\"distinct\":5}\n");
}

#[test]
fn a_missing_input_is_an_error() {
    let run = Command::new(env!("CARGO_BIN_EXE_loop-word-count")).args(["--input", "no-such-file"]).output().unwrap();
    assert!(!run.status.success());
    assert!(String::from_utf8(run.stderr).unwrap().contains("no-such-file"));
}
