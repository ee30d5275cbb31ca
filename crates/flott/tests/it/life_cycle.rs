//! From the start of a job to its end, and behind it.

use crate::support::{assert_exactly_once, assert_says, cancel, checkpointed, collect, counted, end_of, endless, env, eventually, numbers};
use flott::{ErrorKind, JobStatus, TaskStatus, prelude::*};

#[test]
fn a_running_job_is_cancelled_and_then_refuses_everything() {
    let env = env(2);
    endless(&env, 10_000.0).key_by(|n| n % 10).sum(|n| n).discard();
    let client = env.execute_async("endless").unwrap();
    eventually("all tasks run", || client.overview().unwrap().tasks.iter().all(|(_, status)| *status == TaskStatus::Running));
    assert_eq!(client.status().unwrap(), JobStatus::Running);
    cancel(&client);
    assert_eq!(client.status().unwrap(), JobStatus::Canceled);
    assert!(
        client.overview().unwrap().tasks.iter().all(|(_, status)| *status == TaskStatus::Canceled),
        "{:?}",
        client.overview().unwrap().tasks
    );
    let error = end_of(&client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_says(&error.to_string(), &["was cancelled", &client.job_id().to_string()]);
    for error in [
        client.cancel().unwrap_err(),
        client.trigger_checkpoint().unwrap_err(),
        client.trigger_savepoint(None).unwrap_err(),
        client.stop_with_savepoint(true, None).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_says(&error.to_string(), &["has ended"]);
    }
}

#[test]
fn a_job_that_has_finished_can_be_asked_about_for_ever() {
    let env = env(3);
    env.from_sequence(1, 1000).rebalance().discard();
    let client = env.execute_async("short").unwrap();
    for _ in 0..3 {
        let result = end_of(&client).unwrap();
        assert_eq!(result.job, client.job_id());
        assert_eq!(result.restarts, 0);
    }
    let overview = client.overview().unwrap();
    assert_eq!((overview.status, overview.name.as_str(), overview.tasks.len()), (JobStatus::Finished, "short", 6));
    assert!(overview.tasks.iter().all(|(_, status)| *status == TaskStatus::Finished), "{:?}", overview.tasks);
    assert!(overview.failures.is_empty());
    assert_says(&client.cancel().unwrap_err().to_string(), &["has ended"]);
}

#[test]
fn a_failed_job_keeps_its_failure() {
    let env = env(1);
    env.from_sequence(1, 10).map(|n| 10 / (n - 4)).name("divide").discard();
    let client = env.execute_async("failing").unwrap();
    end_of(&client).unwrap_err();
    let overview = client.overview().unwrap();
    assert_eq!(overview.status, JobStatus::Failed);
    assert_eq!(overview.failures.len(), 1);
    assert_eq!(overview.failures[0].operator, "divide");
    assert!(overview.failures[0].panicked);
    assert_eq!(end_of(&client).unwrap_err().to_string(), end_of(&client).unwrap_err().to_string());
}

#[test]
fn a_job_can_be_cancelled_at_any_moment() {
    for moment in 0..30u32 {
        let dir = tempfile::tempdir().unwrap();
        let env = checkpointed(2, &dir);
        endless(&env, 100_000.0).key_by(|n| n % 100).sum(|n| n).rebalance().discard();
        let client = env.execute_async("endless").unwrap();
        (0..moment * moment * 100).for_each(|_| std::hint::spin_loop());
        cancel(&client);
    }
}

#[test]
fn jobs_end_also_while_checkpoints_come_thick_and_fast() {
    // Many at once, so that each is interrupted wherever it may be.
    let jobs = (0..12).map(|_| {
        std::thread::spawn(|| {
            let dir = tempfile::tempdir().unwrap();
            for _ in 0..10 {
                let env = checkpointed(2, &dir);
                env.enable_checkpointing(Duration::from_millis(1));
                assert_exactly_once(&collect(&counted(&numbers(&env, 300, 1e6), 10)), 10, 300);
            }
        })
    });
    jobs.collect::<Vec<_>>().into_iter().for_each(|job| job.join().unwrap());
}

#[test]
fn a_job_whose_tasks_wait_for_each_other_can_be_cancelled() {
    let env = env(2);
    env.set(&flott::config::options::EXCHANGE_QUEUE_BATCHES, 1);
    let slow = |n: u64| {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
        n
    };
    endless(&env, 1e9).rebalance().map(slow).global().map(|n| n).discard();
    let client = env.execute_async("back-pressured").unwrap();
    eventually("senders wait", || client.figures().unwrap().iter().any(|task| task.task["accumulateBackPressuredTimeMs"] > 0));
    cancel(&client);
}

#[test]
fn results_that_nobody_reads_do_not_hold_back_a_job() {
    let stream = env(2).from_sequence(1, 200_000);
    let results = stream.execute_and_collect("unread").unwrap();
    let client = results.client().clone();
    end_of(&client).unwrap();
    drop(results);
    let dropped = env(2).from_sequence(1, 200_000).execute_and_collect("dropped").unwrap();
    let client = dropped.client().clone();
    drop(dropped);
    end_of(&client).unwrap();
}

#[test]
fn the_client_can_be_dropped_and_the_job_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let env = env(1);
    env.from_sequence(1, 1000).sink_to(flott::connector::file::FileSink::text(dir.path()));
    drop(env.execute_async("unobserved").unwrap());
    drop(env);
    eventually("the result is there", || {
        std::fs::read_to_string(dir.path().join("part-0-0")).is_ok_and(|text| text.lines().count() == 1000)
    });
}

#[test]
fn several_jobs_run_side_by_side() {
    let jobs: Vec<_> =
        (0..8).map(|job| env(2).from_sequence(0, 4999).map(move |n| n + job).execute_and_collect("one of many").unwrap()).collect();
    for (job, results) in jobs.into_iter().enumerate() {
        let sum: i64 = crate::support::within("a job", move || results.map(|n| n.unwrap()).sum());
        assert_eq!(sum, 4999 * 2500 + 5000 * job as i64);
    }
}

#[test]
fn requests_from_many_threads_are_all_answered() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    endless(&env, 10_000.0).key_by(|n| n % 10).sum(|n| n).discard();
    let client = env.execute_async("asked").unwrap();
    let taken: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || (client.overview().unwrap().status, client.trigger_checkpoint().unwrap().checkpoint))
        })
        .collect();
    for thread in taken {
        crate::support::within("a request", move || thread.join().unwrap());
    }
    cancel(&client);
}
