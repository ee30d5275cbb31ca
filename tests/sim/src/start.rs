//! Jobs begin, end, and begin again: a new leader of the same job, or a new job from what another has left.

use crate::{
    graph,
    master::Master,
    oracle,
    shape::Widths,
    sim::{Seen, Term},
    storage::{faulty, honest},
    world::{Happening, World},
};
use flott_core::id::{CheckpointId, JobId};
use flott_graph::settings::Retention;
use flott_jobmanager::{JobEvent, JobMaster, RestoredSnapshot};
use flott_rpc::client::JobEnd;
use flott_storage::{CheckpointStorage, LoadedCheckpoint, StorageError};
use std::{sync::Arc, time::Duration};

/// What a new job starts from.
#[derive(Debug, Clone)]
pub(crate) enum From {
    Nothing,
    /// A folder.
    Path(String),
    /// The newest checkpoint in the directory.
    Latest,
}

/// A JobMaster to be started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) job: JobId,
    pub(crate) from: From,
    pub(crate) claim: bool,
    pub(crate) widths: Widths,
}

/// What a term begins with.
struct Begun {
    epoch: u64,
    next: CheckpointId,
    loaded: Option<(LoadedCheckpoint, bool)>,
}

impl Start {
    pub(crate) fn first(world: &mut World) -> Self {
        Start::new_job(world, From::Nothing)
    }

    fn new_job(world: &mut World, from: From) -> Self {
        let job = JobId((u128::from(world.sim.random().next()) << 64) + world.jobs.len() as u128 + 1);
        world.jobs.push(job);
        let widths = world.shape.widths(&mut world.sim.random());
        Start { job, from, claim: world.sim.random().percent(50), widths }
    }
}

impl World {
    /// A JobMaster takes over, or begins, a job. If the storage fails it tries again.
    pub(crate) fn begin(&mut self, start: Start) {
        if self.ended.contains(&start.job) || self.is_ending() {
            // The job has ended in the meantime; whoever leads the cluster knows.
            return;
        }
        let directory = faulty(&self.sim, &self.files);
        let storage = Arc::new(directory.storage(start.job));
        let mut claimed = None;
        let mut begin = || -> Result<Begun, StorageError> {
            let epoch = storage.next_epoch()?;
            let next = storage.begin_term(epoch)?;
            if let Some(own) = storage.completed()?.first() {
                let loaded = storage.load_completed(own)?;
                return Ok(Begun { epoch, next, loaded: Some((loaded, own.owner == Some(start.job))) });
            }
            let loaded = match &start.from {
                From::Nothing => None,
                From::Path(path) => Some(storage.load(path)?),
                From::Latest => directory.latest()?.map(|latest| storage.load_completed(&latest)).transpose()?,
            };
            if let Some(loaded) = loaded.as_ref().filter(|_| start.claim) {
                claimed = Some(loaded.folder.clone());
                storage.claim(epoch, loaded)?;
                self.sim.saw(Seen::Claimed);
            }
            Ok(Begun { epoch, next, loaded: loaded.map(|loaded| (loaded, start.claim)) })
        };
        let begun = begin();
        self.claimed.extend(claimed.map(|folder| (folder, start.job)));
        let begun = match begun {
            Ok(begun) => begun,
            Err(StorageError::Claimed { .. }) => return self.begin(Start { claim: false, ..start }),
            Err(error) => {
                self.sim.trace(format_args!("a term of {} cannot begin: {error}", start.job));
                if !self.sim.faults() {
                    return self.sim.violation(format!("a term cannot begin: {error}"));
                }
                let at = self.sim.clock.now() + Duration::from_millis(20);
                return self.at(at, Happening::Begin(start));
            }
        };
        self.terms += 1;
        let term = self.terms;
        self.lead(term, start, begun, storage);
    }

