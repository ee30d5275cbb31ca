//! `flott config`: which value each option has, and where it was given.

use crate::out;
use clap::Args;
use flott_core::{
    Error,
    config::{Configuration, Origin, options},
};
use std::process::ExitCode;

/// Arguments of `flott config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Also options that nobody has given a value
    #[arg(short, long)]
    all: bool,
}

/// What stands in place of a value that may be a secret.
const HIDDEN: &str = "******";

/// Beginnings of the keys whose values may be shown. What is not here is hidden: better a value too few than a secret too many.
const SHOWN: [&str; 18] = [
    "env.",
    "exchange.",
    "execution.",
    "heartbeat.",
    "high-availability.",
    "io.",
    "jobmanager.",
    "metrics.",
    "parallelism.",
    "pipeline.",
    "rest.",
    "restart-strategy.",
    "security.ssl.",
    "sink.",
    "slot.",
    "state.",
    "taskmanager.",
    "web.",
];

/// Words in the keys of secrets, wherever they begin.
const SECRET: [&str; 5] = ["password", "secret", "token", "credential", "access-key"];

/// Prints the values of options, as a `config.yaml` would have them.
pub(crate) fn config(config: &Configuration, args: &ConfigArgs) -> Result<ExitCode, Error> {
    out::print(format_args!("{}", text(config, args.all)));
    Ok(ExitCode::SUCCESS)
}

fn text(config: &Configuration, all: bool) -> String {
    let given: Vec<(&str, &str, Origin)> = config.iter().map(|(key, value, origin)| (key, value, origin.clone())).collect();
    let mut lines: Vec<(String, String)> = Vec::new();
    for (key, value, origin) in &given {
        lines.push((format!("{key}: {}", shown(key, value)), without_value(key, origin)));
    }
    if all {
        let others = options::all().filter(|option| given.iter().all(|(key, ..)| *key != option.key));
        lines.extend(others.map(|option| (format!("{}: {}", option.key, yaml(option.default)), Origin::Default.to_string())));
        lines.sort();
    }
    if lines.is_empty() {
        return "# Every option has its default: `flott config --all` shows them.\n".to_owned();
    }
    let width = lines.iter().map(|(setting, _)| setting.chars().count()).filter(|width| *width <= 80).max().unwrap_or(0);
    lines.iter().map(|(setting, origin)| format!("{setting:width$}  # {origin}\n")).collect()
}

/// Whether the value of an option may be seen.
fn may_be_shown(key: &str) -> bool {
    SHOWN.iter().any(|begin| key.starts_with(begin)) && !SECRET.iter().any(|word| key.contains(word))
}

fn shown(key: &str, value: &str) -> String {
    if may_be_shown(key) { yaml(value) } else { yaml(HIDDEN) }
}

/// Where a value was given. An argument repeats the value.
fn without_value(key: &str, origin: &Origin) -> String {
    match origin {
        Origin::Argument(_) if !may_be_shown(key) => format!("argument `-D{key}={HIDDEN}`"),
        origin => origin.to_string().replace('\n', " "),
    }
}

/// A value as YAML has it.
fn yaml(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./ +".contains(c);
    let is_word = value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') && !value.ends_with(' ') && value.chars().all(plain);
    match value {
        "" => String::new(),
        _ if is_word && !["null", "Null", "NULL"].contains(&value) => value.to_owned(),
        _ if value.chars().any(char::is_control) => format!("\"{}\"", value.escape_default()),
        _ => format!("'{}'", value.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Configuration {
        let mut config = Configuration::new();
        config.add_file("conf/config.yaml", "parallelism.default: 2\nexecution:\n  checkpointing:\n    dir: 'file:///a b'\n").unwrap();
        config.add_variables([("FLOTT_PIPELINE_NAME", "it's mine")]).unwrap();
        config.add_arguments(["-Dparallelism.default=3".to_owned()]).unwrap();
        config
    }

    #[test]
    fn each_value_stands_with_the_place_that_gave_it() {
        let expected = "execution.checkpointing.dir: 'file:///a b'  # conf/config.yaml:4\n\
                        parallelism.default: 3                      # argument `-Dparallelism.default=3`\n\
                        pipeline.name: 'it''s mine'                 # environment variable `FLOTT_PIPELINE_NAME`\n";
        assert_eq!(text(&given(), false), expected);
        assert!(text(&Configuration::new(), false).starts_with("# Every option has its default"));
    }

    #[test]
    fn all_options_are_there_once_and_what_is_printed_can_be_read_again() {
        let printed = text(&given(), true);
        assert_eq!(printed.lines().count(), options::all().count());
        assert!(printed.lines().any(|line| line.starts_with("rest.port: 8081 ") && line.ends_with("# default")), "{printed}");
        let mut read = Configuration::new();
        read.add_file("printed", &printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        for (key, value, _) in given().iter() {
            assert!(read.iter().any(|(other, same, _)| other == key && same == value), "{key}: {printed}");
        }
    }

    #[test]
    fn only_what_is_known_to_be_no_secret_is_shown() {
        for key in ["parallelism.default", "rest.port", "execution.checkpointing.dir"] {
            assert_eq!(shown(key, "value"), "value", "{key}");
        }
        for key in ["security.token", "s3.secret-key", "of-tomorrow.thing", "rest.password", "security.kerberos"] {
            assert_eq!(shown(key, "canary"), "'******'", "{key}");
            let origin = Origin::Argument(format!("-D{key}=canary"));
            assert!(!without_value(key, &origin).contains("canary"));
        }
    }

    #[test]
    fn values_are_quoted_where_yaml_would_take_them_for_something_else() {
        for (value, written) in
            [("10 s", "10 s"), ("", ""), ("a: b", "'a: b'"), ("#x", "'#x'"), ("null", "'null'"), ("-1", "'-1'"), ("a\nb", "\"a\\nb\"")]
        {
            assert_eq!(yaml(value), written);
        }
    }
}
