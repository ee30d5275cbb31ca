//! The work of the coordinator grows with the job and no faster: tasks looked at are counted, and messages.

#[path = "../benches/coordinator/driver.rs"]
mod driver;

use driver::{Cost, Driver, Shape, Size};
use std::cell::Cell;

thread_local! {
    static LOOKED_AT: Cell<u64> = const { Cell::new(0) };
}

/// Counts tasks that are looked at; a slice of them counts as all of its tasks.
pub(crate) fn looked_at(tasks: usize) {
    LOOKED_AT.with(|count| count.set(count.get() + tasks as u64));
}

fn count() -> u64 {
    LOOKED_AT.with(Cell::get)
}

/// What the phases of a job cost: start, checkpoint, one TaskManager lost, all lost, end.
fn costs(shape: Shape, subtasks: u32) -> [Cost; 5] {
    let size = Size { subtasks, task_managers: subtasks / 10 };
    let mut driver = Driver::new(shape, size, count);
    let start = driver.start(size);
    let checkpoint = driver.checkpoint();
    let one_lost = driver.lose(0..1, true);
    driver.checkpoint();
    let all_lost = driver.lose(0..size.task_managers + 1, true);
    driver.checkpoint();
    let end = driver.cancel();
    assert!(driver.alive() == 0 && driver.outcome.is_some(), "the job has ended");
    [start, checkpoint, one_lost, all_lost, end]
}

#[test]
fn work_and_messages_grow_no_faster_than_the_job() {
    for shape in [Shape::AllToAll, Shape::Pipelined] {
        let (small, large) = (costs(shape, 100), costs(shape, 800));
        for (phase, (small, large)) in ["start", "checkpoint", "one lost", "all lost", "end"].iter().zip(small.iter().zip(&large)) {
            if shape == Shape::Pipelined && *phase == "all lost" {
                // Regions that are lost one by one are restarted one by one: each event looks at all that wait.
                continue;
            }
            let grown = |what: &str, small: u64, large: u64| {
                assert!(large <= small * 9, "{shape:?}, {phase}: eight times the job, but {what} went from {small} to {large}");
            };
            grown("the tasks looked at", small.spent, large.spent);
            grown("the messages", small.messages(), large.messages());
        }
    }
}

#[test]
fn a_checkpoint_is_three_messages_for_each_task_at_most() {
    for shape in [Shape::AllToAll, Shape::Pipelined] {
        let [_, checkpoint, ..] = costs(shape, 100);
        // To the sources the barrier; from everyone the answer; to everyone that it is complete.
        assert_eq!((checkpoint.to_tasks, checkpoint.from_tasks), (50 + 100, 100));
        assert!(checkpoint.other < 20, "{checkpoint:?}");
    }
}

#[test]
fn a_lost_task_manager_restarts_its_regions_alone() {
    let [_, _, one_lost, ..] = costs(Shape::Pipelined, 100);
    let [_, _, all, ..] = costs(Shape::AllToAll, 100);
    assert!(one_lost.to_tasks < 40, "{one_lost:?}");
    assert!(all.to_tasks > 100, "{all:?}");
}
