//! Rates of counters. Tasks only count; dashboards and autoscalers want "per second". The worker says when it has read the counters, so
//! that neither the way to the JobManager nor when somebody looks makes a difference.

use flott_core::{id::SubtaskId, metrics::names};
use flott_rpc::figures::TaskFigures;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// The time over which a rate is taken, if the task has run for so long: two intervals of workers.
const WINDOW: Duration = Duration::from_secs(2);
/// The least time over which one is taken. Tasks that end report out of turn.
const SHORTEST: Duration = Duration::from_millis(500);

/// Counters, and what Flink calls their rates.
const RATES: [(&str, &str); 7] = [
    (names::NUM_RECORDS_IN, "numRecordsInPerSecond"),
    (names::NUM_RECORDS_OUT, "numRecordsOutPerSecond"),
    (names::NUM_BYTES_IN, "numBytesInPerSecond"),
    (names::NUM_BYTES_OUT, "numBytesOutPerSecond"),
    (names::BUSY_TIME, "busyTimeMsPerSecond"),
    (names::IDLE_TIME, "idleTimeMsPerSecond"),
    (names::BACK_PRESSURED_TIME, "backPressuredTimeMsPerSecond"),
];

/// Of [`RATES`], how many at its end are times, ms.
const TIMES: usize = 3;
/// By how much a time may step back in one run, ms: a wait that a task had just begun when it was looked at counts as work until the task
/// has noted it.
const STEP_BACK: i64 = 100;

/// What a task and its operators do each second, by Flink's names. Empty until the task has reported twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskRates {
    /// Of the task.
    pub task: BTreeMap<&'static str, f64>,
    /// Of its operators, in the order of the chain.
    pub operators: Vec<BTreeMap<&'static str, f64>>,
    /// Records that it sends into each edge, by the edge's place in the graph.
    pub edges: BTreeMap<u32, f64>,
}

/// By the place in [`RATES`].
type Counters = [Option<i64>; RATES.len()];

/// What a task had counted at a time.
#[derive(Debug)]
struct Reading {
    at: Duration,
    task: Counters,
    operators: Vec<Counters>,
    edges: BTreeMap<u32, u64>,
}

impl Reading {
    fn of(figures: &TaskFigures) -> Self {
        Reading {
            at: Duration::from_millis(figures.read_at_ms),
            task: counters(&figures.task),
            operators: figures.operators.iter().map(|(_, operator)| counters(operator)).collect(),
            edges: figures.edges.clone(),
        }
    }

    /// Whether it cannot be of the same run as one before: a task that is started again counts from 0.
    fn is_another_run(&self, before: &Reading) -> bool {
        let all = |reading: &Reading| [&[reading.task], &reading.operators[..]].concat();
        let (now, before) = (all(self), all(before));
        now.len() != before.len() || now.iter().zip(&before).any(|(now, before)| has_stepped_back(now, before))
    }
}

/// Whether a counter is lower than it can be in the same run.
fn has_stepped_back(now: &Counters, before: &Counters) -> bool {
    let each = now.iter().zip(before).enumerate();
    let mut back = each.filter_map(|(place, (now, before))| Some((place, before.as_ref()? - now.as_ref()?)));
    back.any(|(place, by)| by > if is_time(place) { STEP_BACK } else { 0 })
}

/// Whether the counter at a place of [`RATES`] is a time.
fn is_time(place: usize) -> bool {
    place >= RATES.len() - TIMES
}

fn counters(figures: &BTreeMap<String, i64>) -> Counters {
    RATES.map(|(counter, _)| figures.get(counter).copied())
}

fn rates(from: &Counters, to: &Counters, seconds: f64) -> BTreeMap<&'static str, f64> {
    let each = RATES.iter().enumerate().zip(from.iter().zip(to));
    let rates = each.filter_map(|((place, (_, name)), (from, to))| {
        let rate = ((to.as_ref()? - from.as_ref()?) as f64 / seconds).max(0.0);
        Some((*name, if is_time(place) { rate.min(1000.0) } else { rate }))
    });
    rates.collect()
}

#[derive(Debug, Default)]
struct Window {
    /// Oldest first.
    readings: VecDeque<Reading>,
    rates: TaskRates,
}

impl Window {
    fn add(&mut self, reading: Reading) {
        match self.readings.back() {
            Some(last) if reading.is_another_run(last) => *self = Window::default(),
            Some(last) if reading.at <= last.at => return,
            _ => {}
        }
        let at = reading.at;
        self.readings.push_back(reading);
        while self.readings.get(1).is_some_and(|second| at.saturating_sub(second.at) >= WINDOW) {
            self.readings.pop_front();
        }
        if let (Some(first), Some(last)) = (self.readings.front(), self.readings.back())
            && last.at.saturating_sub(first.at) >= SHORTEST
        {
            let seconds = (last.at - first.at).as_secs_f64();
            let operators = first.operators.iter().zip(&last.operators).map(|(from, to)| rates(from, to, seconds));
            let edges =
                last.edges.iter().filter_map(|(edge, to)| Some((*edge, to.saturating_sub(*first.edges.get(edge)?) as f64 / seconds)));
            self.rates =
                TaskRates { task: rates(&first.task, &last.task, seconds), operators: operators.collect(), edges: edges.collect() };
        }
    }
}

/// The rates of a worker's tasks.
#[derive(Debug, Default)]
pub(crate) struct Rates(BTreeMap<SubtaskId, Window>);

