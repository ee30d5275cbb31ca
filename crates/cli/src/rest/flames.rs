//! Stacks of tasks, taken when someone asks and kept for a while.

use super::logs::{ask, strange};
use flott_cluster::{JobManager, SystemClock, TaskThreads};
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
    id::{JobId, OperatorId, VertexId},
    time::Clock,
};
use flott_rpc::observe::{Answer, Question, SampleRequest, StackSamples};
use flott_web::{ClusterError, Result, model};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long finding names may take, besides taking the samples.
const NAMES_TIMEOUT: Duration = Duration::from_secs(60);

/// How stacks are taken, and how long they are kept.
#[derive(Debug, Clone, Copy)]
struct Settings {
    enabled: bool,
    samples: u32,
    interval: Duration,
    refresh: Duration,
    clean_up: Duration,
    depth: u32,
}

/// Tasks that are looked at together. After a restart or at another parallelism they are others: what was found before says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) job: JobId,
    pub(super) vertex: VertexId,
    pub(super) operator: OperatorId,
    /// The subtasks, each with its attempt.
    pub(super) attempts: Vec<(u32, u32)>,
}

/// What is known of them.
struct Entry {
    taken: Option<(Instant, Arc<model::TakenStacks>)>,
    asked: Instant,
    /// It is being taken, or will be.
    pending: bool,
}

impl Entry {
    /// Whether new stacks would tell nothing new. Where there are none, tasks may have started only just now.
    fn is_fresh(&self, now: Instant, refresh: Duration) -> bool {
        let fresh =
            |(at, taken): &(Instant, Arc<model::TakenStacks>)| !taken.stacks.is_empty() && now.saturating_duration_since(*at) < refresh;
        self.taken.as_ref().is_some_and(fresh)
    }

    /// Takes what was found. Nothing without a reason is as if nobody had looked.
    fn found(&mut self, now: Instant, taken: Option<model::TakenStacks>) {
        let taken = taken.filter(|taken| !taken.stacks.is_empty() || taken.message.is_some());
        // Tasks that have not said where they run yet may do so before the next one asks.
        self.taken = taken.map(|taken| (now, Arc::new(taken))).or(self.taken.take());
        self.pending = false;
    }
}

type Known = Arc<Mutex<HashMap<Key, Entry>>>;

fn lock(known: &Known) -> MutexGuard<'_, HashMap<Key, Entry>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stacks of all vertices that someone has asked for.
pub(super) struct Flames {
    settings: Settings,
    known: Known,
    wanted: mpsc::Sender<Key>,
}

impl Flames {
    /// Takes stacks on a thread of its own, of one vertex at a time.
    pub(super) fn start(manager: JobManager, config: &Configuration) -> std::result::Result<Self, Error> {
        let settings = Settings {
            enabled: config.get(&options::REST_FLAMEGRAPH_ENABLED)?,
            samples: config.get(&options::REST_FLAMEGRAPH_NUM_SAMPLES)?,
            interval: config.get(&options::REST_FLAMEGRAPH_DELAY_BETWEEN_SAMPLES)?,
            refresh: config.get(&options::REST_FLAMEGRAPH_REFRESH_INTERVAL)?,
            clean_up: config.get(&options::REST_FLAMEGRAPH_CLEAN_UP_INTERVAL)?,
            depth: config.get(&options::REST_FLAMEGRAPH_STACK_DEPTH)?,
        };
        let (wanted, queue) = mpsc::channel::<Key>();
        let known = Known::default();
        let taking = known.clone();
        let run = move || {
            for key in queue {
                let taken = take(&manager, &settings, key.job, key.vertex);
                if let Some(entry) = lock(&taking).get_mut(&key) {
                    entry.found(Instant::now(), taken);
                }
            }
        };
        let no_thread = |error| Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error);
        thread::Builder::new().name("flott-flames".to_owned()).spawn(run).map_err(no_thread)?;
        Ok(Flames { settings, known, wanted })
    }

    /// The stacks of tasks, or that they are on their way.
    pub(super) fn get(&self, key: Key) -> model::Stacks {
        if !self.settings.enabled {
            return model::Stacks::Disabled;
        }
        let now = Instant::now();
        let known = &mut *lock(&self.known);
        known.retain(|_, entry| entry.pending || now.saturating_duration_since(entry.asked) < self.settings.clean_up);
        let entry = known.entry(key.clone()).or_insert_with(|| Entry { taken: None, asked: now, pending: false });
        entry.asked = now;
        if !entry.is_fresh(now, self.settings.refresh) && !entry.pending {
            entry.pending = self.wanted.send(key).is_ok();
        }
        entry.taken.as_ref().map_or(model::Stacks::Waiting, |(_, taken)| model::Stacks::Taken(taken.clone()))
    }
}

