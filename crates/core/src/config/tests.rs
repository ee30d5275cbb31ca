use super::super::{MemorySize, RestartStrategyType, RuntimeMode, options::*};
use super::*;
use crate::Error;
use std::{collections::BTreeSet, time::Duration};

fn file(text: &str) -> Result<Configuration, ConfigError> {
    let mut configuration = Configuration::new();
    let unknown = configuration.add_file("conf/config.yaml", text)?;
    assert!(unknown.is_empty(), "{unknown:?}");
    Ok(configuration)
}

fn message<T: std::fmt::Debug>(result: Result<T, ConfigError>) -> String {
    result.expect_err("it is wrong").to_string()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn every_default_is_a_value_of_its_option() {
    for option in options::all() {
        assert!(option.accepts(option.default), "{}: `{}` is not {}", option.key, option.default, option.expected());
    }
}

#[test]
fn no_two_options_share_a_key_or_a_variable() {
    let keys: BTreeSet<&str> = options::all().map(|option| option.key).collect();
    let variables: BTreeSet<String> = options::all().map(OptionInfo::variable).collect();
    assert_eq!(keys.len(), options::all().count());
    assert_eq!(variables.len(), keys.len());
    assert!(!variables.contains(CONF_DIR_VARIABLE));
}

#[test]
fn defaults_have_their_types() -> Result<(), ConfigError> {
    let configuration = Configuration::new();
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 1);
    assert_eq!(configuration.get(&PIPELINE_NAME)?, None);
    assert_eq!(configuration.get(&PIPELINE_MAX_PARALLELISM)?, None);
    assert_eq!(configuration.get(&EXECUTION_RUNTIME_MODE)?, RuntimeMode::Streaming);
    assert_eq!(configuration.get(&CHECKPOINTING_INTERVAL)?, None);
    assert_eq!(configuration.get(&CHECKPOINTING_TIMEOUT)?, Duration::from_secs(600));
    assert_eq!(configuration.get(&CHECKPOINTING_DATA_INLINE_THRESHOLD)?, MemorySize(20 * 1024));
    assert_eq!(configuration.get(&RESTART_STRATEGY_TYPE)?, None);
    assert_eq!(configuration.get(&RESTART_EXPONENTIAL_ATTEMPTS)?, None);
    assert_eq!(configuration.get(&RESTART_EXPONENTIAL_BACKOFF_MULTIPLIER)?, 1.5);
    Ok(())
}

#[test]
fn the_stronger_origin_wins_in_any_order() -> Result<(), ConfigError> {
    let key = PARALLELISM_DEFAULT.key();
    let mut configuration = Configuration::new();
    configuration.add_arguments(strings(&["-Dparallelism.default=4"]))?;
    configuration.add_variables([("FLOTT_PARALLELISM_DEFAULT", "3"), ("PATH", "/bin")])?;
    configuration.add_file("config.yaml", "parallelism.default: 2")?;
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 4);
    assert_eq!(configuration.origin(key), Origin::Argument("-Dparallelism.default=4".to_owned()));
    configuration.set(&PARALLELISM_DEFAULT, 5);
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 5);
    configuration.add_arguments(strings(&["-Dparallelism.default=6"]))?;
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 5);
    assert!(matches!(configuration.origin(key), Origin::Code(location) if location.contains("tests.rs:")));
    assert_eq!(configuration.origin(PIPELINE_NAME.key()), Origin::Default);
    Ok(())
}

#[test]
fn of_two_values_of_one_strength_the_later_wins() -> Result<(), ConfigError> {
    let mut configuration = Configuration::new();
    configuration.add_arguments(strings(&["-Dpipeline.name=a", "-D", "pipeline.name=b=c"]))?;
    assert_eq!(configuration.get(&PIPELINE_NAME)?.as_deref(), Some("b=c"));
    configuration.merge(&file("pipeline.name: weaker\nparallelism.default: 7")?);
    assert_eq!(configuration.get(&PIPELINE_NAME)?.as_deref(), Some("b=c"));
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 7);
    Ok(())
}

#[test]
fn arguments_of_the_program_are_returned() -> Result<(), ConfigError> {
    let mut configuration = Configuration::new();
    let arguments = strings(&["--input", "x", "-D", "parallelism.default=2", "-d", "--", "-Dnot=mine"]);
    assert_eq!(configuration.add_arguments(arguments)?, strings(&["--input", "x", "-d", "--", "-Dnot=mine"]));
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 2);
    Ok(())
}

