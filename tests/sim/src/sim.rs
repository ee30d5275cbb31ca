//! What all parts of a simulated world share: chance, time, the trace, and the places where they leave messages.

use crate::{clock::SimClock, outside::Outside, plant::Plant, random::Random};
use flott_core::id::AttemptId;
use flott_rpc::task::TaskReport;
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    hash::{DefaultHasher, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The number of a JobMaster, with all that belongs to it.
pub(crate) type Term = u32;

/// Work that a task left to the background.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Hashes every line, and prints them if asked to.
struct Trace {
    hasher: DefaultHasher,
    verbose: bool,
    lines: u64,
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hasher.write(text.as_bytes());
        if self.verbose {
            print!("{text}");
        }
        Ok(())
    }
}

/// How often rare things happened: a simulation in which they do not happen shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Seen {
    TaskFailed,
    TaskCrashed,
    LinkCut,
    SlotLost,
    Killed,
    EnumeratorLost,
    MasterCrashed,
    MasterReplaced,
    Fenced,
    PowerFailed,
    StorageFault,
    Unconfirmed,
    CompletionFailed,
    Checkpoint,
    CheckpointFailed,
    CheckpointExpired,
    Declined,
    Savepoint,
    Stopped,
    StopFailed,
    Drained,
    Cancelled,
    JobFailed,
    Rescaled,
    Grown,
    Shrunk,
    RescaleGivenUp,
    Claimed,
    RestoredFinished,
    SplitsBack,
    PartlyFinished,
    CommitRetried,
    CommitLost,
    LateUpload,
    LateRecord,
    ClockJumped,
    Idle,
}

impl Seen {
    /// The last of them: a program can count to it.
    pub const COUNT: usize = Seen::Idle as usize + 1;
}

/// Shared by all parts of a world. There is one thread: locks are never contended.
pub(crate) struct Sim {
    pub(crate) clock: SimClock,
    pub(crate) plant: Option<Plant>,
    random: Mutex<Random>,
    faults: AtomicBool,
    trace: Mutex<Trace>,
    violation: Mutex<Option<String>>,
    seen: Mutex<BTreeMap<Seen, u64>>,
    pub(crate) outside: Mutex<Outside>,
    /// What tasks have reported since the world last looked.
    pub(crate) reports: Mutex<Vec<(Term, AttemptId, TaskReport)>>,
    /// What tasks have left to the background since the world last looked.
    pub(crate) works: Mutex<Vec<(Term, AttemptId, Work)>>,
    /// The largest watermark that the input channels of an attempt allow.
    pub(crate) watermarks: Mutex<BTreeMap<(Term, AttemptId), i64>>,
}

pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // User code may panic while it holds one; what it guards is changed in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sim {
    pub(crate) fn new(seed: u64, plant: Option<Plant>, verbose: bool) -> Arc<Self> {
        Arc::new(Sim {
            clock: SimClock::default(),
            plant,
            random: Mutex::new(Random::new(seed)),
            faults: AtomicBool::new(false),
            trace: Mutex::new(Trace { hasher: DefaultHasher::new(), verbose, lines: 0 }),
            violation: Mutex::default(),
            seen: Mutex::default(),
            outside: Mutex::default(),
            reports: Mutex::default(),
            works: Mutex::default(),
            watermarks: Mutex::default(),
        })
    }

    pub(crate) fn random(&self) -> MutexGuard<'_, Random> {
        hold(&self.random)
    }

    /// True with this probability, while faults are injected.
    pub(crate) fn fault(&self, percent: u64) -> bool {
        self.faults() && self.random().percent(percent)
    }

    /// As [`Sim::fault`], in a thousand.
    pub(crate) fn rare_fault(&self, permille: u64) -> bool {
        self.faults() && self.random().below(1000) < permille
    }

    pub(crate) fn faults(&self) -> bool {
        self.faults.load(Ordering::Relaxed)
    }

    pub(crate) fn set_faults(&self, on: bool) {
        self.faults.store(on, Ordering::Relaxed);
    }

    pub(crate) fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// A line of the trace.
    pub(crate) fn trace(&self, line: fmt::Arguments<'_>) {
        let now = self.clock.now().as_micros();
        let mut trace = hold(&self.trace);
        trace.lines += 1;
        // It never fails.
        let _ = writeln!(trace, "{now:>9} {line}");
    }

    pub(crate) fn trace_hash(&self) -> (u64, u64) {
        let trace = hold(&self.trace);
        (trace.hasher.finish(), trace.lines)
    }

    pub(crate) fn is_verbose(&self) -> bool {
        hold(&self.trace).verbose
    }

    /// Something that must never happen has happened. The first such thing ends the run.
    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.trace(format_args!("VIOLATION {what}"));
        hold(&self.violation).get_or_insert(what);
    }

    pub(crate) fn violated(&self) -> Option<String> {
        hold(&self.violation).clone()
    }

    pub(crate) fn saw(&self, what: Seen) {
        *hold(&self.seen).entry(what).or_default() += 1;
    }

    pub(crate) fn seen(&self) -> BTreeMap<Seen, u64> {
        hold(&self.seen).clone()
    }
}