/// Has stacks of all tasks of a vertex taken, on all TaskManagers at once; `None`: none has said anything yet.
fn take(manager: &JobManager, settings: &Settings, job: JobId, vertex: VertexId) -> Option<model::TakenStacks> {
    let places = manager.task_threads(job, vertex).unwrap_or_default();
    let mut taken = model::TakenStacks::default();
    if places.is_empty() {
        let figures = manager.figures(job).unwrap_or_default();
        figures.iter().find(|task| task.subtask.vertex == vertex)?;
        taken.message = Some("the platform that tasks run on does not number its threads".to_owned());
    }
    let answers: Vec<(&TaskThreads, Result<StackSamples>)> = thread::scope(|scope| {
        let asking: Vec<_> = places.iter().map(|place| (place, scope.spawn(move || samples(manager, settings, job, place)))).collect();
        let panicked = || Err(ClusterError::Failed("a thread panicked".to_owned()));
        asking.into_iter().map(|(place, asked)| (place, asked.join().unwrap_or_else(|_| panicked()))).collect()
    });
    for (place, answer) in answers {
        match answer {
            Ok(samples) => {
                taken.stacks.extend(stacks(place, &samples));
                taken.message = taken.message.take().or(samples.message);
            }
            Err(error) => taken.message = Some(error.to_string()),
        }
    }
    taken.at = SystemClock::default().wall();
    Some(taken)
}

fn samples(manager: &JobManager, settings: &Settings, job: JobId, place: &TaskThreads) -> Result<StackSamples> {
    let request = SampleRequest {
        job,
        worker: place.worker,
        threads: place.threads.iter().map(|(_, thread)| *thread).collect(),
        samples: settings.samples,
        interval_ms: u32::try_from(settings.interval.as_millis()).unwrap_or(u32::MAX),
        depth: settings.depth,
    };
    let timeout = settings.interval.saturating_mul(settings.samples).saturating_add(NAMES_TIMEOUT);
    match ask(manager, &place.task_manager, Question::Sample(request), timeout)? {
        Answer::Samples(samples) => Ok(samples),
        other => Err(strange(&other)),
    }
}

/// The stacks by subtask. Places of frames that are none are left out.
fn stacks(place: &TaskThreads, samples: &StackSamples) -> Vec<model::TakenStack> {
    let subtasks: BTreeMap<u32, u32> = place.threads.iter().map(|(subtask, thread)| (*thread, *subtask)).collect();
    let name = |place: &u32| samples.frames.get(*place as usize).cloned();
    let stacks = samples.stacks.iter().filter_map(|stack| {
        let subtask = *subtasks.get(&stack.thread)?;
        let frames = stack.frames.iter().filter_map(name).collect();
        Some(model::TakenStack { subtask, on_cpu: stack.on_cpu, frames, count: stack.count })
    });
    stacks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_kept_for_a_while_and_their_absence_is_not() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let mut entry = Entry { taken: None, asked: now, pending: true };
        entry.found(now, Some(model::TakenStacks::default()));
        assert!(entry.taken.is_none() && !entry.pending && !entry.is_fresh(now, minute), "nothing was found, and nobody knows why");
        entry.found(now, Some(model::TakenStacks { message: Some("not allowed".to_owned()), ..model::TakenStacks::default() }));
        assert!(entry.taken.is_some() && !entry.is_fresh(now, minute), "the reason is shown, and may be gone");
        let stack = model::TakenStack { subtask: 0, on_cpu: true, frames: vec!["main".to_owned()], count: 1 };
        entry.found(now, Some(model::TakenStacks { stacks: vec![stack], ..model::TakenStacks::default() }));
        assert!(entry.is_fresh(now, minute) && !entry.is_fresh(now + minute, minute));
        entry.found(now, None);
        assert!(entry.taken.is_some(), "what was known stays until there is something else");
    }
}
