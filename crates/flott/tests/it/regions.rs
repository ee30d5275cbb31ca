//! Pipelines of one job that exchange nothing fail apart from each other.

use crate::support::{assert_says, end_of, env, restarts};
use flott::{
    Batch, BoxError, StreamExecutionEnvironment,
    config::{FailoverStrategy, options},
    sink::{Committer, Sink, SinkWriter, WriterContext},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
};

/// Counts how often it was opened, and fails once if it is told to.
#[derive(Clone, Default)]
struct Counting {
    opened: Arc<AtomicU32>,
    fails: Arc<AtomicBool>,
}

impl Sink<i64> for Counting {
    type Committable = ();
    type WriterState = ();

    fn create_writer(&self, _: &WriterContext, _: Vec<()>) -> Result<Box<dyn SinkWriter<i64, (), ()>>, BoxError> {
        self.opened.fetch_add(1, SeqCst);
        Ok(Box::new(self.clone()))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<()>>>, BoxError> {
        Ok(None)
    }
}

impl SinkWriter<i64, (), ()> for Counting {
    fn write(&mut self, _: Batch<i64>) -> Result<(), BoxError> {
        if self.fails.swap(false, SeqCst) { Err("only once".into()) } else { Ok(()) }
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A pipeline with an exchange and `parallelism` sinks; another of the same form, which fails once.
fn two_pipelines(env: &StreamExecutionEnvironment) -> (Counting, Counting) {
    let (sound, failing) = (Counting::default(), Counting::default());
    failing.fails.store(true, SeqCst);
    env.from_sequence(1, 100).rebalance().map(|n| n).sink_to(sound.clone());
    env.from_sequence(1, 100).rebalance().map(|n| n).sink_to(failing.clone()).name("failing");
    (sound, failing)
}

#[test]
fn a_failure_restarts_its_own_region_alone() {
    let env = env(2);
    restarts(&env, 3);
    let (sound, failing) = two_pipelines(&env);
    let result = end_of(&env.execute_async("regions").unwrap()).unwrap();
    assert_eq!(result.restarts, 1);
    assert_eq!(sound.opened.load(SeqCst), 2, "the sound pipeline was not touched");
    assert_eq!(failing.opened.load(SeqCst), 4, "both subtasks of the failing pipeline were started again");
}

#[test]
fn with_the_full_strategy_everything_is_started_again() {
    let env = env(2);
    restarts(&env, 3);
    env.set(&options::FAILOVER_STRATEGY, FailoverStrategy::Full);
    // Never finishes before the failure: it waits for it.
    let (sound, failing) = (Counting::default(), Counting::default());
    failing.fails.store(true, SeqCst);
    let failed = failing.fails.clone();
    let wait = move |n: i64| {
        while failed.load(SeqCst) {
            std::thread::yield_now();
        }
        n
    };
    env.from_sequence(1, 100).map(wait).rebalance().map(|n| n).sink_to(sound.clone());
    env.from_sequence(1, 100).rebalance().map(|n| n).sink_to(failing.clone());
    let result = end_of(&env.execute_async("full").unwrap()).unwrap();
    assert_eq!(result.restarts, 1);
    assert_eq!((sound.opened.load(SeqCst), failing.opened.load(SeqCst)), (4, 4));
}

#[test]
fn chained_pipelines_are_a_region_for_each_subtask() {
    let env = env(3);
    restarts(&env, 1);
    let counting = Counting::default();
    counting.fails.store(true, SeqCst);
    env.from_sequence(1, 99).sink_to(counting.clone());
    assert_eq!(end_of(&env.execute_async("chained").unwrap()).unwrap().restarts, 1);
    assert_eq!(counting.opened.load(SeqCst), 4);
}

#[test]
fn a_failure_without_restarts_ends_the_other_pipelines_too() {
    let env = env(2);
    let endless = crate::support::endless(&env, 100.0);
    endless.rebalance().discard();
    let (_, _) = two_pipelines(&env);
    let message = end_of(&env.execute_async("no restarts").unwrap()).unwrap_err().to_string();
    assert_says(&message, &["operator `failing`", "only once"]);
}
