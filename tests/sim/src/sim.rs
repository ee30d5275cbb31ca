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
    // From here on in clusters alone.
    LeaderCrashed,
    LeaderPaused,
    PausedLeaderWoke,
    LeaseExpired,
    Superseded,
    Retired,
    TookOver,
    AdoptedAll,
    AdoptedPartly,
    AdoptedNothing,
    LateWorker,
    EndedElsewhere,
    EndedWhileDown,
    TaskManagerCrashed,
    TaskManagerPaused,
    TaskManagerRefused,
    WorkerCrashed,
    WorkerPaused,
    WorkerNotStarted,
    ConnectionCut,
    ConnectionSilent,
    HeartbeatMissed,
    ChannelLost,
    CoordinationFault,
    LateWrite,
    SubmittedAgain,
    AskedAgain,
}

impl Seen {
    /// How many there are in simulations of a job; the others are those of clusters.
    pub const COUNT: usize = Seen::Idle as usize + 1;

    /// All that happens in clusters alone.
    pub const CLUSTER: [Seen; 26] = [
        Seen::LeaderCrashed,
        Seen::LeaderPaused,
        Seen::PausedLeaderWoke,
        Seen::LeaseExpired,
        Seen::Retired,
        Seen::TookOver,
        Seen::AdoptedAll,
        Seen::AdoptedPartly,
        Seen::AdoptedNothing,
        Seen::LateWorker,
        Seen::EndedElsewhere,
        Seen::EndedWhileDown,
        Seen::TaskManagerCrashed,
        Seen::TaskManagerPaused,
        Seen::TaskManagerRefused,
        Seen::WorkerCrashed,
        Seen::WorkerPaused,
        Seen::WorkerNotStarted,
        Seen::ConnectionCut,
        Seen::ConnectionSilent,
        Seen::HeartbeatMissed,
        Seen::ChannelLost,
        Seen::CoordinationFault,
        Seen::LateWrite,
        Seen::SubmittedAgain,
        Seen::AskedAgain,
    ];
}

/// Shared by all parts of a world. There is one thread: locks are never contended.
pub(crate) struct Sim {
    pub(crate) clock: SimClock,
    pub(crate) plant: Option<Plant>,
    random: Arc<Mutex<Random>>,
    faults: Arc<AtomicBool>,
    trace: Arc<Mutex<Trace>>,
    violation: Arc<Mutex<Option<String>>>,
    seen: Arc<Mutex<BTreeMap<Seen, u64>>>,
    pub(crate) outside: Mutex<Outside>,
    /// What tasks have reported since the world last looked.
    pub(crate) reports: Arc<Mutex<Vec<(Term, AttemptId, TaskReport)>>>,
    /// What tasks have left to the background since the world last looked.
    pub(crate) works: Arc<Mutex<Vec<(Term, AttemptId, Work)>>>,
    /// The largest watermark that the input channels of an attempt allow.
    pub(crate) watermarks: Arc<Mutex<BTreeMap<(Term, AttemptId), i64>>>,
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
            random: Arc::new(Mutex::new(Random::new(seed))),
            faults: Arc::default(),
            trace: Arc::new(Mutex::new(Trace { hasher: DefaultHasher::new(), verbose, lines: 0 })),
            violation: Arc::default(),
            seen: Arc::default(),
            outside: Mutex::default(),
            reports: Arc::default(),
            works: Arc::default(),
            watermarks: Arc::default(),
        })
    }

    /// The same world with another outside system.
    pub(crate) fn with_another_outside(&self) -> Arc<Self> {
        Arc::new(Sim {
            clock: self.clock.clone(),
            plant: self.plant,
            random: self.random.clone(),
            faults: self.faults.clone(),
            trace: self.trace.clone(),
            violation: self.violation.clone(),
            seen: self.seen.clone(),
            outside: Mutex::default(),
            reports: self.reports.clone(),
            works: self.works.clone(),
            watermarks: self.watermarks.clone(),
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