impl Rates {
    /// The worker has reported: those are all of its tasks.
    pub(crate) fn report(&mut self, tasks: &[TaskFigures]) {
        self.0.retain(|subtask, _| tasks.iter().any(|task| task.subtask == *subtask));
        for task in tasks {
            self.0.entry(task.subtask).or_default().add(Reading::of(task));
        }
    }

    /// The rates of all tasks.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SubtaskId, &TaskRates)> {
        self.0.iter().map(|(subtask, window)| (*subtask, &window.rates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobmanager::testing;

    fn figures(read_at_ms: u64, records: i64) -> TaskFigures {
        TaskFigures {
            task: [(names::NUM_RECORDS_IN.to_owned(), records), ("other".to_owned(), 1)].into(),
            operators: vec![("map".into(), [(names::NUM_RECORDS_OUT.to_owned(), 2 * records)].into())],
            edges: [(4, 3 * records as u64)].into(),
            read_at_ms,
            ..testing::figures(0)
        }
    }

    fn records_in(rates: &Rates) -> Option<f64> {
        rates.all().next().and_then(|(_, rates)| rates.task.get("numRecordsInPerSecond").copied())
    }

    #[test]
    fn a_rate_is_that_of_the_last_two_seconds_by_the_clock_of_the_worker() {
        let mut rates = Rates::default();
        rates.report(&[figures(10_000, 500)]);
        assert_eq!(records_in(&rates), None);
        rates.report(&[figures(11_000, 2500)]);
        assert_eq!(records_in(&rates), Some(2000.0));
        for second in 2..10 {
            // However late it was read.
            let late = second * 37 % 100;
            rates.report(&[figures(10_000 + 1000 * second + late, 500 + 2000 * second as i64 + 2 * late as i64)]);
            assert!((records_in(&rates).unwrap() - 2000.0).abs() < 1e-6);
            assert!((rates.all().next().unwrap().1.edges[&4] - 6000.0).abs() < 1e-6);
        }
        rates.report(&[figures(21_000, 22_500)]);
        rates.report(&[figures(22_000, 22_500)]);
        rates.report(&[figures(23_000, 22_500)]);
        assert_eq!(records_in(&rates), Some(0.0));
        let (_, all) = rates.all().next().unwrap();
        assert_eq!(all.operators, [[("numRecordsOutPerSecond", 0.0)].into()]);
        assert_eq!(all.edges, [(4, 0.0)].into());
    }

    #[test]
    fn a_report_out_of_turn_makes_no_rate_of_its_own() {
        let mut rates = Rates::default();
        rates.report(&[figures(1000, 0)]);
        rates.report(&[figures(1003, 500)]);
        assert_eq!(records_in(&rates), None);
        rates.report(&[figures(1003, 500)]);
        rates.report(&[figures(2000, 1000)]);
        assert_eq!(records_in(&rates), Some(1000.0));
    }

    #[test]
    fn a_task_that_was_started_again_has_no_negative_rate() {
        let mut rates = Rates::default();
        rates.report(&[figures(1000, 5000)]);
        rates.report(&[figures(2000, 6000)]);
        rates.report(&[figures(3000, 100)]);
        assert_eq!(records_in(&rates), None);
        rates.report(&[figures(4000, 200)]);
        assert_eq!(records_in(&rates), Some(100.0));
    }

    fn with_times(read_at_ms: u64, [busy, idle, back_pressured]: [i64; 3]) -> TaskFigures {
        let times = [(names::BUSY_TIME, busy), (names::IDLE_TIME, idle), (names::BACK_PRESSURED_TIME, back_pressured)];
        TaskFigures { task: times.map(|(name, time)| (name.to_owned(), time)).into(), ..figures(read_at_ms, 0) }
    }

    fn shares(rates: &Rates) -> Option<[f64; 3]> {
        let (_, rates) = rates.all().next()?;
        let share = |name| rates.task.get(name).copied();
        Some([share("busyTimeMsPerSecond")?, share("idleTimeMsPerSecond")?, share("backPressuredTimeMsPerSecond")?])
    }

    #[test]
    fn a_time_that_steps_back_a_little_begins_no_other_run() {
        let mut rates = Rates::default();
        rates.report(&[with_times(10_000, [5000, 5000, 0])]);
        rates.report(&[with_times(11_000, [5004, 5996, 0])]);
        // What seemed to be work was the beginning of a wait.
        rates.report(&[with_times(12_000, [5000, 7000, 0])]);
        assert_eq!(shares(&rates), Some([0.0, 1000.0, 0.0]));
        rates.report(&[with_times(13_000, [4990, 8010, 0])]);
        assert_eq!(shares(&rates), Some([0.0, 1000.0, 0.0]));
        rates.report(&[with_times(14_000, [10, 500, 490])]);
        assert_eq!(shares(&rates), None);
    }

    #[test]
    fn a_share_is_never_more_than_all_of_the_time() {
        let mut rates = Rates::default();
        rates.report(&[with_times(10_000, [5000, 5000, 0])]);
        rates.report(&[with_times(12_000, [7010, 4990, 0])]);
        assert_eq!(shares(&rates), Some([1000.0, 0.0, 0.0]));
    }

    #[test]
    fn a_task_that_has_gone_is_forgotten() {
        let mut rates = Rates::default();
        rates.report(&[figures(1000, 1)]);
        rates.report(&[]);
        assert_eq!(rates.all().count(), 0);
    }
}