#[test]
fn a_file_sets_typed_values() -> Result<(), ConfigError> {
    let configuration = file(
        "execution:\n  checkpointing:\n    interval: 10s\n    num-retained: 3\nrestart-strategy.type: off\nexecution.runtime-mode: \
         batch\npipeline:\nsink:\n  committer:\n",
    )?;
    assert_eq!(configuration.get(&CHECKPOINTING_INTERVAL)?, Some(Duration::from_secs(10)));
    assert_eq!(configuration.get(&CHECKPOINTING_NUM_RETAINED)?, 3);
    assert_eq!(configuration.get(&RESTART_STRATEGY_TYPE)?, Some(RestartStrategyType::None));
    assert_eq!(configuration.get(&EXECUTION_RUNTIME_MODE)?, RuntimeMode::Batch);
    assert_eq!(configuration.iter().count(), 4);
    Ok(())
}

#[test]
fn null_unsets_an_option_that_may_be_none() -> Result<(), ConfigError> {
    let configuration = file("pipeline.max-parallelism: ~\nexecution.checkpointing.interval:\n")?;
    assert_eq!(configuration.get(&CHECKPOINTING_INTERVAL)?, None);
    assert!(message(file("parallelism.default: ~")).contains("must be a whole number"));
    Ok(())
}

#[test]
fn an_unknown_key_of_a_file_is_passed_over_and_named_with_the_nearest_known_one() -> Result<(), ConfigError> {
    let mut configuration = Configuration::new();
    let text = "parallelism.default: 3\nparalelism:\n  default: canary\nyarn.application.queue: canary\n";
    let unknown: Vec<String> = configuration.add_file("conf/config.yaml", text)?.iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        [
            "unknown option `paralelism.default` (conf/config.yaml:3); did you mean `parallelism.default`?",
            "unknown option `yarn.application.queue` (conf/config.yaml:4)"
        ]
    );
    assert_eq!(configuration.get(&PARALLELISM_DEFAULT)?, 3);
    assert_eq!(configuration.iter().count(), 1);
    Ok(())
}

#[test]
fn an_unknown_key_of_an_argument_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        message(Configuration::new().add_arguments(strings(&["-D", "checkpointing.mode=x"]))),
        "unknown option `checkpointing.mode` (argument `-D checkpointing.mode=******`); did you mean `execution.checkpointing.mode`?"
    );
}

#[test]
fn an_unknown_variable_is_passed_over_and_named_and_others_are_not_ours() -> Result<(), ConfigError> {
    let mut configuration = Configuration::new();
    configuration.add_variables([(CONF_DIR_VARIABLE, "/etc/flott"), ("HOME", "/root")])?;
    assert_eq!(configuration, Configuration::new());
    let unknown = configuration.add_variables([("FLOTT_PARALELISM_DEFAULT", "2"), ("FLOTT_PIPELINE_NAME", "mine")])?;
    let [unknown] = &unknown.iter().map(ToString::to_string).collect::<Vec<_>>()[..] else { panic!("{unknown:?}") };
    assert!(unknown.contains("`FLOTT_PARALELISM_DEFAULT`") && unknown.contains("did you mean `FLOTT_PARALLELISM_DEFAULT`?"), "{unknown}");
    assert_eq!(configuration.get(&PIPELINE_NAME)?.as_deref(), Some("mine"));
    Ok(())
}

#[test]
fn a_wrong_value_is_refused_where_it_is_read() {
    assert_eq!(
        message(file("parallelism.default: many")),
        "option `parallelism.default` is `many` (conf/config.yaml:1), but must be a whole number, from 1 to 32768"
    );
    assert_eq!(
        message(Configuration::new().add_variables([("FLOTT_EXECUTION_RUNTIME_MODE", "stream")])),
        "option `execution.runtime-mode` is `stream` (environment variable `FLOTT_EXECUTION_RUNTIME_MODE`), but must be one of \
         `STREAMING`, `BATCH`, `AUTOMATIC`"
    );
    let error = message(file("execution.checkpointing.interval: 10 parsecs"));
    assert!(error.ends_with("must be a duration such as `10 s`, `500 ms` or `1 min` (a number alone is ms), at least 1 ms"), "{error}");
    assert!(message(file("execution.checkpointing.interval: 0")).contains("at least 1 ms"));
    assert!(message(file("parallelism.default: 0")).contains("from 1"));
}

#[test]
fn a_value_out_of_range_that_code_sets_is_refused_when_it_is_read() {
    let mut configuration = Configuration::new();
    configuration.set(&PARALLELISM_DEFAULT, 0);
    let error = message(configuration.get(&PARALLELISM_DEFAULT));
    assert!(error.starts_with("option `parallelism.default` is `0` (code at ") && error.contains("tests.rs:"), "{error}");
}

