//! Names, uids and numbers of subtasks, and what is refused of them.

use crate::support::{assert_says, collect, env};
use flott::{DataStream, ErrorKind, prelude::*};

fn refused<T: flott::Data>(stream: &DataStream<T>) -> String {
    let error = stream.execute_and_collect("test").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

#[test]
fn a_uid_that_two_operators_have_is_refused_with_both_places() {
    let numbers = env(1).from_sequence(1, 3).map(|n| n).name("one").uid("same");
    let first = line!() - 1;
    let message = refused(&numbers.filter(|_| true).name("two").uid("same"));
    let second = line!() - 1;
    let (first, second) =
        (format!("`one` (crates/flott/tests/it/naming.rs:{first})"), format!("`two` (crates/flott/tests/it/naming.rs:{second})"));
    assert_says(&message, &["two operators have the uid `same`", &first, &second, "give each its own"]);
}

#[test]
fn a_property_behind_a_union_or_partitioner_is_refused() {
    let numbers = || env(1).from_sequence(1, 3);
    for (stream, method) in [
        (numbers().union(&numbers()).name("x"), "a union of streams of two environments"),
        (numbers().rebalance().name("x"), "`name` at crates/flott/tests/it/naming.rs:"),
        (numbers().broadcast().parallelism(2), "`parallelism` at crates/flott/tests/it/naming.rs:"),
        (numbers().global().uid("x"), "`uid` at crates/flott/tests/it/naming.rs:"),
        (numbers().shuffle().start_new_chain(), "`start_new_chain` at crates/flott/tests/it/naming.rs:"),
    ] {
        assert_says(&refused(&stream), &[method]);
    }
    let stream = numbers();
    let message = refused(&stream.union(&stream).max_parallelism(3));
    assert_says(
        &message,
        &["`max_parallelism` at ", "follows a partitioner or a union, which is no operator: call it right behind the operator"],
    );
}

#[test]
fn parallelisms_that_no_job_can_have_are_refused_with_the_operator() {
    let numbers = || env(1).from_sequence(1, 3).map(|n| n).name("mine");
    assert_says(&refused(&numbers().parallelism(0)), &["operator `mine` (", "naming.rs:", "has parallelism 0; it must be from 1 to"]);
    assert_says(&refused(&numbers().max_parallelism(2).parallelism(3)), &["`mine`", "parallelism 3", "its maximum parallelism of 2"]);
    assert_says(&refused(&numbers().max_parallelism(0)), &["`mine`", "maximum parallelism 0; it must be from 1 to 32768"]);
    assert_says(&refused(&numbers().max_parallelism(32_769)), &["`mine`", "maximum parallelism 32769"]);
    assert_eq!(collect(&numbers().max_parallelism(2).parallelism(2)).len(), 3);
}

#[test]
fn parallelisms_of_the_environment_that_no_job_can_have_are_refused_with_their_place() {
    let zero = env(0);
    assert_says(&refused(&zero.from_sequence(1, 3)), &["option `parallelism.default` is `0` (", "support.rs:", "must be"]);
    let above = env(3);
    above.set_max_parallelism(2);
    assert_says(&refused(&above.from_sequence(1, 3)), &["`Source: Sequence Source`", "parallelism 3", "maximum parallelism of 2"]);
    let max = env(1);
    max.set_max_parallelism(40_000);
    assert_says(&refused(&max.from_sequence(1, 3)), &["option `pipeline.max-parallelism` is `40000` (", "naming.rs:"]);
}

#[test]
fn the_last_of_several_names_counts_and_names_need_not_differ() {
    let numbers = env(1).from_sequence(1, 3).name("a").name("b").map(|n| n).name("b");
    let plan = numbers.environment().execution_plan("plan").unwrap();
    assert_eq!(plan.vertices[0].name, "b -> b");
    assert_eq!(collect(&numbers).len(), 3);
}

#[test]
fn names_may_hold_anything() {
    for name in ["", " ", "a\u{0}b", "ü 漢字 \"quoted\" -> (x)", &"long ".repeat(1000)] {
        let numbers = env(2).from_sequence(1, 3).name(name).uid(name).rebalance().map(|n| n).name(name);
        assert_eq!(collect(&numbers).len(), 3, "{name:?}");
    }
}

#[test]
fn the_job_is_called_as_execute_says_unless_the_configuration_does() {
    let env = env(1);
    env.from_sequence(1, 3).discard();
    assert_eq!(env.execution_plan("by the program").unwrap().name, "by the program");
    env.set(&options::PIPELINE_NAME, Some("by the operator".to_owned()));
    let client = env.execute_async("by the program").unwrap();
    assert_eq!(client.overview().unwrap().name, "by the operator");
    crate::support::end_of(&client).unwrap();
}