    fn lead(&mut self, term: Term, start: Start, begun: Begun, storage: Arc<flott_storage::FileStorage>) {
        let Begun { epoch, next, loaded } = begun;
        let graph = Arc::new(graph::build(&self.sim, term, &self.shape, start.widths));
        let restored = loaded.map(|(loaded, owned)| {
            self.note_cut(&loaded.metadata);
            RestoredSnapshot { metadata: Arc::new(loaded.metadata), location: loaded.folder, owned }
        });
        let from = restored.as_ref().map(|restored| restored.metadata.checkpoint);
        self.sim.trace(format_args!("term {term}: epoch {epoch} of {} from {from:?}, {:?}, next {next}", start.job, start.widths));
        let seed = self.sim.random().next();
        let master = match JobMaster::new(start.job, epoch, graph.topology(), graph.settings.clone(), restored, seed) {
            Ok(master) => master,
            Err(error) => return self.sim.violation(format!("checkpoint {from:?} does not fit its job: {error}")),
        };
        self.masters.insert(term, Master::new(start, epoch, master, graph, storage, from));
        self.current = Some(term);
        let last = next.0.checked_sub(1).filter(|last| *last > 0).map(CheckpointId);
        self.sweep_later(term, next);
        self.tell(term, JobEvent::Start { last_checkpoint: last });
    }

    /// What a user starts from who wants to go on where a job has ended: its newest checkpoint, or what it had started from itself.
    fn newest_of(&self, start: &Start) -> From {
        let newest = honest(&self.files).storage(start.job).completed().ok().and_then(|all| all.into_iter().next());
        match newest {
            None => start.from.clone(),
            Some(_) if self.sim.random().percent(50) => From::Latest,
            Some(newest) => From::Path(newest.folder),
        }
    }

    /// What follows if the job has ended.
    pub(crate) fn look_for_the_end(&mut self) {
        let Some((term, master)) = self.current.and_then(|term| Some((term, self.masters.get(&term)?))) else { return };
        let Some(outcome) = master.outcome.clone() else { return };
        if self.is_ending() {
            return;
        }
        let (stopped, start) = (master.stopped.clone(), master.start.clone());
        let widths = start.widths;
        self.ended.insert(master.start.job);
        // What still runs belongs to nobody.
        self.executor.drop_term(term);
        let from = match outcome {
            JobEnd::Finished => {
                let Some((checkpoint, folder, drain)) = stopped else {
                    if let Some(drained) = self.drained.clone() {
                        return self.end_with(drained, true);
                    }
                    if self.shape.unbounded() {
                        return self.sim.violation("a source that never ends has ended");
                    }
                    let ends = oracle::ends(&self.shape);
                    return self.end_with(ends, true);
                };
                let Some(positions) = self.cuts.get(&checkpoint).cloned() else {
                    return self.sim.violation(format!("the job has stopped with checkpoint {checkpoint}, which is not there"));
                };
                self.sim.saw(if drain { Seen::Drained } else { Seen::Stopped });
                if drain {
                    return self.end_with(positions, true);
                }
                if let Err(error) = oracle::result(&self.sim, &self.shape, &positions, false) {
                    return self.sim.violation(format!("stopped with checkpoint {checkpoint}: {error}"));
                }
                From::Path(folder)
            }
            JobEnd::Canceled if self.shape.settings.checkpoints.retention == Retention::DeleteOnCancellation => {
                return self.sim.violation("the job was cancelled, but nobody did that");
            }
            JobEnd::Canceled | JobEnd::Failed(_) => {
                self.sim.saw(if outcome == JobEnd::Canceled { Seen::Cancelled } else { Seen::JobFailed });
                self.newest_of(&start)
            }
        };
        self.current = None;
        let start = Start::new_job(self, from);
        if start.widths != widths {
            self.sim.saw(Seen::Rescaled);
        }
        let at = self.sim.clock.now() + self.sim.random().millis(30);
        self.at(at, Happening::Begin(start));
    }
}