#[test]
fn an_option_given_twice_in_a_file_is_refused() {
    assert_eq!(
        message(file("parallelism.default: 2\nparallelism:\n  default: 3\n")),
        "conf/config.yaml:3: option `parallelism.default` has a value already, in line 1; remove one"
    );
}

#[test]
fn an_argument_without_a_value_is_refused() {
    for arguments in [&["-Dparallelism.default"][..], &["-D"], &["-D", "x"]] {
        let error = message(Configuration::new().add_arguments(strings(arguments)));
        assert!(error.contains("is not of the form `-Dkey=value`"), "{error}");
    }
}

#[test]
fn the_public_error_shows_what_is_wrong() {
    let error = Error::from(file("parallelism.default: x").expect_err("it is wrong"));
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    assert!(error.to_string().contains("conf/config.yaml:1"), "{error}");
}

#[test]
fn a_configuration_travels_with_its_origins() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut configuration = file("parallelism.default: 2")?;
    configuration.set(&PIPELINE_NAME, Some("words".to_owned()));
    let copy: Configuration = crate::codec::decode(&crate::codec::encode(&configuration)?)?;
    assert_eq!(copy, configuration);
    Ok(())
}

#[test]
fn a_secret_is_given_out_by_get_alone() -> Result<(), ConfigError> {
    let configuration = file("security.token: canary\nparallelism.default: 2")?;
    assert_eq!(configuration.get(&SECURITY_TOKEN)?.unwrap().expose(), "canary");
    let listed: Vec<(&str, &str)> = configuration.iter().map(|(key, value, _)| (key, value)).collect();
    assert_eq!(listed, [("parallelism.default", "2"), ("security.token", "******")]);
    assert!(!format!("{configuration:?}").contains("canary"));
    let error = message(Configuration::new().add_variables([("FLOTT_SECURITY_TOKEN", "can ary")]));
    assert!(error.contains("`******`") && !error.contains("ary`"), "{error}");
    let job = configuration.of_job();
    assert_eq!((job.get(&SECURITY_TOKEN)?, job.get(&PARALLELISM_DEFAULT)?), (None, 2));
    Ok(())
}

#[test]
fn a_secret_must_not_be_an_argument() {
    let error = message(Configuration::new().add_arguments(strings(&["-Dsecurity.token=canary"])));
    assert!(error.contains("`FLOTT_SECURITY_TOKEN`") && !error.contains("canary"), "{error}");
}

#[test]
fn what_is_effective_has_defaults_and_what_was_given_elsewhere() -> Result<(), ConfigError> {
    let mut configuration = file("parallelism.default: 2\nrest.port: 0\nsecurity.token: canary")?;
    configuration.set(&PIPELINE_NAME, Some("words".to_owned()));
    let effective = configuration.effective(Scope::Job);
    let of = |wanted: &str| effective.iter().find(|(key, ..)| *key == wanted).map(|(_, value, origin)| (*value, origin.to_string()));
    assert_eq!(of("parallelism.default"), Some(("2", "conf/config.yaml:1".to_owned())));
    assert_eq!(of("restart-strategy.fixed-delay.attempts"), Some(("1", "default".to_owned())));
    assert_eq!(of("rest.port"), Some(("0", "conf/config.yaml:2".to_owned())), "it was given, though to nobody who reads it");
    assert_eq!(of("security.token").map(|(value, _)| value), Some("******"));
    assert!(of("pipeline.name").is_some_and(|(value, origin)| value == "words" && origin.starts_with("code at ")));
    assert_eq!(of("heartbeat.interval"), None, "a default that concerns another");
    Ok(())
}

#[test]
fn where_a_variable_has_its_value_from_can_be_told() -> Result<(), ConfigError> {
    let mut configuration = file("pipeline.name: words")?;
    configuration.add_variables([("FLOTT_PARALLELISM_DEFAULT", "3")])?;
    let argument = Origin::Argument("-p 3".to_owned());
    let origins = ["parallelism.default", "pipeline.name"].map(|key| (key.to_owned(), argument.clone()));
    configuration.came_from(&BTreeMap::from(origins));
    assert_eq!(configuration.origin("parallelism.default"), argument);
    assert!(matches!(configuration.origin("pipeline.name"), Origin::File { .. }), "the variable is not where this is from");
    Ok(())
}

#[test]
fn every_option_concerns_someone() {
    let of_clients = ["security.token", "security.token.file"];
    for option in options::all() {
        let concerned = [Scope::Job, Scope::JobManager, Scope::TaskManager].iter().any(|scope| options::concerns(option.key, *scope));
        assert_eq!(concerned, !of_clients.contains(&option.key), "{}", option.key);
    }
}
