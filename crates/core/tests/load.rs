//! `Configuration::load` in processes with surroundings of their own.

use flott_core::config::{Configuration, options::PARALLELISM_DEFAULT};
use std::{env, error::Error, fs, path::Path, process::Command};

/// What a process prints that runs in `directory`, with these environment variables.
fn child(directory: &Path, variables: &[(&str, &str)]) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--ignored", "--exact", "--nocapture", "prints_the_parallelism"]).current_dir(directory);
    let output = command.envs(variables.iter().copied()).output()?;
    Ok(String::from_utf8(output.stdout)? + std::str::from_utf8(&output.stderr)?)
}

#[test]
#[ignore = "is run by the other tests, in a process of its own"]
fn prints_the_parallelism() {
    match Configuration::load().and_then(|configuration| configuration.get(&PARALLELISM_DEFAULT)) {
        Ok(parallelism) => println!("parallelism={parallelism};"),
        Err(error) => println!("error={error};"),
    }
}

#[test]
fn without_a_file_the_defaults_hold() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    assert!(child(directory.path(), &[])?.contains("parallelism=1;"));
    Ok(())
}

#[test]
fn the_file_in_conf_is_read_and_the_environment_is_stronger() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    fs::create_dir(directory.path().join("conf"))?;
    fs::write(directory.path().join("conf/config.yaml"), "parallelism:\n  default: 3\n")?;
    assert!(child(directory.path(), &[])?.contains("parallelism=3;"));
    assert!(child(directory.path(), &[("FLOTT_PARALLELISM_DEFAULT", "5")])?.contains("parallelism=5;"));
    Ok(())
}

#[test]
fn the_directory_that_is_named_is_read_and_must_have_a_file() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let elsewhere = tempfile::tempdir()?;
    let variables = [("FLOTT_CONF_DIR", elsewhere.path().to_str().ok_or("a path that is text")?)];
    let missing = child(directory.path(), &variables)?;
    assert!(missing.contains("error=cannot read the configuration file") && missing.contains(variables[0].1), "{missing}");
    fs::write(elsewhere.path().join("config.yaml"), "parallelism.default: 4")?;
    assert!(child(directory.path(), &variables)?.contains("parallelism=4;"));
    Ok(())
}

#[test]
fn what_no_option_is_gets_a_warning_without_its_value_and_the_rest_holds() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    fs::create_dir(directory.path().join("conf"))?;
    fs::write(directory.path().join("conf/config.yaml"), "parallelism.default: 3\nsecurity.tokn: canary\n")?;
    let said = child(directory.path(), &[("FLOTT_PARALLELISM_DEFALT", "canary")])?;
    assert!(said.contains("parallelism=3;"), "{said}");
    assert_eq!(said.matches("flott: ignored: ").count(), 2, "{said}");
    assert!(said.contains("`security.token`?") && said.contains("`FLOTT_PARALLELISM_DEFAULT`?"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    Ok(())
}
