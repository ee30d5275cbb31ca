//! The coordinator alone: what a checkpoint and a restart cost it, and how that grows with the job. Run by
//! `cargo xtask bench coordinator`.

mod driver;

use driver::{Cost, Driver, Shape, Size};
use std::time::Duration;

const SIZES: [Size; 3] = [
    Size { subtasks: 100, task_managers: 10 },
    Size { subtasks: 1_000, task_managers: 100 },
    Size { subtasks: 10_000, task_managers: 1_000 },
];
/// Checkpoints of each job; the median is shown.
const CHECKPOINTS: usize = 20;
/// Losses of a TaskManager.
const LOSSES: u32 = 5;

/// What is shown of one job.
struct Row {
    subtasks: u32,
    task_managers: u32,
    start: Cost,
    checkpoint: Cost,
    one_lost: Cost,
    all_lost: Cost,
    end: Cost,
}

fn main() {
    let largest = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(u32::MAX);
    for (shape, name) in
        [(Shape::AllToAll, "two vertices, all to all"), (Shape::Pipelined, "two vertices, pipelined: a region for each pair")]
    {
        println!("{name}");
        println!(
            "{:>9} {:>6} | {:>12} {:>12} | {:>12} {:>12} | {:>12} {:>9} {:>10} | {:>12} | {:>9}",
            "subtasks",
            "TMs",
            "start, ms",
            "messages",
            "chkpt, ms",
            "messages",
            "1 TM lost, ms",
            "messages",
            "delay, ms",
            "all lost, ms",
            "end, ms"
        );
        let mut before: Option<Row> = None;
        for size in SIZES.into_iter().filter(|size| size.subtasks <= largest) {
            let row = run(shape, size);
            row.print(before.as_ref());
            before = Some(row);
        }
        println!();
    }
}

fn run(shape: Shape, size: Size) -> Row {
    let mut driver = Driver::new(shape, size, cpu_time);
    let start = driver.start(size);
    let mut checkpoints: Vec<Cost> = (0..CHECKPOINTS).map(|_| driver.checkpoint()).collect();
    let mut losses = Vec::new();
    for loss in 0..LOSSES {
        // A minute without losses, so that the restart is at once.
        for _ in 0..61 * u32::from(loss > 0 && size.subtasks <= 1_000) {
            driver.checkpoint();
        }
        losses.push(driver.lose(loss..loss + 1, true));
        driver.checkpoint();
    }
    let all_lost = driver.lose(0..size.task_managers + 1, true);
    driver.checkpoint();
    let end = driver.cancel();
    assert_eq!(driver.alive(), 0, "all tasks have ended");
    assert!(driver.outcome.is_some(), "the job has ended");
    Row {
        subtasks: size.subtasks,
        task_managers: size.task_managers,
        start,
        checkpoint: median(&mut checkpoints),
        one_lost: median(&mut losses),
        all_lost,
        end,
    }
}

fn median(costs: &mut [Cost]) -> Cost {
    costs.sort_by_key(|cost| cost.spent);
    costs[costs.len() / 2]
}

impl Row {
    fn print(&self, before: Option<&Row>) {
        let ms = |cost: &Cost| cost.spent as f64 / 1e6;
        println!(
            "{:>9} {:>6} | {:>12.3} {:>12} | {:>12.3} {:>12} | {:>12.3} {:>9} {:>10} | {:>12.3} | {:>9.3}",
            self.subtasks,
            self.task_managers,
            ms(&self.start),
            self.start.messages(),
            ms(&self.checkpoint),
            self.checkpoint.messages(),
            ms(&self.one_lost),
            self.one_lost.messages(),
            self.one_lost.time.as_millis(),
            ms(&self.all_lost),
            ms(&self.end),
        );
        let Some(before) = before else { return };
        let grew = |of: fn(&Row) -> u64| of(self) as f64 / of(before).max(1) as f64;
        println!(
            "{:>9} {:>6} | {:>11.1}x {:>11.1}x | {:>11.1}x {:>11.1}x | {:>11.1}x {:>8.1}x {:>10} | {:>11.1}x | {:>8.1}x",
            "10x",
            "10x",
            grew(|row| row.start.spent),
            grew(|row| row.start.messages()),
            grew(|row| row.checkpoint.spent),
            grew(|row| row.checkpoint.messages()),
            grew(|row| row.one_lost.spent),
            grew(|row| row.one_lost.messages()),
            "",
            grew(|row| row.all_lost.spent),
            grew(|row| row.end.spent),
        );
    }
}

/// The CPU time of this thread, in ns.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_nanos()).unwrap_or(u64::MAX)
}
